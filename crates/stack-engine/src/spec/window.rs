//! Windows: how far back a layer sees.

/// The latest tokens that attention sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// This many, the current one included.
    Sliding(usize),
    /// Those of the current chunk: positions are cut into chunks of this many (Llama 4).
    Chunked(usize),
}

impl Window {
    /// Returns the first position that a token at `position` sees.
    pub fn first_seen(self, position: usize) -> usize {
        match self {
            Self::Sliding(size) => (position + 1).saturating_sub(size),
            Self::Chunked(size) => position - position % size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sliding_window_moves_with_every_token() {
        assert_eq!([0, 3, 4, 9].map(|position| Window::Sliding(4).first_seen(position)), [0, 0, 1, 6]);
    }

    #[test]
    fn a_chunked_window_moves_in_steps() {
        assert_eq!([0, 3, 4, 9].map(|position| Window::Chunked(4).first_seen(position)), [0, 0, 4, 8]);
    }
}
