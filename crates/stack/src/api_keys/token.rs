//! What a key looks like: `sk-stack-<12 hex digits>-<64 hex digits>`.
//!
//! The first digits are the key's id and no secret; the others are, 256 random bits. Many clients insist on the `sk-`, and
//! scanners for leaked secrets find it.

use stack_seal::digest::Root;
use stack_seal::hex;
use zeroize::Zeroizing;

/// A new key, which is shown once and then forgotten.
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) text: Zeroizing<String>,
}

impl Token {
    /// Draws one.
    pub(crate) fn draw(random: &mut impl FnMut(&mut [u8])) -> Self {
        let mut id = [0; ID_BYTES];
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        random(&mut id);
        random(&mut *secret);
        let (id, secret) = (hex::encode(&id), Zeroizing::new(hex::encode(&*secret)));
        Self { text: Zeroizing::new(format!("{PREFIX}{id}-{}", *secret)), id }
    }

    /// Returns the id in a text that has the form of a key, or only its beginning.
    pub(crate) fn id_of(text: &str) -> Option<&str> {
        let rest = text.strip_prefix(PREFIX)?;
        Some(rest.split_once('-').map_or(rest, |(id, _)| id))
    }

    /// Returns what is kept of it.
    pub(crate) fn digest(&self) -> Root {
        Root::of(self.text.as_bytes())
    }
}

const PREFIX: &str = "sk-stack-";
const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_an_id_and_a_secret() {
        let mut next = 0;
        let token = Token::draw(&mut |bytes: &mut [u8]| {
            for byte in bytes {
                next += 1;
                *byte = next;
            }
        });
        assert_eq!(token.id, "010203040506");
        assert_eq!((token.text.len(), Token::id_of(&token.text)), (9 + 12 + 1 + 64, Some("010203040506")));
        assert_eq!(token.digest(), Root::of(token.text.as_bytes()));
        for foreign in ["unused", "sk-proj-abc", "", "SK-stack-010203040506-"] {
            assert_eq!(Token::id_of(foreign), None, "{foreign}");
        }
        assert_eq!(Token::id_of("sk-stack-cut"), Some("cut"));
    }
}
