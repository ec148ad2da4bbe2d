//! What came out.

use stack_seal::key::PublicKey;

use super::{Enforcement, Pattern};

/// What the policy says about a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The level that was kept.
    pub level: Enforcement,
    /// The rule that matched, if one did.
    pub rule: Option<Pattern>,
    /// Whose signatures counted, by the names of identities.
    pub identities: Vec<String>,
    /// With which keys.
    pub keys: Vec<PublicKey>,
    /// How many identities were needed.
    pub needed: u32,
    /// Which of the given signatures are over the statement that was judged.
    pub statement: Option<usize>,
    /// Every check, in order.
    pub checks: Vec<Check>,
}

/// One check and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Which one.
    pub step: Step,
    /// What came of it.
    pub outcome: Outcome,
    /// What was found, as a phrase.
    pub detail: String,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold, and the level lets it pass.
    Recorded(Reason),
    /// It does not hold, and the model is refused.
    Refused(Reason),
}

/// The checks of a policy, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Somebody signed.
    Signature,
    /// Who signed is trusted for this name.
    Signer,
    /// Nothing about it was revoked.
    Revocation,
    /// Enough identities signed the same bytes.
    Threshold,
    /// It was issued, and it counts still.
    Expiry,
    /// Nothing newer was accepted before.
    Serial,
    /// It may answer, and be given away, where that is about to happen.
    Tier,
    /// It is in a format that the rule allows.
    Format,
    /// It has the chat template that was signed and pinned.
    Template,
    /// It is encrypted where it must be.
    Sealing,
}

/// Why a check does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Nobody signed.
    NoSignature,
    /// Whoever signed is not trusted for this name.
    UnknownSigner,
    /// It was signed under another name.
    WrongName,
    /// The key or the model was revoked.
    Revoked,
    /// Fewer identities signed than are needed.
    BelowThreshold,
    /// The statement has expired, or is older than the rule allows.
    Expired,
    /// The statement comes from the future.
    NotYetValid,
    /// A newer statement was accepted before.
    RolledBack,
    /// The rule does not let it answer under this tier.
    TierForbids,
    /// The rule does not allow the format.
    FormatForbids,
    /// The chat template is not the one that was signed or pinned.
    TemplateChanged,
    /// The rule wants it encrypted, or not.
    SealingForbids,
}

impl Verdict {
    /// The first check for which the model is refused.
    pub fn refusal(&self) -> Option<(&Check, Reason)> {
        self.checks.iter().find_map(|check| match check.outcome {
            Outcome::Refused(reason) => Some((check, reason)),
            Outcome::Passed | Outcome::Recorded(_) => None,
        })
    }

    /// Whether the statement counts no longer, at whatever level that was found.
    pub fn expired(&self) -> bool {
        let is_expired = |check: &Check| match check.outcome {
            Outcome::Refused(reason) | Outcome::Recorded(reason) => reason == Reason::Expired,
            Outcome::Passed => false,
        };
        self.checks.iter().any(is_expired)
    }

    /// Whether the model is refused.
    pub fn refuses(&self) -> bool {
        self.refusal().is_some()
    }
}

impl Step {
    /// The name that is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Signer => "signer",
            Self::Revocation => "revocation",
            Self::Threshold => "threshold",
            Self::Expiry => "expiry",
            Self::Serial => "serial",
            Self::Tier => "tier",
            Self::Format => "format",
            Self::Template => "template",
            Self::Sealing => "sealing",
        }
    }
}

impl Reason {
    /// The code that programs see.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoSignature => "no-signature",
            Self::UnknownSigner => "unknown-signer",
            Self::WrongName => "wrong-name",
            Self::Revoked => "revoked",
            Self::BelowThreshold => "below-threshold",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::RolledBack => "rolled-back",
            Self::TierForbids => "tier-forbids",
            Self::FormatForbids => "format-forbids",
            Self::TemplateChanged => "template-changed",
            Self::SealingForbids => "sealing-forbids",
        }
    }
}
