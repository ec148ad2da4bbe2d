//! Reasons of the policy as errors of a command.

use stack_registry::trust::Reason;

use crate::command_error::{CommandError, Kind};

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
        Reason::NoSignature => "sign it with `stack sign`, or name the signature with --signature",
        Reason::UnknownSigner => {
            "if you know whose key that is, `stack trust add NAME --key KEY --for PATTERN`; or check with --key KEY"
        }
        Reason::WrongName => "give the model the name that it was signed for",
        Reason::Revoked => "get it signed by a key that was not revoked; `stack trust list` shows which were",
        Reason::BelowThreshold => "another signer adds a signature with `stack sign --cosign`",
        Reason::Expired => "ask the signer for a new signature",
        Reason::NotYetValid => "look at this machine's clock, then at the signer's",
        Reason::RolledBack => "a newer signature was accepted before; get that one",
        Reason::TemplateChanged => {
            "`stack show --template` prints the template; have the model signed with it"
        }
        Reason::TierForbids | Reason::FormatForbids | Reason::SealingForbids => {
            "`stack trust list` shows the rule"
        }
        Reason::WeightsTier => "the signer has to allow it, in a new signature",
    }
}
