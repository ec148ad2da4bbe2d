//! The merge loop that SPM and BPE share.
//!
//! ```text
//! push every adjacent pair that has a priority
//! while a pair is left:
//!     take the one of the lowest priority number, of these the leftmost
//!     skip it if one of its halves has merged meanwhile
//!     join the halves; push the new symbol's pairs with both neighbours
//! ```
//!
//! With a heap the loop takes n log n steps, whatever the text.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The id of a symbol that takes part in no pair known to the vocabulary.
pub(super) const NO_ID: u32 = u32::MAX;

/// Longest text merged at once, in bytes. Longer ones are cut: it bounds the memory that one request takes.
pub(super) const BLOCK_BYTES: usize = 16 << 20;

/// A piece of text that grows by merging.
#[derive(Clone, Copy, Debug)]
pub(super) struct Symbol {
    /// Where it starts in the text, in bytes.
    pub(super) start: u32,
    /// Where it ends; equal to the start once it has become part of its left neighbour.
    pub(super) end: u32,
    /// What the vocabulary calls it.
    pub(super) id: u32,
    previous: u32,
    next: u32,
}

/// Priority (lower merges first), left, right, length, id of the pair.
type Pair = (u32, u32, u32, u32, u32);

/// Symbols being merged. Keeps its memory from text to text.
#[derive(Default)]
pub(super) struct Merger {
    symbols: Vec<Symbol>,
    pairs: BinaryHeap<Reverse<Pair>>,
}

impl Merger {
    /// Starts over without symbols.
    pub(super) fn clear(&mut self) {
        self.symbols.clear();
        self.pairs.clear();
    }

    /// Adds a symbol of `length` bytes at the right end.
    pub(super) fn push(&mut self, length: usize, id: u32) {
        let index = self.symbols.len() as u32;
        let start = self.symbols.last().map_or(0, |last| last.end);
        if let Some(last) = self.symbols.last_mut() {
            last.next = index;
        }
        let previous = index.wrapping_sub(1);
        self.symbols.push(Symbol { start, end: start + length as u32, id, previous, next: NO_ID });
    }

    /// Merges until no pair is left. `join` gives a pair's priority and the joined symbol's id.
    pub(super) fn run(&mut self, join: impl Fn(&Symbol, &Symbol) -> Option<(u32, u32)>) {
        for left in 1..self.symbols.len() as u32 {
            self.consider(left - 1, left, &join);
        }
        while let Some(Reverse((_, left, right, length, id))) = self.pairs.pop() {
            let (a, b) = (self.symbols[left as usize], self.symbols[right as usize]);
            if a.start == a.end || b.start == b.end || b.end - a.start != length {
                continue;
            }
            self.symbols[left as usize] = Symbol { end: b.end, id, next: b.next, ..a };
            self.symbols[right as usize].start = b.end;
            if b.next != NO_ID {
                self.symbols[b.next as usize].previous = left;
                self.consider(left, b.next, &join);
            }
            if a.previous != NO_ID {
                self.consider(a.previous, left, &join);
            }
        }
    }

    /// Iterates over the symbols that are left, from left to right.
    pub(super) fn symbols(&self) -> impl Iterator<Item = &Symbol> {
        self.symbols.iter().filter(|symbol| symbol.start != symbol.end)
    }

    fn consider(&mut self, left: u32, right: u32, join: &impl Fn(&Symbol, &Symbol) -> Option<(u32, u32)>) {
        let (a, b) = (&self.symbols[left as usize], &self.symbols[right as usize]);
        if let Some((priority, id)) = join(a, b) {
            self.pairs.push(Reverse((priority, left, right, b.end - a.start, id)));
        }
    }
}

/// Cuts a text into blocks of at most [`BLOCK_BYTES`], between characters.
pub(super) fn blocks(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let (block, rest) = text.split_at(text.floor_char_boundary(BLOCK_BYTES));
        text = rest;
        Some(block)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Merges letters of `text` by a list of joined pairs, best first.
    fn merged(text: &str, pairs: &[&str]) -> Vec<String> {
        let mut merger = Merger::default();
        text.bytes().for_each(|_| merger.push(1, 0));
        merger.run(|a, b| {
            let joined = &text[a.start as usize..b.end as usize];
            pairs.iter().position(|&pair| pair == joined).map(|rank| (rank as u32, 0))
        });
        merger.symbols().map(|s| text[s.start as usize..s.end as usize].to_owned()).collect()
    }

    #[test]
    fn the_best_pair_goes_first_and_of_equals_the_leftmost() {
        assert_eq!(merged("abc", &["bc", "ab"]), ["a", "bc"]);
        assert_eq!(merged("aaaaa", &["aa", "aaaa"]), ["aaaa", "a"]);
        assert_eq!(merged("abab", &["ab", "abab", "ba"]), ["abab"]);
        assert_eq!(merged("", &["ab"]), Vec::<String>::new());
    }

    #[test]
    fn blocks_are_cut_between_characters() {
        let text = "€".repeat(BLOCK_BYTES / 3 + 1);
        let cut: Vec<&str> = blocks(&text).collect();
        assert_eq!(cut.len(), 2);
        assert_eq!(cut.concat(), text);
    }
}
