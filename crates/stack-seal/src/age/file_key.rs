//! The file key: sixteen secret bytes from which everything in one file follows.

use std::fmt;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce, Tag};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Random;

/// The secret of one age file. Its memory is wiped when it goes; it is never shown.
pub struct FileKey(Zeroizing<[u8; FILE_KEY]>);

impl FileKey {
    /// Makes a fresh one.
    pub(super) fn generate(random: &mut Random<'_>) -> Self {
        let mut key = Zeroizing::new([0; FILE_KEY]);
        random(&mut *key);
        Self(key)
    }

    /// Encrypts it under a key that is used this once.
    pub(super) fn wrap(&self, key: &[u8; 32]) -> [u8; WRAPPED] {
        let mut body = [0; WRAPPED];
        let (secret, tag) = body.split_at_mut(FILE_KEY);
        secret.copy_from_slice(&*self.0);
        let sealed = ChaCha20Poly1305::new(key.into()).encrypt_inout_detached(
            &Nonce::default(),
            b"",
            (&mut *secret).into(),
        );
        tag.copy_from_slice(&sealed.expect("sixteen bytes are not too long for the cipher"));
        body
    }

    /// Decrypts it, if `key` is the right one.
    pub(super) fn unwrap(body: &[u8; WRAPPED], key: &[u8; 32]) -> Option<Self> {
        let (secret, tag) = body.split_first_chunk::<FILE_KEY>()?;
        let tag = Tag::try_from(tag).ok()?;
        let mut file_key = Self(Zeroizing::new(*secret));
        ChaCha20Poly1305::new(key.into())
            .decrypt_inout_detached(&Nonce::default(), b"", (&mut file_key.0[..]).into(), &tag)
            .ok()
            .map(|()| file_key)
    }

    /// Computes the MAC of a header.
    pub(super) fn header_mac(&self, header: &[u8]) -> [u8; 32] {
        self.mac(header).finalize().into_bytes().into()
    }

    /// Compares the MAC of a header, in constant time.
    pub(super) fn accepts(&self, header: &[u8], mac: &[u8; 32]) -> bool {
        self.mac(header).verify_slice(mac).is_ok()
    }

    /// Derives the key of the payload with this nonce.
    pub(super) fn payload_key(&self, nonce: &[u8; 16]) -> Zeroizing<[u8; 32]> {
        derive(nonce, &*self.0, "payload")
    }

    fn mac(&self, header: &[u8]) -> Hmac<Sha256> {
        let key = derive(b"", &*self.0, "header");
        let mut mac =
            <Hmac<Sha256> as KeyInit>::new_from_slice(&*key).expect("HMAC takes keys of every length");
        mac.update(header);
        mac
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey(…)")
    }
}

/// Derives 32 bytes with HKDF-SHA-256.
pub(super) fn derive(salt: &[u8], secret: &[u8], info: &str) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand(info.as_bytes(), &mut *key)
        .expect("HKDF gives up to 8160 bytes");
    key
}

const FILE_KEY: usize = 16;

/// The length of a wrapped file key: its bytes and a tag.
pub(super) const WRAPPED: usize = FILE_KEY + 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_key_unwraps() {
        let file_key = FileKey(Zeroizing::new([7; 16]));
        let body = file_key.wrap(&[1; 32]);
        assert_eq!(*FileKey::unwrap(&body, &[1; 32]).unwrap().0, [7; 16]);
        assert!(FileKey::unwrap(&body, &[2; 32]).is_none());
        for at in 0..WRAPPED {
            let mut damaged = body;
            damaged[at] ^= 0x80;
            assert!(FileKey::unwrap(&damaged, &[1; 32]).is_none(), "byte {at}");
        }
    }
}
