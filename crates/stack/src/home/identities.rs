//! Identities on this machine: `keys/NAME.key`, which signs and opens, and `keys/NAME.pub` for others.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use stack_seal::age::{HeaderError, OpenError, Passphrase, X25519Identity, X25519Recipient};
use stack_seal::key::PublicKey;
use stack_seal::keyfile::{self, IdentityFile, KeyFileError, PublicFile};
use zeroize::Zeroizing;

use crate::error::{CommandError, Kind};
use crate::home::Home;
use crate::home::private_file::{self, Existing, Readers};
use crate::sealing::keyring;
use crate::terminal::passphrase::PassphraseArguments;

/// Where an identity lies.
#[derive(Clone, Debug)]
pub(crate) struct IdentityPaths {
    /// The secret file.
    pub(crate) key: PathBuf,
    /// The public file.
    pub(crate) public: PathBuf,
}

impl IdentityPaths {
    /// Names the files of an identity in a folder.
    pub(crate) fn new(folder: &Path, name: &str) -> Result<Self, CommandError> {
        let plain = |character: char| character.is_ascii_alphanumeric() || "._@+-".contains(character);
        if name.is_empty() || name.len() > NAME_MAX || name.starts_with('.') || !name.chars().all(plain) {
            let message = format!("{name:?} is not a valid identity name");
            return Err(CommandError::new(Kind::Usage, message)
                .reason("bad-name")
                .hint("use letters, digits and . _ @ + -, for example alice@example.com"));
        }
        Ok(Self { key: folder.join(format!("{name}.key")), public: folder.join(format!("{name}.{PUBLIC}")) })
    }

    /// Writes both files. What is there is kept: a lost key cannot be had back.
    pub(crate) fn write(&self, key: &Zeroizing<String>, public: &PublicFile) -> Result<(), CommandError> {
        for (path, text, readers) in [
            (&self.key, key.as_str(), Readers::Owner),
            (&self.public, public.to_string().as_str(), Readers::Everyone),
        ] {
            private_file::write(path, text.as_bytes(), readers, Existing::Keep).map_err(|error| {
                let exists = error.kind() == io::ErrorKind::AlreadyExists;
                let (kind, hint) = if exists {
                    (
                        Kind::Refused,
                        "move it away first; it is needed for what it signed and what was sealed for it",
                    )
                } else {
                    (Kind::Machine, "check the permissions, or choose another folder with --out")
                };
                CommandError::new(kind, format!("{} cannot be written", path.display()))
                    .reason("io")
                    .caused(error)
                    .hint(hint)
            })?;
        }
        Ok(())
    }
}

/// The secret file of an identity.
#[derive(Clone, Debug)]
pub(crate) struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// Takes a path, at which there need be no such file.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// What the identity is called: the name of the file.
    pub(crate) fn name(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whether a passphrase has to be asked for.
    pub(crate) fn wants_passphrase(&self) -> bool {
        // What cannot be read is told when it is opened.
        read(&self.path).is_ok_and(|bytes| keyfile::is_sealed(&Zeroizing::new(bytes)))
    }

    /// For whom files are sealed that this identity opens, where its public file lies beside it.
    pub(crate) fn recipient(&self) -> Option<X25519Recipient> {
        let bytes = read(&self.path.with_extension(PUBLIC)).ok()?;
        PublicFile::parse(&bytes).ok().map(|public| public.recipient)
    }

    /// Opens it as one of several; `None` where a passphrase was asked for and none was typed.
    pub(crate) fn open(
        &self,
        passphrase: &PassphraseArguments,
    ) -> Result<Option<IdentityFile>, CommandError> {
        let bytes = Zeroizing::new(read(&self.path)?);
        if !keyfile::is_sealed(&bytes) {
            return self.opened(&bytes, None).map(Some);
        }
        let Some(passphrase) = passphrase.existing_or_none(&self.path.display().to_string())? else {
            return Ok(None);
        };
        self.opened(&bytes, Some(&passphrase)).map(Some)
    }

    fn opened(&self, bytes: &[u8], passphrase: Option<&Passphrase>) -> Result<IdentityFile, CommandError> {
        private_file::warn_of_readers(&self.path);
        let identity =
            IdentityFile::open(bytes, passphrase).map_err(|error| cannot_open(&self.path, error))?;
        let public = read(&self.path.with_extension(PUBLIC)).ok();
        let public = public.and_then(|bytes| PublicFile::parse(&bytes).ok());
        if public.is_some_and(|public| public.key != identity.signing().public()) {
            let message = format!("{} does not belong to the public key beside it", self.path.display());
            return Err(CommandError::new(Kind::Differs, message)
                .reason("bad-key")
                .hint("the key file is damaged or was exchanged; restore it from a backup"));
        }
        Ok(identity)
    }
}

