//! Identities on this machine: `keys/NAME.key`, which signs and opens, and `keys/NAME.pub` for others.

mod error;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use stack_seal::age::{KeyTextError, Passphrase, X25519Identity, X25519Recipient};
use stack_seal::key::{KeyKind, PublicKey};
use stack_seal::keyfile::{self, IdentityFile, PublicFile};
use zeroize::Zeroizing;

pub use error::IdentityError;

use crate::home::Home;
use crate::passphrase::PassphraseSource;
use crate::private_file::{self, FileMode};

/// Where an identity lies.
#[derive(Clone, Debug)]
pub struct IdentityPaths {
    /// The secret file.
    pub key: PathBuf,
    /// The public file.
    pub public: PathBuf,
}

impl IdentityPaths {
    /// Names the files of an identity in a folder.
    ///
    /// # Errors
    ///
    /// When the name could lead out of the folder, or be mistaken.
    pub fn new(folder: &Path, name: &str) -> Result<Self, IdentityError> {
        let plain = |character: char| character.is_ascii_alphanumeric() || "._@+-".contains(character);
        if name.is_empty() || name.len() > NAME_MAX || name.starts_with('.') || !name.chars().all(plain) {
            return Err(IdentityError::BadName(name.to_owned()));
        }
        Ok(Self { key: folder.join(format!("{name}.key")), public: folder.join(format!("{name}.{PUBLIC}")) })
    }

    /// Writes both files. What is there is kept: a lost key cannot be had back.
    ///
    /// # Errors
    ///
    /// When one of them is there, or the disk refuses.
    pub fn write(&self, key: &Zeroizing<String>, public: &PublicFile) -> Result<(), IdentityError> {
        for (path, text, mode) in [
            (&self.key, key.as_str(), FileMode::Private),
            (&self.public, public.to_string().as_str(), FileMode::Public),
        ] {
            private_file::create(path, text.as_bytes(), mode)
                .map_err(|source| IdentityError::Write { path: path.clone(), source })?;
        }
        Ok(())
    }
}

/// The secret file of an identity.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// Takes a path, at which there need be no such file.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// What the identity is called: the name of the file.
    pub fn name(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whether a passphrase has to be asked for.
    pub fn wants_passphrase(&self) -> bool {
        // What cannot be read is told when it is opened.
        read(&self.path).is_ok_and(|bytes| keyfile::is_sealed(&bytes))
    }

    /// For whom files are sealed that this identity opens, where its public file lies beside it.
    pub fn recipient(&self) -> Option<X25519Recipient> {
        self.public().map(|public| public.recipient)
    }

    /// Opens it as one of several; `None` where a passphrase was asked for and none was typed.
    ///
    /// # Errors
    ///
    /// When it cannot be read or opened, or nobody says the passphrase.
    pub fn open(&self, passphrases: &dyn PassphraseSource) -> Result<Option<IdentityFile>, IdentityError> {
        passphrases.entrusted();
        let bytes = read(&self.path)?;
        if !keyfile::is_sealed(&bytes) {
            return self.opened(&bytes, None, passphrases).map(Some);
        }
        let Some(passphrase) = passphrases.existing_or_none(&self.path.display().to_string())? else {
            return Ok(None);
        };
        self.opened(&bytes, Some(&passphrase), passphrases).map(Some)
    }

    fn opened(
        &self,
        bytes: &[u8],
        passphrase: Option<&Passphrase>,
        passphrases: &dyn PassphraseSource,
    ) -> Result<IdentityFile, IdentityError> {
        tell_exposures(&self.path, passphrases);
        let identity = IdentityFile::open(bytes, passphrase)
            .map_err(|source| IdentityError::Open { path: self.path.clone(), source })?;
        if self.public().is_some_and(|public| public.key != identity.signing().public()) {
            return Err(IdentityError::Mismatch(self.path.clone()));
        }
        Ok(identity)
    }

    /// Reads the public file beside it.
    fn public(&self) -> Option<PublicFile> {
        let bytes = read(&self.path.with_extension(PUBLIC)).ok()?;
        PublicFile::parse(&bytes).ok()
    }
}

/// Opens the identity that is named, or the only one there is.
///
/// # Errors
///
/// When there is no such identity, or it does not open.
pub fn open(
    home: &Home,
    named: Option<&str>,
    passphrases: &dyn PassphraseSource,
) -> Result<IdentityFile, IdentityError> {
    let file = match named {
        // A path to a key file is an identity, too.
        Some(path) if path.contains(['/', '\\']) => KeyFile::at(PathBuf::from(path)),
        Some(name) => KeyFile::at(IdentityPaths::new(&home.keys()?, name)?.key),
        None => only(home)?,
    };
    passphrases.entrusted();
    let bytes = read(&file.path);
    let bytes = match named {
        Some(name) => bytes.map_err(|error| suggest(error, home, name))?,
        None => bytes?,
    };
    let passphrase = if keyfile::is_sealed(&bytes) {
        Some(passphrases.existing(&file.path.display().to_string())?)
    } else {
        None
    };
    file.opened(&bytes, passphrase.as_ref(), passphrases)
}

/// Reads the keys of a file that `age-keygen` wrote, if a path leads to one.
///
/// # Errors
///
/// When the file holds keys and a line that is none.
pub fn age_keys(
    named: &str,
    passphrases: &dyn PassphraseSource,
) -> Result<Option<Vec<X25519Identity>>, IdentityError> {
    if !named.contains(['/', '\\']) {
        return Ok(None);
    }
    let path = Path::new(named);
    passphrases.entrusted();
    let Ok(bytes) = read(path) else { return Ok(None) };
    let Some(keys) = parse_age_keys(&bytes) else { return Ok(None) };
    tell_exposures(path, passphrases);
    keys.map(Some).map_err(|source| IdentityError::BadAgeKey { path: path.to_owned(), source })
}

