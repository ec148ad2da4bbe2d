//! Counts identities.

use stack_seal::bundle::Signed;
use stack_seal::key::PublicKey;
use stack_seal::statement::Statement;

use super::Case;
use super::revoked::Revoked;
use crate::policy::{Policy, Rule};

/// Who signed the statement that is judged.
#[derive(Clone, Debug, Default)]
pub(super) struct Ballot {
    /// Which of the given signatures has the statement.
    pub(super) statement: Option<usize>,
    /// Every key that signed it.
    pub(super) signed_by: Vec<PublicKey>,
    /// Trusted identities, each once, however many of its keys signed.
    pub(super) identities: Vec<String>,
    /// Their keys.
    pub(super) keys: Vec<PublicKey>,
    /// Trusted identities whose keys were revoked, and why.
    pub(super) dropped: Vec<(String, String)>,
}

impl Ballot {
    /// Counts the signatures over equal bytes together, and takes the bytes that most identities signed; among
    /// those, the newest.
    pub(super) fn count(
        policy: &Policy,
        rule: Option<&Rule>,
        case: &Case<'_>,
        revoked: &Revoked<'_>,
    ) -> Self {
        let trusted = |name: &str| rule.is_some_and(|rule| rule.signers.iter().any(|signer| signer == name));
        let mut best = Self::default();
        for (index, first) in case.signatures.iter().enumerate() {
            let mut ballot = Self { statement: Some(index), ..Self::default() };
            for signed in case.signatures.iter().filter(|signed| signed.bytes() == first.bytes()) {
                ballot.add(policy, signed, &trusted, revoked);
            }
            if ballot.rank(case) > best.rank(case) {
                best = ballot;
            }
        }
        best
    }

    fn add(
        &mut self,
        policy: &Policy,
        signed: &Signed<Statement>,
        trusted: &dyn Fn(&str) -> bool,
        revoked: &Revoked<'_>,
    ) {
        let key = signed.key();
        self.signed_by.push(key.clone());
        let Some(identity) = policy.identity(key).filter(|identity| trusted(&identity.name)) else { return };
        let issued = signed.payload().claim().map(|claim| claim.issued);
        if let Some(why) = revoked.key(key, issued) {
            self.dropped.push((identity.name.clone(), why));
            return;
        }
        if !self.identities.contains(&identity.name) {
            self.identities.push(identity.name.clone());
        }
        self.keys.push(key.clone());
    }

    fn rank(&self, case: &Case<'_>) -> Option<(usize, usize, u64)> {
        let claim = case.signatures[self.statement?].payload().claim();
        Some((self.identities.len(), self.dropped.len(), claim.map_or(0, |claim| claim.serial)))
    }
}