/// Opens the identity that is named, or the only one there is.
pub(crate) fn open(
    home: &Home,
    named: Option<&str>,
    passphrase: &PassphraseArguments,
) -> Result<IdentityFile, CommandError> {
    let file = match named {
        // A path to a key file is an identity, too.
        Some(path) if path.contains(['/', '\\']) => KeyFile::at(PathBuf::from(path)),
        Some(name) => KeyFile::at(IdentityPaths::new(&home.keys()?, name)?.key),
        None => only(home)?,
    };
    let bytes = read(&file.path);
    let bytes = Zeroizing::new(match named {
        Some(name) => bytes.map_err(|error| keyring::suggest(error, home, name))?,
        None => bytes?,
    });
    let passphrase = if keyfile::is_sealed(&bytes) {
        Some(passphrase.existing(&file.path.display().to_string())?)
    } else {
        None
    };
    file.opened(&bytes, passphrase.as_ref())
}

/// Reads the keys of a file that `age-keygen` wrote, if a path leads to one.
pub(crate) fn age_keys(named: &str) -> Result<Option<Vec<X25519Identity>>, CommandError> {
    if !named.contains(['/', '\\']) {
        return Ok(None);
    }
    let path = Path::new(named);
    let Ok(bytes) = read(path).map(Zeroizing::new) else { return Ok(None) };
    let Ok(text) = std::str::from_utf8(&bytes) else { return Ok(None) };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    if !lines.clone().any(|line| line.starts_with(AGE_KEY)) {
        return Ok(None);
    }
    private_file::warn_of_readers(path);
    let keys = lines.map(str::parse).collect::<Result<Vec<X25519Identity>, _>>();
    keys.map(Some).map_err(|error| {
        CommandError::new(Kind::Malformed, format!("{} holds a line that is no key", path.display()))
            .reason("bad-key")
            .caused(error)
    })
}

/// Lists the identities of this machine by name.
pub(crate) fn all(home: &Home) -> Result<Vec<KeyFile>, CommandError> {
    let folder = home.keys()?;
    in_folder(&folder).map_err(|error| CommandError::reading(folder.display(), error))
}

/// Lists the key files in a folder by name; a folder that is not there has none.
pub(crate) fn in_folder(folder: &Path) -> io::Result<Vec<KeyFile>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries.collect::<io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension() == Some(OsStr::new("key")));
    paths.sort();
    Ok(paths.into_iter().map(KeyFile::at).collect())
}

/// Finds the public key that a text means: the key itself, a file with it, or an identity on this machine.
pub(crate) fn public_key(home: &Home, text: &str) -> Result<PublicKey, CommandError> {
    if let Some((kind, _)) = text.split_once(':')
        && stack_seal::key::KeyKind::from_name(kind).is_some()
    {
        return text.parse().map_err(|error| not_a_key(text, error));
    }
    let path = public_path(home, text);
    let bytes = read(&path).map_err(|error| keyring::suggest(error, home, text))?;
    let text = String::from_utf8_lossy(&bytes);
    if text.contains("-----BEGIN") {
        return PublicKey::from_pem(&text).map_err(|error| not_a_key(path.display(), error));
    }
    match PublicFile::parse(&bytes) {
        Ok(public) => Ok(public.key),
        Err(_) => text.trim_end().parse().map_err(|error| not_a_key(path.display(), error)),
    }
}

/// Finds for whom a text says to seal: `age1…` itself, a file with it, or an identity on this machine.
pub(crate) fn recipient(home: &Home, text: &str) -> Result<X25519Recipient, CommandError> {
    let not_one = |text: &str| {
        CommandError::new(Kind::Malformed, format!("{text} is not a recipient"))
            .reason("bad-key")
            .hint("`stack keygen` prints one that begins with age1")
    };
    if text.starts_with("age1") {
        return text.parse().map_err(|_| not_one(text));
    }
    let path = public_path(home, text);
    let bytes = read(&path).map_err(|error| keyring::suggest(error, home, text))?;
    match PublicFile::parse(&bytes) {
        Ok(public) => Ok(public.recipient),
        Err(_) => String::from_utf8_lossy(&bytes).trim_end().parse().map_err(|_| not_one(text)),
    }
}

