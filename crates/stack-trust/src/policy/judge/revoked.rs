//! Which revocations count.

use stack_seal::bundle::Signed;
use stack_seal::digest::Digest;
use stack_seal::key::PublicKey;
use stack_seal::revocation::{self, Revoked as What};
use stack_seal::time::UnixTime;

use crate::policy::{Policy, Rule};

/// The revocations that bind here: those of the operator, and those of signers who are trusted for the model.
pub(super) struct Revoked<'a> {
    all: Vec<Entry<'a>>,
}

struct Entry<'a> {
    what: &'a What,
    since: Option<UnixTime>,
    reason: Option<&'a str>,
}

impl<'a> Revoked<'a> {
    pub(super) fn new(
        policy: &'a Policy,
        rule: Option<&Rule>,
        signed: &'a [Signed<revocation::Revocation>],
    ) -> Self {
        let own = policy.revoked.iter().map(|entry| Entry {
            what: &entry.what,
            since: entry.since,
            reason: entry.reason.as_deref(),
        });
        let binding = signed.iter().filter(|signed| binds(policy, rule, signed)).map(|signed| {
            let payload = signed.payload();
            Entry { what: &payload.revoked, since: payload.since, reason: payload.reason.as_deref() }
        });
        Self { all: own.chain(binding).collect() }
    }

    /// Whether statements of this key count no more; a phrase with the reason.
    pub(super) fn key(&self, key: &PublicKey, issued: Option<UnixTime>) -> Option<String> {
        self.find(issued, |what| matches!(what, What::Key(revoked) if revoked == key))
    }

    /// Whether a model counts no more; a phrase with the reason.
    pub(super) fn root(&self, root: &Digest, issued: Option<UnixTime>) -> Option<String> {
        self.find(issued, |what| matches!(what, What::Root(revoked) if revoked == root))
    }

    fn find(&self, issued: Option<UnixTime>, is_meant: impl Fn(&What) -> bool) -> Option<String> {
        // What does not say when it was issued may have been issued afterwards.
        let late = |since: Option<UnixTime>| match (since, issued) {
            (Some(since), Some(issued)) => issued >= since,
            _ => true,
        };
        let entry = self.all.iter().find(|entry| is_meant(entry.what) && late(entry.since))?;
        Some(entry.reason.map_or(String::new(), |reason| format!(": {reason}")))
    }
}

/// Whether a signed revocation counts for models under this rule: its signer is trusted for them, or revokes himself.
fn binds(policy: &Policy, rule: Option<&Rule>, signed: &Signed<revocation::Revocation>) -> bool {
    let key = signed.key();
    if matches!(&signed.payload().revoked, What::Key(revoked) if revoked == key) {
        return true;
    }
    let gone = policy.revoked.iter().any(|entry| matches!(&entry.what, What::Key(revoked) if revoked == key));
    let trusted = |name: &String| rule.is_some_and(|rule| rule.signers.contains(name));
    !gone && policy.identity(key).is_some_and(|identity| trusted(&identity.name))
}
