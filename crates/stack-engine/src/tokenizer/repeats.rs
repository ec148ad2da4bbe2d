//! Text repeats itself: a piece met before need not be tokenized again.

use std::collections::HashMap;

/// The pieces of one text and where their tokens lie in the result.
#[derive(Default)]
pub(super) struct Repeats<'t> {
    met: HashMap<&'t str, (usize, usize)>,
}

impl<'t> Repeats<'t> {
    /// Appends the tokens of a piece, copied if it was met before, or else made by `encode`.
    pub(super) fn append(
        &mut self,
        piece: &'t str,
        tokens: &mut Vec<u32>,
        encode: impl FnOnce(&mut Vec<u32>),
    ) {
        if let Some(&(start, end)) = self.met.get(piece) {
            tokens.extend_from_within(start..end);
            return;
        }
        let start = tokens.len();
        encode(tokens);
        self.met.insert(piece, (start, tokens.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_tokenized_once() {
        let mut repeats = Repeats::default();
        let (mut tokens, mut next) = (vec![7], 0);
        for piece in ["a", "b", "a", "", "b"] {
            repeats.append(piece, &mut tokens, |tokens| {
                next += 1;
                tokens.extend(vec![next; piece.len()]);
            });
        }
        assert_eq!(tokens, [7, 1, 2, 1, 2]);
        assert_eq!(next, 3);
    }
}
