//! A dictionary of byte strings that finds every entry a text starts with.

use std::collections::HashMap;

/// Byte strings with an id each. An entry added twice keeps the later id.
#[derive(Default)]
pub(super) struct Trie {
    /// The node that a byte leads to from a node; the root is 0.
    edges: HashMap<(u32, u8), u32>,
    /// The id of the entry that ends at a node.
    ids: HashMap<u32, u32>,
    nodes: u32,
}

impl Trie {
    /// Adds an entry. The empty string is no entry.
    pub(super) fn insert(&mut self, entry: &[u8], id: u32) {
        if entry.is_empty() {
            return;
        }
        let mut node = 0;
        for &byte in entry {
            let nodes = &mut self.nodes;
            node = *self.edges.entry((node, byte)).or_insert_with(|| {
                *nodes += 1;
                *nodes
            });
        }
        self.ids.insert(node, id);
    }

    /// Iterates over the entries that `text` starts with, as length and id, shortest first.
    pub(super) fn prefixes(&self, text: &[u8]) -> impl Iterator<Item = (usize, u32)> {
        let mut node = 0;
        text.iter()
            .map_while(move |&byte| {
                node = *self.edges.get(&(node, byte))?;
                Some(node)
            })
            .enumerate()
            .filter_map(|(at, node)| Some((at + 1, *self.ids.get(&node)?)))
    }

    /// Returns the longest entry that `text` starts with.
    pub(super) fn longest(&self, text: &[u8]) -> Option<(usize, u32)> {
        self.prefixes(text).last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_all_entries_that_a_text_starts_with() {
        let mut trie = Trie::default();
        for (id, entry) in ["a", "abc", "b", "", "abcde"].iter().enumerate() {
            trie.insert(entry.as_bytes(), id as u32);
        }
        assert_eq!(trie.prefixes(b"abcd").collect::<Vec<_>>(), [(1, 0), (3, 1)]);
        assert_eq!(trie.longest(b"abcdef"), Some((5, 4)));
        assert_eq!(trie.longest(b"xa"), None);
        assert_eq!(trie.longest(b""), None);
    }
}
