//! What every executor does with a batch before and after it computes.

use super::{Chunk, ExecutorError, SequenceId, Wanted};

/// Where the tokens of one chunk lie in the batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// The sequence.
    pub(crate) sequence: SequenceId,
    /// The first row in the batch.
    pub(crate) start: usize,
    /// Rows in the batch.
    pub(crate) len: usize,
    /// The position of the first token in its sequence.
    pub(crate) position: usize,
}

impl Span {
    /// The positions of its tokens.
    pub(crate) fn positions(&self) -> std::ops::Range<usize> {
        self.position..self.position + self.len
    }
}

/// What a batch may not exceed.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchLimits {
    /// Tokens in the vocabulary.
    pub(super) vocabulary: usize,
    /// Tokens that a sequence may hold.
    pub(super) context: usize,
}

/// Checks a batch and lays it out. `length` says how many tokens a sequence holds.
pub(super) fn admit(
    batch: &[Chunk<'_>],
    limits: BatchLimits,
    length: impl Fn(SequenceId) -> usize,
) -> Result<Vec<Span>, ExecutorError> {
    let BatchLimits { vocabulary, context } = limits;
    let mut spans = Vec::with_capacity(batch.len());
    let mut start = 0;
    for chunk in batch {
        if let Some(&token) = chunk.tokens.iter().find(|&&token| token as usize >= vocabulary) {
            return Err(ExecutorError::UnknownToken { token, vocabulary });
        }
        let position = length(chunk.sequence);
        let tokens = position + chunk.tokens.len();
        if tokens > context {
            return Err(ExecutorError::ContextFull { tokens, context });
        }
        spans.push(Span { sequence: chunk.sequence, start, len: chunk.tokens.len(), position });
        start += chunk.tokens.len();
    }
    Ok(spans)
}

/// The rows of the batch that the caller asked for.
pub(super) fn wanted_rows(batch: &[Chunk<'_>], spans: &[Span]) -> Vec<u32> {
    let mut rows = Vec::new();
    for (chunk, span) in batch.iter().zip(spans) {
        let end = span.start + span.len;
        match chunk.wanted {
            Wanted::None => {}
            Wanted::Last => rows.extend(end.checked_sub(1).filter(|_| span.len > 0).map(|row| row as u32)),
            Wanted::All => rows.extend(span.start as u32..end as u32),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BatchLimits = BatchLimits { vocabulary: 10, context: 5 };

    fn chunk(sequence: usize, tokens: &[u32], wanted: Wanted) -> Chunk<'_> {
        Chunk { sequence: SequenceId(sequence), tokens, wanted }
    }

    #[test]
    fn chunks_lie_one_after_the_other() {
        let batch =
            [chunk(0, &[1, 2], Wanted::Last), chunk(1, &[], Wanted::Last), chunk(2, &[3], Wanted::All)];
        let spans = admit(&batch, LIMITS, |id| id.0).unwrap();
        let layout: Vec<_> = spans.iter().map(|span| (span.start, span.len, span.position)).collect();
        assert_eq!(layout, [(0, 2, 0), (2, 0, 1), (2, 1, 2)]);
        assert_eq!(wanted_rows(&batch, &spans), [1, 2]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let unknown = admit(&[chunk(0, &[9, 10], Wanted::None)], LIMITS, |_| 0);
        assert!(matches!(unknown, Err(ExecutorError::UnknownToken { token: 10, vocabulary: 10 })));
        let full = admit(&[chunk(0, &[1, 2], Wanted::None)], LIMITS, |_| 4);
        assert!(matches!(full, Err(ExecutorError::ContextFull { tokens: 6, context: 5 })));
    }
}
