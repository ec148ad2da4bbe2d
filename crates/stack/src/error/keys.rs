//! What goes wrong with identities, passphrases and sealed files, as a command tells it.

use std::io;

use stack_seal::age::{HeaderError, OpenError, PayloadError};
use stack_seal::keyfile::KeyFileError;
use stack_trust::home::HomeError;
use stack_trust::identity::IdentityError;
use stack_trust::passphrase::PassphraseError;
use stack_trust::recipients::RecipientsError;
use stack_trust::rekey::RekeyError;
use stack_trust::sealed::SealedError;

use super::{CommandError, Kind, kind_of, missing_or_io};

impl From<HomeError> for CommandError {
    fn from(error: HomeError) -> Self {
        let message = error.to_string();
        match error {
            HomeError::Unknown => Self::new(Kind::Usage, message)
                .hint("name one with --home DIR or STACK_HOME; HOME is not set either"),
            HomeError::Make { source, .. } => Self::new(Kind::Machine, message)
                .reason("io")
                .caused(source)
                .hint("check the permissions, or choose another home with --home DIR"),
        }
    }
}

impl From<PassphraseError> for CommandError {
    fn from(error: PassphraseError) -> Self {
        let message = error.to_string();
        match error {
            PassphraseError::Unset(_) | PassphraseError::Different => Self::new(Kind::Usage, message),
            PassphraseError::NoTerminal => Self::new(Kind::Usage, message)
                .hint("put it into an environment variable and pass its name with --password-env"),
            PassphraseError::Unreadable(source) => Self::new(Kind::Machine, message).caused(source),
            PassphraseError::Empty => {
                Self::new(Kind::Usage, message).hint("--no-passphrase stores the key without one")
            }
        }
    }
}

impl From<IdentityError> for CommandError {
    fn from(error: IdentityError) -> Self {
        let message = error.to_string();
        match error {
            IdentityError::BadName(_) => Self::new(Kind::Usage, message)
                .reason("bad-name")
                .hint("use letters, digits and . _ @ + -, for example alice@example.com"),
            IdentityError::Read { path, source } => {
                let code = missing_or_io(&source, "no-key");
                Self::reading(path.display(), source).reason(code)
            }
            IdentityError::Unknown { path, source, nearest } => {
                let code = missing_or_io(&source, "no-key");
                let hint = match nearest {
                    Some(known) => format!("the identity here is called {known}"),
                    None => "give a key, the path of a key file, or an identity made with `stack keygen --identity NAME`"
                        .to_owned(),
                };
                Self::reading(path.display(), source).reason(code).hint(hint)
            }
            IdentityError::List { folder, source } => Self::reading(folder.display(), source),
            IdentityError::Write { source, .. } => {
                let (kind, hint) = match source.kind() {
                    io::ErrorKind::AlreadyExists => (
                        Kind::Refused,
                        "move it away first; it is needed for what it signed and what was sealed for it",
                    ),
                    _ => (Kind::Machine, "check the permissions, or choose another folder with --out"),
                };
                Self::new(kind, message).reason("io").caused(source).hint(hint)
            }
            IdentityError::Open { source, .. } => {
                let (kind, code) = key_file_fault(&source);
                Self::new(kind, message).reason(code).caused(source)
            }
            IdentityError::Mismatch(_) => Self::new(Kind::Differs, message)
                .reason("bad-key")
                .hint("the key file is damaged or was exchanged; restore it from a backup"),
            IdentityError::NotAKey { source, .. } => Self::new(Kind::Malformed, message)
                .reason("bad-key")
                .caused(source)
                .hint("`stack keygen` prints public keys and writes them to .pub files"),
            IdentityError::NotARecipient(_) => {
                Self::new(Kind::Malformed, message).reason("bad-key").hint(RECIPIENT)
            }
            IdentityError::BadAgeKey { source, .. } => {
                Self::new(Kind::Malformed, message).reason("bad-key").caused(source)
            }
            IdentityError::Absent => Self::new(Kind::Closed, message)
                .reason("no-identity")
                .hint("create one with `stack keygen --identity NAME`"),
            IdentityError::Several(_) => {
                Self::new(Kind::Usage, message).hint("choose one with --identity NAME")
            }
            IdentityError::Home(error) => error.into(),
            IdentityError::Passphrase(error) => error.into(),
        }
    }
}

fn key_file_fault(error: &KeyFileError) -> (Kind, &'static str) {
    match error {
        KeyFileError::Sealed(OpenError::WrongPassphrase) => (Kind::Closed, "wrong-passphrase"),
        KeyFileError::NeedsPassphrase => (Kind::Closed, "no-identity"),
        KeyFileError::Sealed(OpenError::Header(HeaderError::TooCostly { .. })) => {
            (Kind::Closed, "kdf-too-costly")
        }
        KeyFileError::Randomness => (Kind::Machine, "io"),
        KeyFileError::TooLarge
        | KeyFileError::Line(_)
        | KeyFileError::Trailing
        | KeyFileError::Armor(_)
        | KeyFileError::Sealed(_) => (Kind::Malformed, "bad-key"),
    }
}

