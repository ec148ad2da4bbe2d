//! Who can open a sealed file from now on.

use std::error::Error;
use std::fmt;

use stack_seal::age::{self, Header, Identity, OpenError, Random, Recipients, X25519Recipient};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct RekeyRequest {
    /// Exactly these, whoever could open it before; none where it goes by the others.
    pub exactly: Vec<X25519Recipient>,
    /// These as well.
    pub added: Vec<X25519Recipient>,
    /// These no longer.
    pub removed: Vec<X25519Recipient>,
    /// Whether everything is encrypted again, under a new file key.
    pub rotate: bool,
}

/// Who is to open a sealed file from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RekeyPlan {
    /// The same as before, whoever they are.
    Same,
    /// These, and all who could before.
    More(Vec<X25519Recipient>),
    /// Exactly these.
    Exactly(Vec<X25519Recipient>),
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RekeyError {
    /// It is sealed with a passphrase, which goes with no recipient.
    WithPassphrase,
    /// It is not known who can open it, and would have to be.
    Unknown,
    /// Somebody is to be removed who cannot open it.
    NotARecipient(X25519Recipient),
    /// Nobody would be left.
    Nobody,
}

impl RekeyPlan {
    /// Finds out what a request means for a file with this header, which is sealed for `known`, if that is known.
    ///
    /// # Errors
    ///
    /// When the request makes no sense for the file.
    pub fn new(
        request: &RekeyRequest,
        header: &Header,
        known: Option<&[X25519Recipient]>,
    ) -> Result<Self, RekeyError> {
        let RekeyRequest { exactly, added, removed, rotate } = request;
        if !exactly.is_empty() {
            return Ok(Self::Exactly(exactly.clone()));
        }
        if header.wants_passphrase() {
            let changes = !(added.is_empty() && removed.is_empty());
            return if changes { Err(RekeyError::WithPassphrase) } else { Ok(Self::Same) };
        }
        let Some(known) = known else {
            if *rotate || !removed.is_empty() {
                return Err(RekeyError::Unknown);
            }
            return Ok(if added.is_empty() { Self::Same } else { Self::More(added.clone()) });
        };
        if let Some(&stranger) = removed.iter().find(|key| !known.contains(key)) {
            return Err(RekeyError::NotARecipient(stranger));
        }
        let mut wanted: Vec<_> = known.iter().filter(|key| !removed.contains(key)).copied().collect();
        wanted.extend(added.iter().filter(|key| !known.contains(key)));
        if wanted.is_empty() {
            return Err(RekeyError::Nobody);
        }
        // New stanzas for everybody, so that nobody learns which ones stayed.
        Ok(if wanted == known && !rotate { Self::Same } else { Self::Exactly(wanted) })
    }

    /// Makes the header that they open, with a key that opens the old one.
    ///
    /// # Errors
    ///
    /// When the key does not open the old header.
    pub fn header(
        &self,
        old: &Header,
        key: &[Identity],
        random: &mut Random<'_>,
    ) -> Result<Header, OpenError> {
        match self {
            Self::Same => Ok(old.clone()),
            Self::More(added) => age::add_recipients(old, key, added, random),
            Self::Exactly(keys) => age::rekey(old, key, &recipients(keys), random),
        }
    }

    /// Returns who can open it then, as far as that is known.
    pub fn keys(&self, known: Option<&[X25519Recipient]>) -> Option<Vec<X25519Recipient>> {
        match self {
            Self::Same => known.map(<[_]>::to_vec),
            Self::More(_) => None,
            Self::Exactly(keys) => Some(keys.clone()),
        }
    }

    /// Returns for whom to seal everything anew; `None` asks for a new passphrase.
    ///
    /// # Errors
    ///
    /// When it is not known who all of them are.
    pub fn recipients(&self) -> Result<Option<Recipients>, RekeyError> {
        match self {
            Self::Exactly(keys) => Ok(Some(recipients(keys))),
            Self::Same => Ok(None),
            Self::More(_) => Err(RekeyError::Unknown),
        }
    }
}

/// The keys of a plan as recipients.
fn recipients(keys: &[X25519Recipient]) -> Recipients {
    Recipients::keys(keys.iter().copied()).expect("a plan for nobody is not made")
}

impl fmt::Display for RekeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WithPassphrase => {
                f.write_str("it is sealed with a passphrase, which cannot be combined with recipients")
            }
            Self::Unknown => {
                f.write_str("the recipients of this file are not known; age files do not name them")
            }
            Self::NotARecipient(key) => write!(f, "{key} is not a recipient"),
            Self::Nobody => f.write_str("no recipient would be left"),
        }
    }
}

impl Error for RekeyError {}

#[cfg(test)]
mod tests {
    use stack_seal::age::{Passphrase, X25519Identity, seal_bytes};
    use zeroize::Zeroizing;

    use super::*;

    fn recipient(seed: u8) -> X25519Recipient {
        X25519Identity::generate(&mut |bytes: &mut [u8]| bytes.fill(seed)).recipient()
    }

    fn header(recipients: &Recipients) -> Header {
        Header::parse(&seal_bytes(b"x", recipients, &mut |bytes: &mut [u8]| bytes.fill(3))).unwrap().0
    }

    #[test]
    fn plans_follow_from_what_is_known() {
        let [alice, bob, carol] = [1, 2, 3].map(recipient);
        let header = header(&recipients(&[alice, bob]));
        let plan = |request: &RekeyRequest, known: Option<&[X25519Recipient]>| {
            RekeyPlan::new(request, &header, known)
        };
        let known = Some(&[alice, bob][..]);
        let add = RekeyRequest { added: vec![carol], ..RekeyRequest::default() };
        assert_eq!(plan(&add, known), Ok(RekeyPlan::Exactly(vec![alice, bob, carol])));
        assert_eq!(plan(&add, None), Ok(RekeyPlan::More(vec![carol])));
        let remove = RekeyRequest { removed: vec![bob], ..RekeyRequest::default() };
        assert_eq!(plan(&remove, known), Ok(RekeyPlan::Exactly(vec![alice])));
        assert_eq!(plan(&remove, None), Err(RekeyError::Unknown));
        assert_eq!(plan(&remove, Some(&[alice])), Err(RekeyError::NotARecipient(bob)));
        assert_eq!(plan(&remove, Some(&[bob])), Err(RekeyError::Nobody));
        assert_eq!(plan(&RekeyRequest::default(), known), Ok(RekeyPlan::Same));
        let rotate = RekeyRequest { rotate: true, ..RekeyRequest::default() };
        assert_eq!(plan(&rotate, known), Ok(RekeyPlan::Exactly(vec![alice, bob])));
        assert_eq!(plan(&rotate, None), Err(RekeyError::Unknown));
    }

    #[test]
    fn a_passphrase_goes_with_no_recipient() {
        let secret = Passphrase::new(Zeroizing::new("secret".to_owned()));
        let header = header(&Recipients::Passphrase(secret));
        let add = RekeyRequest { added: vec![recipient(1)], ..RekeyRequest::default() };
        assert_eq!(RekeyPlan::new(&add, &header, None), Err(RekeyError::WithPassphrase));
        let rotate = RekeyRequest { rotate: true, ..RekeyRequest::default() };
        assert_eq!(RekeyPlan::new(&rotate, &header, None), Ok(RekeyPlan::Same));
        let exactly = RekeyRequest { exactly: vec![recipient(1)], ..RekeyRequest::default() };
        assert!(matches!(RekeyPlan::new(&exactly, &header, None), Ok(RekeyPlan::Exactly(_))));
    }
}
