//! Who may open a file, and who tries to.

use super::file_key::FileKey;
use super::header::Header;
use super::stanza::Stanza;
use super::{
    HeaderError, OpenError, Passphrase, Random, X25519Identity, X25519Recipient, passphrase, x25519,
};

/// Something that may open a file.
#[derive(Debug)]
pub enum Identity {
    /// A key.
    X25519(X25519Identity),
    /// What a person remembers.
    Passphrase(Passphrase),
}

/// For whom a file is sealed. A passphrase is always alone: whoever knows it could otherwise pose as one of the others.
#[derive(Debug)]
pub enum Recipients {
    /// The owners of these keys, at least one.
    Keys(X25519Recipient, Vec<X25519Recipient>),
    /// Whoever knows this.
    Passphrase(Passphrase),
}

impl Recipients {
    /// Takes keys, or `None` where there are none.
    pub fn keys(keys: impl IntoIterator<Item = X25519Recipient>) -> Option<Self> {
        let mut keys = keys.into_iter();
        keys.next().map(|first| Self::Keys(first, keys.collect()))
    }

    /// Makes the header that wraps a file key for all of them.
    pub(super) fn header(&self, file_key: &FileKey, random: &mut Random<'_>) -> Header {
        let stanzas = match self {
            Self::Keys(first, others) => {
                [first].into_iter().chain(others).map(|key| key.wrap(file_key, random)).collect()
            }
            Self::Passphrase(passphrase) => vec![passphrase.wrap(file_key, random)],
        };
        Header::new(stanzas, file_key)
    }
}

/// Finds the file key with the first identity that fits, and checks the header under it.
pub(super) fn unwrap(header: &Header, identities: &[Identity]) -> Result<FileKey, OpenError> {
    let asks_for_passphrase = header.stanzas.iter().any(|stanza| stanza.kind() == passphrase::KIND);
    if asks_for_passphrase && header.stanzas.len() > 1 {
        return Err(HeaderError::NotAlone { kind: passphrase::KIND.to_owned() }.into());
    }
    for identity in identities {
        for stanza in &header.stanzas {
            if let Some(file_key) = identity.unwrap(stanza)? {
                return header.confirm(file_key);
            }
        }
    }
    let passphrase_tried = identities.iter().any(|identity| matches!(identity, Identity::Passphrase(_)));
    Err(if asks_for_passphrase && passphrase_tried {
        OpenError::WrongPassphrase
    } else {
        OpenError::NoIdentity
    })
}

impl Identity {
    fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>, HeaderError> {
        match (self, stanza.kind()) {
            (Self::X25519(key), x25519::KIND) => key.unwrap(stanza),
            (Self::Passphrase(passphrase), passphrase::KIND) => passphrase.unwrap(stanza),
            _ => Ok(None),
        }
    }
}