impl From<RecipientsError> for CommandError {
    fn from(error: RecipientsError) -> Self {
        let message = error.to_string();
        match error {
            RecipientsError::TooMany => Self::new(Kind::Limit, message).hint("seal it for one shared key"),
            RecipientsError::Line { source, .. } => {
                Self::new(Kind::Malformed, message).reason("bad-key").caused(source).hint(RECIPIENT)
            }
            RecipientsError::Identity(error) => error.into(),
        }
    }
}

impl From<SealedError> for CommandError {
    fn from(error: SealedError) -> Self {
        let message = error.to_string();
        match error {
            SealedError::Read { what, source } => Self::reading(what, source).reason("io"),
            SealedError::ArmorTooLong(_) => {
                Self::new(Kind::Limit, message).hint("seal it without armor: leave out `age -a`")
            }
            SealedError::Armor { source, .. } => Self::new(Kind::Malformed, message)
                .reason("bad-age-header")
                .caused(source)
                .hint("it is not a complete age file; get it again"),
            SealedError::Open { source, .. } => {
                let (kind, code, hint) = open_fault(&source);
                Self::new(kind, message).reason(code).caused(source).hint(hint)
            }
            SealedError::NoKey { tried, .. } => {
                let hint = format!(
                    "the identities here are {}; name another one, or the path of a key file, with --identity ID",
                    tried.join(", ")
                );
                let (kind, code, _) = open_fault(&OpenError::NoIdentity);
                Self::new(kind, message).reason(code).caused(OpenError::NoIdentity).hint(hint)
            }
            SealedError::Exists(_) => {
                Self::new(Kind::Usage, message).reason("exists").hint("choose a new file with -o")
            }
            SealedError::Write { source, .. } => Self::new(kind_of(&source), message)
                .reason(full_or_io(&source))
                .caused(source)
                .hint("check the permissions and the free disk space"),
            SealedError::Seal { source, .. } => Self::new(Kind::Machine, message)
                .reason(full_or_io(&source))
                .caused(source)
                .hint("check the disk and its free space"),
            SealedError::HoldsAnother { .. } => {
                Self::new(Kind::Differs, message).reason("digest-mismatch").hint(
                    "everybody who can open it could have made it; get it again, or seal the plain file again",
                )
            }
            SealedError::DamagedRecord(_) => Self::new(Kind::Malformed, message)
                .reason("bad-marks")
                .hint("remove it; what it was about then needs a signature, or to be sealed again"),
            SealedError::Unanchored(_) => {
                Self::new(Kind::Untrusted, message).reason("unknown-signer").hint(
                    "everybody who can open it could have made it; trust its signer with `stack trust add`, or look \
                     at what `stack decrypt` makes of it",
                )
            }
            SealedError::Identity(error) => error.into(),
            SealedError::Home(error) => error.into(),
        }
    }
}

/// Sorts the reasons for which a sealed file does not open, or only to a point.
fn open_fault(error: &OpenError) -> (Kind, &'static str, &'static str) {
    match error {
        OpenError::NoIdentity => {
            (Kind::Closed, "no-identity", "choose an identity it was sealed for with --identity ID")
        }
        OpenError::WrongPassphrase => {
            (Kind::Closed, "wrong-passphrase", "try again, or pass another variable with --password-env")
        }
        OpenError::Header(HeaderError::TooCostly { .. }) => {
            (Kind::Closed, "kdf-too-costly", "seal it again with the default passphrase cost")
        }
        OpenError::Header(_) => {
            (Kind::Malformed, "bad-age-header", "it is not a complete age file; get it again")
        }
        OpenError::TooLong(_) => (Kind::Limit, "length-mismatch", "split it into shards before sealing"),
        OpenError::Io(source) | OpenError::Payload(PayloadError::Io { source, .. }) => {
            (Kind::Machine, full_or_io(source), "check the disk and the permissions")
        }
        OpenError::Target(source) => {
            (Kind::Machine, full_or_io(source), "check the permissions and the free disk space")
        }
        OpenError::HeaderMac | OpenError::Payload(_) => {
            (Kind::Differs, "bad-tag", "it was modified or truncated after sealing; get it again")
        }
    }
}

impl From<RekeyError> for CommandError {
    fn from(error: RekeyError) -> Self {
        let message = error.to_string();
        match error {
            RekeyError::WithPassphrase => {
                Self::new(Kind::Usage, message).hint("list all new recipients with --recipient")
            }
            RekeyError::Unknown => {
                Self::new(Kind::Usage, message).hint("list all recipients with --recipient")
            }
            RekeyError::NotARecipient(_) => Self::new(Kind::Missing, message)
                .reason("no-key")
                .hint("`stack show NAME --manifest` lists the recipients"),
            RekeyError::Nobody => Self::new(Kind::Usage, message)
                .hint("add a recipient with --add first, or in the same command"),
        }
    }
}

fn full_or_io(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::StorageFull { "disk-full" } else { "io" }
}

const RECIPIENT: &str = "`stack keygen` prints one that begins with age1";

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
            let error = CommandError::from(SealedError::opening("m.age")(error));
            assert_eq!((error.kind().exit_code(), error.code()), (exit, Some(code)), "{error}");
        }
    }
}
