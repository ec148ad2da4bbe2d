//! The file that a signature travels in: a Sigstore bundle v0.3 around a DSSE envelope.
//!
//! A bundle holds one payload and one signature over it. What it says about the key is a hint to find it among keys
//! that are known otherwise; nothing in a bundle makes a key trusted. Bundles that were signed with a certificate, or
//! through Sigstore's services, are refused by name: checking them needs authorities that we do not trust.

mod error;
mod wire;

use crate::key::{BadSignature, PublicKey, SigningKey};
use crate::revocation::Revocation;
use crate::statement::{Statement, StatementError};

pub use error::{BundleError, Unsigned};

/// A payload, a signature, and a hint whose it may be. Nothing in it is to be believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    hint: Hint,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// How a bundle helps to find its key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Hint {
    /// The SHA-256 of the key's PEM text.
    Digest(String),
    /// The key itself, as bundles before OMS 1.1 have it. It selects a known key; it is not one.
    Key(PublicKey),
}

/// What one can sign.
pub trait Payload: Sized {
    /// Reads it from the bytes that were signed.
    ///
    /// # Errors
    ///
    /// When the bytes are not such a payload.
    fn parse(bytes: &[u8]) -> Result<Self, StatementError>;

    /// The keys that it says will sign it; `None` where it does not say.
    fn signers(&self) -> Option<&[PublicKey]>;
}

/// A payload, and a key that has signed exactly these bytes. Only [`Bundle::open`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<T> {
    key: PublicKey,
    bytes: Vec<u8>,
    payload: T,
}

impl Bundle {
    /// Signs a payload.
    pub fn sign(payload: Vec<u8>, key: &SigningKey) -> Self {
        let signature = key.sign(&pae(&payload));
        Self { hint: Hint::Digest(key.public().hint()), payload, signature }
    }

    /// Reads a bundle.
    ///
    /// # Errors
    ///
    /// Says what is wrong, and names the method of bundles that are signed in another way.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        wire::parse(bytes)
    }

    /// Writes the bundle, as one line of JSON.
    pub fn to_json(&self) -> Vec<u8> {
        wire::write(self)
    }

    /// The signed bytes, of which nothing is known yet.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Whether the bundle says that this is its key.
    pub fn hints_at(&self, key: &PublicKey) -> bool {
        match &self.hint {
            Hint::Digest(hint) => *hint == key.hint(),
            Hint::Key(hint) => hint == key,
        }
    }

    /// Finds the key that made the signature, checks it, and reads the payload.
    ///
    /// The key is looked for among `known`, then among those that the payload itself names. So a signature by a
    /// stranger is told apart from a broken one; whether the key is trusted is for others to decide.
    ///
    /// # Errors
    ///
    /// When no such key is found, the signature does not hold, the payload is no `T`, or the payload names its
    /// signers and the key is not among them.
    pub fn open<T: Payload>(&self, known: &[PublicKey]) -> Result<Signed<T>, Unsigned> {
        let hinted = |keys: &[PublicKey]| keys.iter().find(|key| self.hints_at(key)).cloned();
        let key = match hinted(known) {
            Some(key) => key,
            None => hinted(T::parse(&self.payload)?.signers().unwrap_or_default()).ok_or(Unsigned::NoKey)?,
        };
        self.check(&key).map_err(|BadSignature| Unsigned::BadSignature(key.clone()))?;
        let payload = T::parse(&self.payload)?;
        if payload.signers().is_some_and(|signers| !signers.contains(&key)) {
            return Err(Unsigned::NotASigner(key));
        }
        Ok(Signed { key, bytes: self.payload.clone(), payload })
    }

    /// Checks the signature alone.
    ///
    /// # Errors
    ///
    /// When this key did not make it over this payload.
    pub fn check(&self, key: &PublicKey) -> Result<(), BadSignature> {
        key.verify(&pae(&self.payload), &self.signature)
    }
}

