//! Identity files: the two secrets of a person or a machine, and the two public keys that follow from them.
//!
//! ```text
//! stack-identity v1
//! name alice@hospital
//! created 2026-11-21T15:30:00Z
//! sign ed25519 <64 hex>
//! open AGE-SECRET-KEY-1…
//! ```
//!
//! On disk these lines are an armored age file whose only stanza is Argon2id's, or plain where somebody asked for no
//! passphrase. The public file has two lines, `ed25519:…` and `age1…`.

use std::error::Error;
use std::fmt;

use zeroize::Zeroizing;

use crate::age::armor::{self, ArmorError};
use crate::age::{
    Cost, OpenError, Passphrase, Random, X25519Identity, X25519Recipient, open_identity_file,
    seal_identity_file,
};
use crate::hex;
use crate::key::{KeyKind, PublicKey, SigningKey};
use crate::time::UnixTime;

/// Who somebody is: a name, a key that signs, a key that opens.
#[derive(Debug)]
pub struct IdentityFile {
    name: String,
    created: UnixTime,
    signing: SigningKey,
    opening: X25519Identity,
}

impl IdentityFile {
    /// Makes a new identity with fresh keys.
    ///
    /// # Errors
    ///
    /// When the name is empty, longer than 128 bytes, or has blanks or control characters; when `random` cannot be
    /// random.
    pub fn generate(
        name: &str,
        created: UnixTime,
        kind: KeyKind,
        random: &mut Random<'_>,
    ) -> Result<Self, KeyFileError> {
        if !is_name(name) {
            return Err(KeyFileError::Line("name"));
        }
        let mut secret = Zeroizing::new(vec![0; kind.secret_len()]);
        // The curves refuse one try in 2³²; four in a row are no accident.
        let signing = (0..4)
            .find_map(|_| {
                random(&mut secret);
                SigningKey::from_secret(kind, &secret).ok()
            })
            .ok_or(KeyFileError::Randomness)?;
        let opening = X25519Identity::generate(random);
        Ok(Self { name: name.to_owned(), created, signing, opening })
    }

    /// Reads a file; `passphrase` is needed where [`is_sealed`] says so, and not looked at elsewhere.
    ///
    /// # Errors
    ///
    /// When it is not an identity file, or the passphrase is missing or wrong.
    pub fn open(file: &[u8], passphrase: Option<&Passphrase>) -> Result<Self, KeyFileError> {
        if file.len() > FILE_MAX {
            return Err(KeyFileError::TooLarge);
        }
        if !is_sealed(file) {
            return Self::parse(file);
        }
        let sealed = armor::decode(file).map_err(KeyFileError::Armor)?;
        let passphrase = passphrase.ok_or(KeyFileError::NeedsPassphrase)?;
        Self::parse(&open_identity_file(&sealed, passphrase).map_err(KeyFileError::Sealed)?)
    }

    /// Writes the file, sealed with a passphrase.
    pub fn seal(&self, passphrase: &Passphrase, random: &mut Random<'_>) -> String {
        armor::encode(&seal_identity_file(self.to_plain().as_bytes(), passphrase, Cost::WRITTEN, random))
    }

    /// Writes the file without a passphrase: whoever reads it is this identity.
    pub fn to_plain(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(hex::encode(&self.signing.secret()));
        let opening = self.opening.to_text();
        Zeroizing::new(format!(
            "{FIRST}\nname {}\ncreated {}\nsign {} {}\nopen {}\n",
            self.name,
            self.created,
            self.signing.kind().name(),
            secret.as_str(),
            opening.as_str(),
        ))
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the time at which the keys were made.
    pub fn created(&self) -> UnixTime {
        self.created
    }

    /// Returns the key that signs.
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// Returns the key that opens.
    pub fn opening(&self) -> &X25519Identity {
        &self.opening
    }

    /// Gives up everything but the key that opens.
    pub fn into_opening(self) -> X25519Identity {
        self.opening
    }

    /// Returns what others may know.
    pub fn public(&self) -> PublicFile {
        PublicFile { key: self.signing.public(), recipient: self.opening.recipient() }
    }

    fn parse(plain: &[u8]) -> Result<Self, KeyFileError> {
        let text = std::str::from_utf8(plain).map_err(|_| KeyFileError::Line("stack-identity"))?;
        let mut lines = text.lines();
        if lines.next() != Some(FIRST) {
            return Err(KeyFileError::Line("stack-identity"));
        }
        let mut field = |name: &'static str| {
            let line = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.ok_or(KeyFileError::Line(name))
        };
        let name = field("name")?;
        if !is_name(name) {
            return Err(KeyFileError::Line("name"));
        }
        let created = field("created")?.parse().map_err(|_| KeyFileError::Line("created"))?;
        let signing = parse_signing(field("sign")?).ok_or(KeyFileError::Line("sign"))?;
        let opening = field("open")?.parse().map_err(|_| KeyFileError::Line("open"))?;
        if lines.next().is_some() {
            return Err(KeyFileError::Trailing);
        }
        Ok(Self { name: name.to_owned(), created, signing, opening })
    }
}

/// Tells whether an identity file is sealed with a passphrase.
pub fn is_sealed(file: &[u8]) -> bool {
    armor::is_armored(file)
}

/// The public half of an identity: two lines that may be given to anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicFile {
    /// The key that checks signatures.
    pub key: PublicKey,
    /// The key that models are sealed for.
    pub recipient: X25519Recipient,
}

