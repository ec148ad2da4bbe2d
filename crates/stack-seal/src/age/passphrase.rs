//! Passphrases: scrypt for files that travel.

use std::fmt;

use scrypt::Params;
use zeroize::Zeroizing;

use super::file_key::FileKey;
use super::stanza::{self, Stanza};
use super::{HeaderError, Random};

/// What a person remembers. Its memory is wiped when it goes; it is never shown.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes it as it was typed.
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Wraps a file key at the cost that we write.
    pub(super) fn wrap(&self, file_key: &FileKey, random: &mut Random<'_>) -> Stanza {
        let mut salt = [0; SALT];
        random(&mut salt);
        let body = file_key.wrap(&self.scrypt(&salt, LOG_N));
        Stanza::new(&[KIND, &stanza::encode(&salt), &LOG_N.to_string()], &body)
    }

    /// Unwraps the file key, if this is the right passphrase.
    pub(super) fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>, HeaderError> {
        let ([salt, log_n], body) = stanza.parts()?;
        let salt = stanza.bytes(salt)?;
        let log_n = stanza.number(log_n)?;
        match u8::try_from(log_n) {
            Ok(log_n) if log_n <= LOG_N_MAX => Ok(FileKey::unwrap(body, &self.scrypt(&salt, log_n))),
            _ => Err(HeaderError::TooCostly { kind: KIND.to_owned() }),
        }
    }

    fn scrypt(&self, salt: &[u8; SALT], log_n: u8) -> Zeroizing<[u8; 32]> {
        let params = Params::new(log_n, 8, 1).expect("log N is at most 20");
        let mut key = Zeroizing::new([0; 32]);
        let salt = [LABEL.as_bytes(), salt].concat();
        scrypt::scrypt(self.as_bytes(), &salt, &params, &mut *key).expect("scrypt gives 32 bytes");
        key
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// The kind of this stanza, which must be alone in its header.
pub(super) const KIND: &str = "scrypt";

/// The bytes of a salt, for every kind of passphrase.
pub(super) const SALT: usize = 16;

/// What we write: 256 MiB, and about 0.7 s.
const LOG_N: u8 = 18;

/// What we accept: 1 GiB.
const LOG_N_MAX: u8 = 20;

const LABEL: &str = "age-encryption.org/v1/scrypt";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_checked_before_memory_is_taken() {
        let salt = stanza::encode(&[0; SALT]);
        let passphrase = Passphrase::new(Zeroizing::new("x".to_owned()));
        for log_n in ["21", "23", "64", "255", "256", "4294967295"] {
            let stanza = Stanza::new(&[KIND, &salt, log_n], &[0; 32]);
            let error = passphrase.unwrap(&stanza).unwrap_err();
            assert_eq!(error, HeaderError::TooCostly { kind: KIND.to_owned() }, "{log_n}");
        }
        for log_n in ["0", "010", "+9", "-1", "9 ", "4294967296", ""] {
            let stanza = Stanza::new(&[KIND, &salt, log_n], &[0; 32]);
            let error = passphrase.unwrap(&stanza).unwrap_err();
            assert_eq!(error, HeaderError::Stanza { kind: KIND.to_owned() }, "{log_n}");
        }
    }
}