impl<T> Signed<T> {
    /// The key that signed.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The bytes that were signed; two people who agree have signed the same.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was signed.
    pub fn payload(&self) -> &T {
        &self.payload
    }
}

impl Payload for Statement {
    fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        Self::parse(bytes)
    }

    fn signers(&self) -> Option<&[PublicKey]> {
        self.claim().map(|claim| claim.signers.as_slice())
    }
}

impl Payload for Revocation {
    fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        Self::parse(bytes)
    }

    fn signers(&self) -> Option<&[PublicKey]> {
        Some(std::slice::from_ref(&self.signer))
    }
}

/// DSSE's pre-authentication encoding: the bytes that are signed.
fn pae(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyKind;
    use crate::statement;

    #[test]
    fn the_signed_bytes_are_dsse() {
        assert_eq!(pae(b"{}"), b"DSSEv1 28 application/vnd.in-toto+json 2 {}");
    }

    #[test]
    fn a_bundle_opens_with_its_key_and_says_what_was_signed() {
        for kind in KeyKind::ALL {
            let key = SigningKey::from_secret(kind, &vec![5; kind.secret_len()]).unwrap();
            let statement = foreign();
            let bundle = Bundle::sign(statement.to_payload(), &key);
            let read = Bundle::parse(&bundle.to_json()).unwrap();
            assert_eq!(read, bundle);
            let signed: Signed<Statement> = read.open(&[signer(1).public(), key.public()]).unwrap();
            assert_eq!((signed.key(), signed.payload()), (&key.public(), &statement));
            assert_eq!(read.open::<Statement>(&[signer(1).public()]), Err(Unsigned::NoKey));
        }
    }

    #[test]
    fn a_stranger_is_found_in_the_claim_and_others_cannot_sign_it() {
        let statement = statement::tests::full();
        let bundle = Bundle::sign(statement.to_payload(), &signer(2));
        assert_eq!(bundle.open::<Statement>(&[]).unwrap().key(), &signer(2).public());
        let other = Bundle::sign(statement.to_payload(), &signer(3));
        assert_eq!(other.open::<Statement>(&[]), Err(Unsigned::NoKey));
        let known = [signer(3).public()];
        assert_eq!(other.open::<Statement>(&known), Err(Unsigned::NotASigner(signer(3).public())));
    }

    #[test]
    fn a_hint_proves_nothing() {
        let claimed = statement::tests::full().to_payload();
        let mut bundle = Bundle::sign(claimed, &signer(3));
        bundle.hint = Hint::Digest(signer(1).public().hint());
        assert_eq!(bundle.open::<Statement>(&[]), Err(Unsigned::BadSignature(signer(1).public())));
        bundle.hint = Hint::Key(signer(3).public());
        assert_eq!(bundle.open::<Statement>(&[]), Err(Unsigned::NoKey));
    }

    #[test]
    fn every_flipped_bit_of_payload_and_signature_is_noticed() {
        let key = signer(1);
        let good = Bundle::sign(foreign().to_payload(), &key);
        for bit in 0..good.payload.len() * 8 {
            let mut bad = good.clone();
            bad.payload[bit / 8] ^= 1 << (bit % 8);
            assert!(bad.check(&key.public()).is_err(), "payload, bit {bit}");
        }
        for bit in 0..good.signature.len() * 8 {
            let mut bad = good.clone();
            bad.signature[bit / 8] ^= 1 << (bit % 8);
            assert!(bad.check(&key.public()).is_err(), "signature, bit {bit}");
        }
    }

    fn foreign() -> Statement {
        let file = statement::tests::full().files()[0].clone();
        Statement::new("m".to_owned(), vec![file], Vec::new(), None).unwrap()
    }

    fn signer(byte: u8) -> SigningKey {
        SigningKey::from_secret(KeyKind::Ed25519, &[byte; 32]).unwrap()
    }
}
