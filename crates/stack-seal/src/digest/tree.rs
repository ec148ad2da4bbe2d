//! BLAKE3 as a tree over spans of 256 KiB, so that spans can be hashed in any order and on any thread.
//!
//! ```text
//! value(i) = chaining value of bytes i·256 KiB .. (i+1)·256 KiB as a subtree at that offset
//! root     = merge(value(0) … value(n-1)), the left side of each merge being the largest power of two
//! ```
//!
//! A content of one span has no subtrees: its only value *is* its root, the plain hash. Callers need not care.

use std::error::Error;
use std::fmt;
use std::ops::Range;

use blake3::Hasher;
use blake3::hazmat::{self, HasherExt, Mode};

use super::Root;

/// The bytes of a span, 256 KiB: big enough to hash at full speed, small enough for every second-level cache.
pub const SPAN: usize = 256 * 1024;

/// The longest content that is hashed by spans, 1 TiB, which bounds the memory for values at 128 MiB.
pub const LENGTH_MAX: u64 = 1 << 40;

/// The shape of the tree over a content of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanTree {
    length: u64,
}

impl SpanTree {
    /// Makes the shape for a content of `length` bytes.
    pub fn new(length: u64) -> Result<Self, TooLong> {
        if length > LENGTH_MAX { Err(TooLong { length }) } else { Ok(Self { length }) }
    }

    /// Returns the length of the content.
    pub fn length(self) -> u64 {
        self.length
    }

    /// Returns the number of spans; an empty content has one, which is empty.
    pub fn spans(self) -> usize {
        // At most 2^22, by `LENGTH_MAX`.
        self.length.div_ceil(SPAN as u64).max(1) as usize
    }

    /// Returns the bytes that span `index` covers.
    pub fn range(self, index: usize) -> Range<u64> {
        let start = (index as u64).saturating_mul(SPAN as u64).min(self.length);
        start..start.saturating_add(SPAN as u64).min(self.length)
    }

    /// Returns the number of bytes in span `index`.
    pub fn span_len(self, index: usize) -> usize {
        let range = self.range(index);
        (range.end - range.start) as usize
    }

    /// Hashes span `index`.
    ///
    /// # Panics
    ///
    /// When `bytes` is not exactly that span's length.
    pub fn span_value(self, index: usize, bytes: &[u8]) -> [u8; 32] {
        assert_eq!(bytes.len(), self.span_len(index), "a span is hashed whole");
        if self.spans() == 1 {
            return Root::of(bytes).0;
        }
        Hasher::new().set_input_offset(self.range(index).start).update(bytes).finalize_non_root()
    }

    /// Merges the values of all spans into the root.
    ///
    /// # Panics
    ///
    /// When there are not as many values as spans.
    pub fn root(self, values: &[[u8; 32]]) -> Root {
        assert_eq!(values.len(), self.spans(), "every span has a value");
        if let [only] = values {
            return Root(*only);
        }
        let (left, right) = values.split_at(left_spans(values.len()));
        Root(*hazmat::merge_subtrees_root(&merge(left), &merge(right), Mode::Hash).as_bytes())
    }
}

fn merge(values: &[[u8; 32]]) -> [u8; 32] {
    if let [only] = values {
        return *only;
    }
    let (left, right) = values.split_at(left_spans(values.len()));
    hazmat::merge_subtrees_non_root(&merge(left), &merge(right), Mode::Hash)
}

/// Returns the largest power of two below `spans`, which is at least two.
fn left_spans(spans: usize) -> usize {
    spans.next_power_of_two() / 2
}

/// The error for a content beyond [`LENGTH_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The length that was claimed.
    pub length: u64,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes exceed the maximum file size of {LENGTH_MAX}", self.length)
    }
}

impl Error for TooLong {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn root_by_spans(bytes: &[u8]) -> Root {
        let tree = SpanTree::new(bytes.len() as u64).unwrap();
        let mut values = vec![[0; 32]; tree.spans()];
        // Backwards, because the order must not matter.
        for index in (0..tree.spans()).rev() {
            let range = tree.range(index);
            values[index] = tree.span_value(index, &bytes[range.start as usize..range.end as usize]);
        }
        tree.root(&values)
    }

    fn counted(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i % 251) as u8).collect()
    }

    #[test]
    fn the_tree_is_blake3_around_every_border() {
        let mut lengths = vec![0, 1, 1023, 1024, 1025];
        for spans in [1, 2, 3, 4, 5, 7, 8, 9, 16, 17] {
            lengths.extend([spans * SPAN - 1, spans * SPAN, spans * SPAN + 1]);
        }
        for len in lengths {
            let bytes = counted(len);
            assert_eq!(root_by_spans(&bytes), Root::of(&bytes), "{len} bytes");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_tree_is_blake3_for_any_length(len in 0usize..6 * SPAN, start in 0u8..) {
            let bytes: Vec<u8> = (0..len).map(|i| (i as u8).wrapping_mul(31).wrapping_add(start)).collect();
            prop_assert_eq!(root_by_spans(&bytes), Root::of(&bytes));
        }
    }

    #[test]
    fn lengths_that_no_file_has_are_refused_before_memory_is_taken() {
        assert_eq!(SpanTree::new(1 << 60), Err(TooLong { length: 1 << 60 }));
        assert_eq!(SpanTree::new(LENGTH_MAX).unwrap().spans(), 1 << 22);
        assert_eq!(SpanTree::new(5).unwrap().range(usize::MAX), 5..5);
    }
}
