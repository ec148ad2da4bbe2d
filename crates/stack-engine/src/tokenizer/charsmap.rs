//! `SentencePiece`'s precompiled normalization: a map from prefixes of text to what replaces them.
//!
//! The map is a double array trie followed by zero-terminated replacements. An entry packs, from bit 0: the character
//! that leads to it (8 bits), whether a value follows (bit 8), whether the offset is scaled by 256 (bit 9) and the
//! offset to its children (22 bits); a value entry has bit 31 set and holds the place of the replacement. A map may come
//! from a hostile file: what points outside matches nothing.

/// A normalization map.
#[derive(Debug, Default)]
pub(super) struct CharsMap {
    entries: Vec<u32>,
    replacements: Vec<u8>,
}

impl CharsMap {
    /// Reads a map: the size of the trie in bytes, the trie, the replacements, all little-endian.
    pub(super) fn new(bytes: &[u8]) -> Result<Self, String> {
        let problem = || "precompiled_charsmap is shorter than it says".to_owned();
        let (size, rest) = bytes.split_first_chunk().ok_or_else(problem)?;
        let size = u32::from_le_bytes(*size) as usize;
        let (trie, replacements) = rest.split_at_checked(size).ok_or_else(problem)?;
        let (entries, _) = trie.as_chunks::<4>();
        Ok(Self {
            entries: entries.iter().map(|entry| u32::from_le_bytes(*entry)).collect(),
            replacements: replacements.to_vec(),
        })
    }

    /// Returns how long the longest known prefix of `text` is and what replaces it.
    pub(super) fn replacement(&self, text: &[u8]) -> Option<(usize, &[u8])> {
        let offset = |entry: u32| (entry >> 10) << ((entry & 1 << 9) >> 6);
        let mut index = offset(*self.entries.first()?);
        let mut best = None;
        for (length, &byte) in (1..).zip(text) {
            index ^= u32::from(byte);
            let Some(&entry) = self.entries.get(index as usize) else { break };
            if byte == 0 || entry & (1 << 31 | 0xff) != u32::from(byte) {
                break;
            }
            index ^= offset(entry);
            if entry >> 8 & 1 == 1 {
                let value =
                    self.entries.get(index as usize).map(|&value| value as usize & (usize::MAX >> 33));
                best = value.map(|value| (length, value)).or(best);
            }
        }
        let (length, start) = best?;
        let rest = self.replacements.get(start..)?;
        Some((length, &rest[..rest.iter().position(|&byte| byte == 0)?]))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A map that replaces `A` by `b` and `AA` by nothing.
    pub(in super::super) fn sample() -> Vec<u8> {
        let a = u32::from(b'A');
        // The root's children start at 256; those of `A` at 512, its value beside them.
        let mut entries = vec![0_u32; 1024];
        entries[0] = 256 << 10;
        let first = 256 ^ a;
        let children = 512;
        entries[first as usize] = a | 1 << 8 | (first ^ children) << 10;
        entries[children as usize] = 1 << 31;
        let second = children ^ a;
        let value = 768;
        entries[second as usize] = a | 1 << 8 | (second ^ value) << 10;
        entries[value as usize] = 1 << 31 | 2;
        let mut bytes = 4096_u32.to_le_bytes().to_vec();
        bytes.extend(entries.iter().flat_map(|entry| entry.to_le_bytes()));
        bytes.extend(b"b\0\0");
        bytes
    }

    #[test]
    fn the_longest_known_prefix_is_replaced() {
        let map = CharsMap::new(&sample()).unwrap();
        assert_eq!(map.replacement(b"Ax"), Some((1, b"b".as_slice())));
        assert_eq!(map.replacement(b"AAA"), Some((2, b"".as_slice())));
        assert_eq!(map.replacement(b"xA"), None);
        assert_eq!(map.replacement(b""), None);
    }

    #[test]
    fn a_damaged_map_matches_less_but_never_panics() {
        let whole = sample();
        for length in 0..4 {
            assert!(CharsMap::new(&whole[..length]).is_err());
        }
        assert!(CharsMap::new(&[255; 64]).is_err());
        for at in 4..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xff;
            let map = CharsMap::new(&damaged).unwrap();
            for text in ["A", "AA", "\u{ff}", "\0"] {
                map.replacement(text.as_bytes());
            }
        }
    }
}
