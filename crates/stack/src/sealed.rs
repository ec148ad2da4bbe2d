//! Sealed files: why one stays closed, in the terms of a command.

use std::io;

use stack_seal::age::{HeaderError, OpenError, PayloadError};

use crate::command_error::{CommandError, Kind};

/// The error for a sealed file that does not open, or only to a point. `what` names the file or the model.
pub(crate) fn cannot_open(what: &str, error: OpenError) -> CommandError {
    let (kind, code, hint) = match &error {
        OpenError::NoIdentity => {
            (Kind::Closed, "no-identity", "name an identity that it was sealed for with --identity ID")
        }
        OpenError::WrongPassphrase => {
            (Kind::Closed, "wrong-passphrase", "type it again, or name another variable with --password-env")
        }
        OpenError::Header(HeaderError::TooCostly { .. }) => {
            (Kind::Closed, "kdf-too-costly", "seal it again with a passphrase of the usual cost")
        }
        OpenError::Header(_) => {
            (Kind::Malformed, "bad-age-header", "it is no age file, or not all of one; get it again")
        }
        OpenError::TooLong(_) => (Kind::Limit, "length-mismatch", "cut it into shards before it is sealed"),
        OpenError::Io(source) | OpenError::Payload(PayloadError::Io { source, .. }) => {
            (Kind::Machine, code_of(source), "look at the disk, and at who may read it")
        }
        OpenError::Target(source) => {
            (Kind::Machine, code_of(source), "look at the space that is free, and at who may write there")
        }
        OpenError::HeaderMac | OpenError::Payload(_) => {
            (Kind::Differs, "bad-tag", "it was changed or cut after it was sealed; get it again")
        }
    };
    CommandError::new(kind, format!("{what} does not open")).reason(code).caused(error).hint(hint)
}

fn code_of(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::StorageFull { "disk-full" } else { "io" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_closed_changed_and_malformed_have_codes_of_their_own() {
        let costly = HeaderError::TooCostly { kind: "scrypt".to_owned() };
        let full = io::Error::from(io::ErrorKind::StorageFull);
        for (error, exit, code) in [
            (OpenError::NoIdentity, 10, "no-identity"),
            (OpenError::WrongPassphrase, 10, "wrong-passphrase"),
            (costly.into(), 10, "kdf-too-costly"),
            (HeaderError::Truncated.into(), 4, "bad-age-header"),
            (OpenError::HeaderMac, 5, "bad-tag"),
            (PayloadError::ShortLastChunk.into(), 5, "bad-tag"),
            (OpenError::Target(full), 1, "disk-full"),
        ] {
            let error = cannot_open("m.age", error);
            assert_eq!((error.kind().exit_code(), error.code()), (exit, Some(code)), "{error}");
        }
    }
}
