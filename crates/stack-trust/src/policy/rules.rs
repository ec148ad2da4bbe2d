//! What the operator wrote.

use stack_seal::digest::Root;
use stack_seal::key::PublicKey;
use stack_seal::revocation::Revoked;
use stack_seal::statement::Tier;
use stack_seal::time::UnixTime;

use super::Pattern;

/// Who is trusted for what. Without any rule, everything is audited and nothing is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The level for names that no rule matches.
    pub level: Enforcement,
    /// People and machines, with their keys.
    pub identities: Vec<Identity>,
    /// The first rule that matches a name decides.
    pub rules: Vec<Rule>,
    /// What no longer counts.
    pub revoked: Vec<Revocation>,
}

/// Somebody who signs. All keys of an identity count as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What rules call it.
    pub name: String,
    /// What it signs with.
    pub keys: Vec<PublicKey>,
}

/// What holds for some names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// For which names.
    pub pattern: Pattern,
    /// How strictly.
    pub level: Enforcement,
    /// Whose signatures count, by the names of identities.
    pub signers: Vec<String>,
    /// How many of them are needed; a statement may ask for more, never for fewer.
    pub threshold: u32,
    /// Under which tiers such a model may answer; without it, under all.
    pub tiers: Option<Vec<Tier>>,
    /// What its files may be; without it, anything.
    pub formats: Option<Vec<String>>,
    /// Whether it must be encrypted.
    pub sealed: Sealing,
    /// Which chat template it must have.
    pub template: Option<Root>,
    /// How old a statement may be.
    pub max_age_days: Option<u32>,
}

/// Something that no longer counts, because the operator says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// A key or a model.
    pub what: Revoked,
    /// Statements issued from this time on do not count; without it, none does.
    pub since: Option<UnixTime>,
    /// Why, for people.
    pub reason: Option<String>,
}

/// How strictly a rule is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Enforcement {
    /// Nothing is checked that the bytes themselves do not demand.
    Skip,
    /// What is provably wrong is refused; what is merely unknown is written down.
    #[default]
    Audit,
    /// As strict, except that statements may be old and templates may change.
    Permissive,
    /// Everything must hold.
    Strict,
}

/// Whether weights lie encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sealing {
    /// They must.
    Required,
    /// They may.
    #[default]
    Allowed,
    /// They must not.
    Refused,
}

impl Policy {
    /// Finds the first rule that matches a name.
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.pattern.matches(name))
    }

    /// Finds the identity that a key belongs to.
    pub fn identity(&self, key: &PublicKey) -> Option<&Identity> {
        self.identities.iter().find(|identity| identity.keys.contains(key))
    }

    /// All keys of all identities.
    pub fn keys(&self) -> Vec<PublicKey> {
        self.identities.iter().flat_map(|identity| identity.keys.iter().cloned()).collect()
    }
}

impl Enforcement {
    /// All levels, the strictest first.
    pub const ALL: [Self; 4] = [Self::Strict, Self::Permissive, Self::Audit, Self::Skip];

    /// The name in files and options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Permissive => "permissive",
            Self::Audit => "audit",
            Self::Skip => "skip",
        }
    }

    /// Finds the level that has this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

impl Sealing {
    /// All choices.
    pub const ALL: [Self; 3] = [Self::Required, Self::Allowed, Self::Refused];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Allowed => "allowed",
            Self::Refused => "refused",
        }
    }

    /// Finds the choice that has this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sealing| sealing.name() == name)
    }
}
