//! Random text told from words and placeholders.

/// Returns the entropy of the bytes of a text, in bits for each.
pub(super) fn bits(text: &[u8]) -> f32 {
    let mut counts = [0u32; 256];
    text.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
    let length = text.len() as f32;
    let shares = counts.iter().filter(|&&count| count > 0).map(|&count| count as f32 / length);
    shares.map(|share| -share * share.log2()).sum()
}

/// Returns whether what follows a prefix was drawn, not written: `sk_live_xxxxxxxxxxxxxxxxxxxxxxxx` is an example.
///
/// A run of 16 of 32 letters has 3.4 bits on average and hardly ever fewer than 2.5; the digits of words repeat.
pub(super) fn is_random(secret: &[u8], prefix: usize) -> bool {
    bits(secret.get(prefix..).unwrap_or(secret)) >= RANDOM_BITS
}

const RANDOM_BITS: f32 = 2.5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_that_of_the_letters() {
        for (text, expected) in [("aaaa", 0.0), ("abab", 1.0), ("abcdabcd", 2.0), ("0123456789abcdef", 4.0)] {
            assert_eq!(bits(text.as_bytes()), expected, "{text}");
        }
        assert!(!is_random(b"sk_live_xxxxxxxxxxxxxxxxxxxxxxxx", 8));
        assert!(is_random(b"sk_live_4eC39HqLyjWDarjtT1zdp7dc", 8));
    }
}
