//! Reasons of the policy as errors of a command.

use stack_registry::trust::Reason;

use crate::error::{CommandError, Kind};

/// Makes the error for a reason.
pub(crate) fn refused(what: &str, reason: Reason, detail: &str) -> CommandError {
    CommandError::new(kind(reason), format!("{what}: {detail}")).reason(reason.code()).hint(hint(reason))
}

/// Sorts reasons into exit codes.
fn kind(reason: Reason) -> Kind {
    match reason {
        Reason::NoSignature => Kind::Missing,
        Reason::UnknownSigner
        | Reason::WrongName
        | Reason::Revoked
        | Reason::BelowThreshold
        | Reason::Expired
        | Reason::NotYetValid
        | Reason::RolledBack
        | Reason::TemplateChanged => Kind::Untrusted,
        Reason::TierForbids | Reason::WeightsTier | Reason::FormatForbids | Reason::SealingForbids => {
            Kind::Refused
        }
    }
}

fn hint(reason: Reason) -> &'static str {
    match reason {
        Reason::NoSignature => "sign it with `stack sign`, or give the signature file with --signature",
        Reason::UnknownSigner => {
            "if you know the signer, run `stack trust add NAME --key KEY --for PATTERN`, or verify with --key KEY"
        }
        Reason::WrongName => "store the model under the name it was signed for",
        Reason::Revoked => {
            "have it signed with a key that is not revoked; `stack trust list` shows revoked keys"
        }
        Reason::BelowThreshold => "add another signature with `stack sign --cosign`",
        Reason::Expired => "request a new signature from the signer",
        Reason::NotYetValid => "check this machine's clock and the signer's",
        Reason::RolledBack => "a newer signature was accepted earlier; use that one",
        Reason::TemplateChanged => {
            "`stack show --template` prints the template; have the model signed with this template"
        }
        Reason::TierForbids | Reason::FormatForbids | Reason::SealingForbids => {
            "`stack trust list` shows the rule"
        }
        Reason::WeightsTier => "only a new signature can allow it",
    }
}