/// Reads the keys of a file as `age-keygen` writes it; `None` where it is none. Lines with `#` are comments.
pub fn parse_age_keys(bytes: &[u8]) -> Option<Result<Vec<X25519Identity>, KeyTextError>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.clone().any(|line| line.starts_with(AGE_KEY)).then(|| lines.map(str::parse).collect())
}

/// Lists the identities of this machine by name.
///
/// # Errors
///
/// When it is not known where they are, or the disk refuses.
pub fn all(home: &Home) -> Result<Vec<KeyFile>, IdentityError> {
    let folder = home.keys()?;
    in_folder(&folder).map_err(|source| IdentityError::List { folder, source })
}

/// Lists the key files in a folder by name; a folder that is not there has none.
fn in_folder(folder: &Path) -> io::Result<Vec<KeyFile>> {
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
///
/// # Errors
///
/// When it is none of these.
pub fn public_key(home: &Home, text: &str) -> Result<PublicKey, IdentityError> {
    let not_a_key = |what: String| move |source| IdentityError::NotAKey { what, source };
    if let Some((kind, _)) = text.split_once(':')
        && KeyKind::from_name(kind).is_some()
    {
        return text.parse().map_err(not_a_key(text.to_owned()));
    }
    let path = public_path(home, text);
    let bytes = read(&path).map_err(|error| suggest(error, home, text))?;
    let text = String::from_utf8_lossy(&bytes);
    let not_a_key = not_a_key(path.display().to_string());
    if text.contains("-----BEGIN") {
        return PublicKey::from_pem(&text).map_err(not_a_key);
    }
    match PublicFile::parse(&bytes) {
        Ok(public) => Ok(public.key),
        Err(_) => text.trim_end().parse().map_err(not_a_key),
    }
}

/// Finds for whom a text says to seal: `age1…` itself, a file with it, or an identity on this machine.
///
/// # Errors
///
/// When it is none of these.
pub fn recipient(home: &Home, text: &str) -> Result<X25519Recipient, IdentityError> {
    let not_one = || IdentityError::NotARecipient(text.to_owned());
    if text.starts_with("age1") {
        return text.parse().map_err(|_| not_one());
    }
    let path = public_path(home, text);
    let bytes = read(&path).map_err(|error| suggest(error, home, text))?;
    match PublicFile::parse(&bytes) {
        Ok(public) => Ok(public.recipient),
        Err(_) => String::from_utf8_lossy(&bytes).trim_end().parse().map_err(|_| not_one()),
    }
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
fn only(home: &Home) -> Result<KeyFile, IdentityError> {
    let mut files = all(home)?;
    match (files.pop(), files.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(IdentityError::Absent),
        (Some(last), false) => {
            Err(IdentityError::Several(files.iter().chain([&last]).map(KeyFile::name).collect()))
        }
    }
}

/// Adds to an error about an identity that is not there which one may be meant.
fn suggest(error: IdentityError, home: &Home, name: &str) -> IdentityError {
    match error {
        IdentityError::Read { path, source } if is_missing(&source) => {
            let nearest = home.keys().ok().and_then(|folder| nearest(&folder, name));
            IdentityError::Unknown { path, source, nearest }
        }
        other => other,
    }
}

/// Finds what looks most like the name of an identity that is not there: `alice` for `alice@example.com`.
fn nearest(folder: &Path, name: &str) -> Option<String> {
    let files = in_folder(folder).ok()?;
    let names = files.iter().map(KeyFile::name);
    let person = |name: &str| name.split('@').next().unwrap_or(name).to_lowercase();
    let mut alike = names.filter(|known| person(known) == person(name));
    alike.next().filter(|_| alike.next().is_none())
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn tell_exposures(path: &Path, passphrases: &dyn PassphraseSource) {
    private_file::exposures(path).iter().for_each(|exposure| passphrases.exposed(exposure));
}

/// Reads a small file, which may hold a secret.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)
        .and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|source| IdentityError::Read { path: path.to_owned(), source })?;
    Ok(bytes)
}

const PUBLIC: &str = "pub";
const NAME_MAX: usize = 64;
/// How the keys of `age-keygen` begin.
const AGE_KEY: &str = "AGE-SECRET-KEY-1";
/// No key file is longer; a longer one fails to parse.
const BYTES_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_file_is_found_by_the_name_that_keygen_gave_it() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().to_owned());
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

    #[test]
    fn the_identity_that_is_meant_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("alice@example.com.key"), "").unwrap();
        assert_eq!(nearest(dir.path(), "alice").as_deref(), Some("alice@example.com"));
        assert_eq!(nearest(dir.path(), "Alice@hospital").as_deref(), Some("alice@example.com"));
        assert_eq!(nearest(dir.path(), "bob"), None);
        fs::write(dir.path().join("alice@hospital.key"), "").unwrap();
        assert_eq!(nearest(dir.path(), "alice"), None, "either may be meant");
    }

    #[test]
    fn only_files_with_a_key_of_age_are_files_of_age_keygen() {
        assert!(parse_age_keys(b"stack-identity v1\n").is_none() && parse_age_keys(b"\xFF").is_none());
        let key = X25519Identity::generate(&mut |bytes: &mut [u8]| bytes.fill(7));
        let text = format!("# created: today\n\n{}\n", key.to_text().as_str());
        assert_eq!(parse_age_keys(text.as_bytes()).unwrap().unwrap().len(), 1);
        assert!(parse_age_keys(format!("{text}x\n").as_bytes()).unwrap().is_err());
    }
}
