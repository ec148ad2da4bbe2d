//! The leaf list: the value of every span, as bytes, so that a wrong span is found where it is.

use std::error::Error;
use std::fmt;

use super::{Root, SpanTree};

/// The value of every span of a content of at least two spans.
///
/// It is a help, never an authority: it counts only where its own [`root`](Self::root) is the one that is expected.
/// Its byte form is the values of 32 bytes one after the other, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafList {
    tree: SpanTree,
    values: Vec<[u8; 32]>,
}

impl LeafList {
    /// Takes the values of all spans; `None` where their number is wrong or there is only one, whose value would say
    /// no more than the root.
    pub fn new(tree: SpanTree, values: Vec<[u8; 32]>) -> Option<Self> {
        (values.len() > 1 && values.len() == tree.spans()).then_some(Self { tree, values })
    }

    /// Reads the byte form for a content of the given shape.
    pub fn parse(bytes: &[u8], tree: SpanTree) -> Result<Self, LeafListError> {
        let wrong = LeafListError { spans: tree.spans(), bytes: bytes.len() };
        let (values, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || values.len() != tree.spans() {
            return Err(wrong);
        }
        Self::new(tree, values.to_vec()).ok_or(wrong)
    }

    /// Returns the byte form.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.values.concat()
    }

    /// Returns the root that these values merge to.
    pub fn root(&self) -> Root {
        self.tree.root(&self.values)
    }

    /// Returns the shape that these values belong to.
    pub fn tree(&self) -> SpanTree {
        self.tree
    }

    /// Returns the value that span `index` must have.
    pub fn value(&self, index: usize) -> Option<&[u8; 32]> {
        self.values.get(index)
    }
}

/// The error for bytes that are not a leaf list of the content at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafListError {
    spans: usize,
    bytes: usize,
}

impl fmt::Display for LeafListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.spans {
            1 => {
                write!(
                    f,
                    "content of a single span has no leaf list, but {} bytes of one were given",
                    self.bytes
                )
            }
            spans => {
                write!(f, "a leaf list for {spans} spans needs 32 bytes each, not {} in all", self.bytes)
            }
        }
    }
}

impl Error for LeafListError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::SPAN;

    #[test]
    fn the_byte_form_returns() {
        let bytes = vec![7; 2 * SPAN + 9];
        let tree = SpanTree::new(bytes.len() as u64).unwrap();
        let values = bytes.chunks(SPAN).enumerate().map(|(i, span)| tree.span_value(i, span)).collect();
        let list = LeafList::new(tree, values).unwrap();
        assert_eq!(list.root(), Root::of(&bytes));
        assert_eq!(LeafList::parse(&list.to_bytes(), tree), Ok(list));
    }

    #[test]
    fn other_lengths_and_single_spans_are_refused() {
        let three = SpanTree::new(3 * SPAN as u64).unwrap();
        for len in [0, 32, 95, 97, 128] {
            assert!(LeafList::parse(&vec![0; len], three).is_err(), "{len}");
        }
        let one = SpanTree::new(SPAN as u64).unwrap();
        assert!(LeafList::parse(&[0; 32], one).is_err());
    }
}
