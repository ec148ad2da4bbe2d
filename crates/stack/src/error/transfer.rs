//! What goes wrong with a pull or a push, as a command tells it.

use stack_registry::fetch::Refusal;
use stack_registry::pull::{TransferError, TransferErrorKind};

use super::{CommandError, Kind};

impl From<TransferError> for CommandError {
    fn from(error: TransferError) -> Self {
        let (code, message) = (error.kind.code(), error.message);
        let (kind, hint) = match error.kind {
            TransferErrorKind::Store(error) => return (*error).into(),
            TransferErrorKind::Upstream404 => {
                (Kind::Missing, Some("check the spelling; a gated repository needs HF_TOKEN"))
            }
            TransferErrorKind::NoSuchFile => {
                (Kind::Missing, Some("--file GLOB selects files of the repository"))
            }
            TransferErrorKind::AmbiguousQuant => {
                (Kind::Usage, Some("choose one with hf://owner/repo:QUANT or hf://owner/repo/FILE"))
            }
            TransferErrorKind::BadName => (Kind::Usage, None),
            TransferErrorKind::NotAModel => {
                (Kind::Malformed, Some("nothing was named; open the address in a browser to see what it is"))
            }
            TransferErrorKind::Pickled => (
                Kind::Malformed,
                Some("look for a GGUF or SafeTensors conversion of it, or ask its publisher for one"),
            ),
            TransferErrorKind::BadAnswer => {
                (Kind::Malformed, Some("the server may not be a model hub or registry"))
            }
            TransferErrorKind::DigestMismatch | TransferErrorKind::LengthMismatch => {
                (Kind::Differs, Some("nothing was kept; ask the publisher about the mismatch"))
            }
            TransferErrorKind::SignerChanged => (
                Kind::Untrusted,
                Some("if the change is expected, remove the old model first: `stack rm NAME`"),
            ),
            TransferErrorKind::Refused(Refusal::Offline) => (
                Kind::Refused,
                Some(
                    "leave out --offline, unset STACK_OFFLINE and HF_HUB_OFFLINE; `stack config show` says what sets it",
                ),
            ),
            TransferErrorKind::Refused(Refusal::HostNotListed) => (
                Kind::Refused,
                Some(
                    "allow it with --allow-host HOST, or under [privacy] hosts in stack.toml; a hub's storage hosts must be listed too",
                ),
            ),
            TransferErrorKind::Refused(Refusal::TierForbids) => {
                (Kind::Refused, Some("the tier is set by --privacy, STACK_PRIVACY and stack.toml"))
            }
            TransferErrorKind::WeightsTier => (Kind::Refused, Some("`stack encrypt` seals weights")),
            TransferErrorKind::Unreachable | TransferErrorKind::Stalled | TransferErrorKind::Upstream5xx => {
                (Kind::Network, Some("run the same command again to resume the download"))
            }
            TransferErrorKind::Certificate => (
                Kind::Untrusted,
                Some(
                    "if an authority of your own has signed it, name its certificate with SSL_CERT_FILE; \
                     else somebody may be in between",
                ),
            ),
            TransferErrorKind::NameTaken => {
                (Kind::Refused, Some("choose another name with --as, or allow the change with --update"))
            }
            TransferErrorKind::Locked => (Kind::Busy, Some("try again when the other process has finished")),
            TransferErrorKind::UpstreamRefuses => (Kind::Network, Some("the registry may require a login")),
            TransferErrorKind::Machine => (Kind::Machine, Some("check the disk and the permissions")),
            TransferErrorKind::Interrupted => (Kind::Interrupted, None),
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
        let code = |kind| CommandError::from(TransferError::new(kind, "x")).kind().exit_code();
        let store = |error: StoreError| TransferError::from(error).kind;
        let full = io::Error::from(io::ErrorKind::StorageFull);
        for (kind, expected) in [
            (TransferErrorKind::AmbiguousQuant, 2),
            (TransferErrorKind::Upstream404, 3),
            (TransferErrorKind::BadAnswer, 4),
            (TransferErrorKind::DigestMismatch, 5),
            (TransferErrorKind::SignerChanged, 6),
            (TransferErrorKind::Refused(Refusal::TierForbids), 7),
            (TransferErrorKind::WeightsTier, 7),
            (TransferErrorKind::Certificate, 6),
            (TransferErrorKind::Stalled, 8),
            (store(StoreError::Locked { what: "the index", pid: None }), 9),
            (store(StoreError::Io { attempt: "writing".to_owned(), source: full }), 1),
            (TransferErrorKind::Interrupted, 130),
        ] {
            let told = format!("{kind:?}");
            assert_eq!(code(kind), expected, "{told}");
        }
    }
}