impl PublicFile {
    /// Reads the two lines.
    ///
    /// # Errors
    ///
    /// When there are other lines, or they are not keys.
    pub fn parse(file: &[u8]) -> Result<Self, KeyFileError> {
        if file.len() > FILE_MAX {
            return Err(KeyFileError::TooLarge);
        }
        let mut lines = std::str::from_utf8(file).map_err(|_| KeyFileError::Line("key"))?.lines();
        let key = lines.next().and_then(|line| line.parse().ok()).ok_or(KeyFileError::Line("key"))?;
        let recipient = lines.next().and_then(|line| line.parse().ok());
        let recipient = recipient.ok_or(KeyFileError::Line("age1"))?;
        if lines.next().is_some() { Err(KeyFileError::Trailing) } else { Ok(Self { key, recipient }) }
    }
}

impl fmt::Display for PublicFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n", self.key, self.recipient)
    }
}

fn parse_signing(line: &str) -> Option<SigningKey> {
    let (kind, secret) = line.split_once(' ')?;
    let kind = KeyKind::from_name(kind)?;
    let signing = match kind {
        KeyKind::Ed25519 | KeyKind::P256 => {
            SigningKey::from_secret(kind, &*Zeroizing::new(hex::decode::<32>(secret)?))
        }
        KeyKind::P384 => SigningKey::from_secret(kind, &*Zeroizing::new(hex::decode::<48>(secret)?)),
    };
    signing.ok()
}

fn is_name(text: &str) -> bool {
    (1..=NAME_MAX).contains(&text.len()) && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Why something is not an identity file, or stays closed.
#[derive(Debug)]
pub enum KeyFileError {
    /// It is longer than such files are.
    TooLarge,
    /// The line that should begin like this is missing or wrong.
    Line(&'static str),
    /// Something follows the last line.
    Trailing,
    /// It is sealed, and no passphrase was given.
    NeedsPassphrase,
    /// Its armor is damaged.
    Armor(ArmorError),
    /// It does not open.
    Sealed(OpenError),
    /// The source of randomness gives nothing of use.
    Randomness,
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "key files have at most {FILE_MAX} bytes"),
            Self::Line(name) => write!(f, "the line `{name} …` of the key file is missing or malformed"),
            Self::Trailing => f.write_str("data after the last line of the key file"),
            Self::NeedsPassphrase => f.write_str("the key file is sealed with a passphrase"),
            Self::Armor(error) => error.fmt(f),
            Self::Sealed(error) => error.fmt(f),
            Self::Randomness => f.write_str("the system's random number generator is broken"),
        }
    }
}

impl Error for KeyFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Its text is this error's text.
            Self::Sealed(error) => error.source(),
            _ => None,
        }
    }
}

const FIRST: &str = "stack-identity v1";
const NAME_MAX: usize = 128;
const FILE_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that differ from call to call, and are the same for every test.
    fn counting() -> impl FnMut(&mut [u8]) {
        let mut next = 0u8;
        move |bytes| {
            for byte in bytes {
                next = next.wrapping_add(1);
                *byte = next;
            }
        }
    }

    const CREATED: &str = "2026-11-21T15:30:00Z";

    fn identity(kind: KeyKind) -> IdentityFile {
        IdentityFile::generate("alice@hospital", CREATED.parse().unwrap(), kind, &mut counting()).unwrap()
    }

    #[test]
    fn every_kind_of_key_returns() {
        for kind in KeyKind::ALL {
            let made = identity(kind);
            let read = IdentityFile::open(made.to_plain().as_bytes(), None).unwrap();
            assert_eq!(read.to_plain(), made.to_plain());
            assert_eq!((read.name(), read.created().to_string().as_str()), ("alice@hospital", CREATED));
            let public = made.public();
            assert_eq!(PublicFile::parse(public.to_string().as_bytes()).unwrap(), public);
        }
    }

    #[test]
    fn a_sealed_file_opens_with_its_passphrase_alone() {
        let passphrase = |text: &str| Passphrase::new(Zeroizing::new(text.to_owned()));
        let made = identity(KeyKind::Ed25519);
        let sealed = made.seal(&passphrase("right"), &mut counting());
        assert!(!sealed.contains("SECRET") && is_sealed(sealed.as_bytes()));
        let read = IdentityFile::open(sealed.as_bytes(), Some(&passphrase("right"))).unwrap();
        assert_eq!(read.to_plain(), made.to_plain());
        let wrong = IdentityFile::open(sealed.as_bytes(), Some(&passphrase("wrong"))).unwrap_err();
        assert!(matches!(wrong, KeyFileError::Sealed(OpenError::WrongPassphrase)));
        let none = IdentityFile::open(sealed.as_bytes(), None).unwrap_err();
        assert!(matches!(none, KeyFileError::NeedsPassphrase));
    }

    #[test]
    fn a_wrong_line_is_named() {
        let plain = identity(KeyKind::Ed25519).to_plain();
        for (from, to, line) in [
            ("v1", "v2", "stack-identity"),
            ("name alice", "nome alice", "name"),
            ("alice@", "alice @", "name"),
            ("2026-", "26-", "created"),
            ("ed25519", "ed448", "sign"),
            ("sign ed25519 0", "sign ed25519 ", "sign"),
            ("AGE-", "age-", "open"),
        ] {
            let damaged = plain.replacen(from, to, 1);
            let error = IdentityFile::open(damaged.as_bytes(), None).unwrap_err();
            assert!(matches!(error, KeyFileError::Line(found) if found == line), "{from}: {error}");
        }
        let longer = format!("{}x", plain.as_str());
        assert!(matches!(IdentityFile::open(longer.as_bytes(), None), Err(KeyFileError::Trailing)));
        let huge = vec![b'x'; FILE_MAX + 1];
        assert!(matches!(IdentityFile::open(&huge, None), Err(KeyFileError::TooLarge)));
    }

    #[test]
    fn secrets_are_not_shown() {
        assert!(!format!("{:?}", identity(KeyKind::P256)).contains("010203"));
    }
}