fn not_a_key(what: impl std::fmt::Display, error: stack_seal::key::KeyError) -> CommandError {
    CommandError::new(Kind::Malformed, format!("{what} is not a public key"))
        .reason("bad-key")
        .caused(error)
        .hint("`stack keygen` prints public keys and writes them to .pub files")
}

/// Finds the public file that a text means: that of an identity on this machine, by its name or by the name of the file
/// that `stack keygen` wrote, else the file at this path.
fn public_path(home: &Home, text: &str) -> PathBuf {
    let named = |name: &str| Some(IdentityPaths::new(&home.keys().ok()?, name).ok()?.public);
    let own = named(text).filter(|path| path.exists());
    let path = PathBuf::from(text);
    let file =
        text.strip_suffix(".pub").filter(|_| !path.exists()).and_then(named).filter(|path| path.exists());
    own.or(file).unwrap_or(path)
}

/// Finds the only identity.
fn only(home: &Home) -> Result<KeyFile, CommandError> {
    let mut files = all(home)?;
    match (files.pop(), files.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(CommandError::new(Kind::Closed, "no identity on this machine")
            .reason("no-identity")
            .hint("create one with `stack keygen --identity NAME`")),
        (Some(last), false) => {
            let names: Vec<String> = files.iter().chain([&last]).map(KeyFile::name).collect();
            let message = format!("there are several identities: {}", names.join(", "));
            Err(CommandError::new(Kind::Usage, message).hint("choose one with --identity NAME"))
        }
    }
}

/// Reads a small file.
fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes)).map_err(|error| {
        let code = if error.kind() == io::ErrorKind::NotFound { "no-key" } else { "io" };
        CommandError::reading(path.display(), error).reason(code)
    })?;
    Ok(bytes)
}

fn cannot_open(path: &Path, error: KeyFileError) -> CommandError {
    let message = format!("the key file {} cannot be opened", path.display());
    let (kind, code) = match &error {
        KeyFileError::Sealed(OpenError::WrongPassphrase) => (Kind::Closed, "wrong-passphrase"),
        KeyFileError::NeedsPassphrase => (Kind::Closed, "no-identity"),
        KeyFileError::Sealed(OpenError::Header(HeaderError::TooCostly { .. })) => {
            (Kind::Closed, "kdf-too-costly")
        }
        KeyFileError::Randomness => (Kind::Machine, "io"),
        _ => (Kind::Malformed, "bad-key"),
    };
    CommandError::new(kind, message).reason(code).caused(error)
}

const PUBLIC: &str = "pub";
const NAME_MAX: usize = 64;
/// No key file is longer; a longer one fails to parse.
/// How the keys of `age-keygen` begin.
const AGE_KEY: &str = "AGE-SECRET-KEY-1";
const BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::HomeArguments;

    #[test]
    fn a_public_file_is_found_by_the_name_that_keygen_gave_it() {
        let dir = tempfile::tempdir().unwrap();
        let home = HomeArguments::at(dir.path()).home().unwrap();
        home.make(&home.keys().unwrap()).unwrap();
        let file = home.keys().unwrap().join("alice@example.com.pub");
        fs::write(&file, "").unwrap();
        assert_eq!(public_path(&home, "alice@example.com"), file);
        assert_eq!(public_path(&home, "alice@example.com.pub"), file);
        assert_eq!(public_path(&home, "bob.pub"), Path::new("bob.pub"));
        assert_eq!(public_path(&home, "keys/alice@example.com.pub"), Path::new("keys/alice@example.com.pub"));
    }

    #[test]
    fn names_of_identities_stay_in_their_folder() {
        let folder = Path::new("keys");
        let paths = IdentityPaths::new(folder, "alice@example.com").unwrap();
        assert_eq!(paths.key, Path::new("keys/alice@example.com.key"));
        for name in ["", ".", "..", "../x", "a/b", "a\\b", "a b", "a\n", ".hidden", &"a".repeat(65)] {
            assert!(IdentityPaths::new(folder, name).is_err(), "{name:?}");
        }
    }
}
