//! What errors of sealed files mean on a command line.

use stack_seal::age::{HeaderError, OpenError};

use crate::command_error::{CommandError, Kind};

/// The error for a sealed file that does not open.
pub(crate) fn cannot_open(what: &str, error: OpenError) -> CommandError {
    let (kind, code, hint) = match &error {
        OpenError::Io(_) | OpenError::Target(_) => {
            (Kind::Machine, "io", "look at the disk, and at who may read and write there")
        }
        OpenError::NoIdentity => (
            Kind::Closed,
            "no-identity",
            "name another identity with --identity, or ask for it to be sealed for you",
        ),
        OpenError::WrongPassphrase => (Kind::Closed, "wrong-passphrase", "try again"),
        OpenError::Header(HeaderError::TooCostly { .. }) => {
            (Kind::Closed, "kdf-too-costly", "seal it again with less costly parameters")
        }
        OpenError::Header(_) | OpenError::TooLong(_) => {
            (Kind::Malformed, "bad-age-header", "fetch it again from where it came from")
        }
        OpenError::HeaderMac | OpenError::Payload(_) => {
            (Kind::Differs, "bad-tag", "fetch it again from where it came from")
        }
    };
    CommandError::new(kind, format!("{what} does not open")).reason(code).caused(error).hint(hint)
}
