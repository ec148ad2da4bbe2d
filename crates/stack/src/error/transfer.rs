//! What goes wrong with a pull or a push, as a command tells it.

use stack_registry::fetch::Refusal;
use stack_registry::pull::{Reason, TransferError};

use super::{CommandError, Kind};

impl From<TransferError> for CommandError {
    fn from(error: TransferError) -> Self {
        let (code, message) = (error.reason.code(), error.message);
        let (kind, hint) = match error.reason {
            Reason::Store(error) => return (*error).into(),
            Reason::Upstream404 => {
                (Kind::Missing, Some("check the spelling; a gated repository needs HF_TOKEN"))
            }
            Reason::NoSuchFile => (Kind::Missing, Some("--file GLOB selects files of the repository")),
            Reason::AmbiguousQuant => {
                (Kind::Usage, Some("choose one with hf://owner/repo:QUANT or hf://owner/repo/FILE"))
            }
            Reason::BadName => (Kind::Usage, None),
            Reason::NotAModel => {
                (Kind::Malformed, Some("nothing was named; open the address in a browser to see what it is"))
            }
            Reason::Pickled => (
                Kind::Malformed,
                Some("look for a GGUF or SafeTensors conversion of it, or ask its publisher for one"),
            ),
            Reason::BadAnswer => (Kind::Malformed, Some("the server may not be a model hub or registry")),
            Reason::DigestMismatch | Reason::LengthMismatch => {
                (Kind::Differs, Some("nothing was kept; ask the publisher about the mismatch"))
            }
            Reason::SignerChanged => (
                Kind::Untrusted,
                Some("if the change is expected, remove the old model first: `stack rm NAME`"),
            ),
            Reason::Refused(Refusal::Offline) => (
                Kind::Refused,
                Some(
                    "leave out --offline, unset STACK_OFFLINE and HF_HUB_OFFLINE; `stack config show` says what sets it",
                ),
            ),
            Reason::Refused(Refusal::HostNotListed) => (
                Kind::Refused,
                Some(
                    "allow it with --allow-host HOST, or under [privacy] hosts in stack.toml; a hub's storage hosts must be listed too",
                ),
            ),
            Reason::Refused(Refusal::TierForbids) => {
                (Kind::Refused, Some("the tier is set by --privacy, STACK_PRIVACY and stack.toml"))
            }
            Reason::WeightsTier => (Kind::Refused, Some("`stack encrypt` seals weights")),
            Reason::Unreachable | Reason::Stalled | Reason::Upstream5xx => {
                (Kind::Network, Some("run the same command again to resume the download"))
            }
            Reason::NameTaken => {
                (Kind::Refused, Some("choose another name with --as, or allow the change with --update"))
            }
            Reason::Locked => (Kind::Busy, Some("try again when the other process has finished")),
            Reason::UpstreamRefuses => (Kind::Network, Some("the registry may require a login")),
            Reason::Machine => (Kind::Machine, Some("check the disk and the permissions")),
            Reason::Interrupted => (Kind::Interrupted, None),
        };
        let mut new = Self::new(kind, message).reason(code);
        new.cause = error.source;
        new.hint = hint.map(str::to_owned);
        new
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use stack_registry::store::StoreError;

    use super::*;

    #[test]
    fn reasons_have_the_exit_codes_of_the_contract() {
        let code = |reason| CommandError::from(TransferError::new(reason, "x")).kind().exit_code();
        let store = |error: StoreError| TransferError::from(error).reason;
        let full = io::Error::from(io::ErrorKind::StorageFull);
        for (reason, expected) in [
            (Reason::AmbiguousQuant, 2),
            (Reason::Upstream404, 3),
            (Reason::BadAnswer, 4),
            (Reason::DigestMismatch, 5),
            (Reason::SignerChanged, 6),
            (Reason::Refused(Refusal::TierForbids), 7),
            (Reason::WeightsTier, 7),
            (Reason::Stalled, 8),
            (store(StoreError::Locked { what: "the index", pid: None }), 9),
            (store(StoreError::Io { attempt: "writing".to_owned(), source: full }), 1),
            (Reason::Interrupted, 130),
        ] {
            let told = format!("{reason:?}");
            assert_eq!(code(reason), expected, "{told}");
        }
    }
}
