//! The digests that the record names things by.

use serde_json::Value;
use stack_audit::payload::canonical;
use stack_audit::{Hash, entry};

/// Hashes parts as if they were joined, under a word that says what they are.
pub(crate) fn digest(word: &str, parts: &[&[u8]]) -> Hash {
    let mut bytes = word.as_bytes().to_vec();
    bytes.push(0);
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    entry::hash(&bytes)
}

/// Hashes a JSON value in its one form.
pub(crate) fn digest_json(word: &str, value: &Value) -> Hash {
    let bytes = canonical(value)
        .expect("what is hashed was read from canonical JSON, or holds texts and integers alone");
    digest(word, &[&bytes])
}

/// Writes bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_part_of_what_is_hashed() {
        assert_eq!(digest("a", &[b"b", b"c"]), digest("a", &[b"bc"]));
        assert_ne!(digest("a", &[b"b"]), digest("ab", &[b""]));
        assert_eq!(hex(&[0, 0xab]), "00ab");
    }
}
