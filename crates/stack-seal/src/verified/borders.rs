//! The spans that were asked for in parts, kept for the neighbours who want the rest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

/// A checked span. Sealed models pass through here, too, so it is wiped when the last reader is done.
pub(super) type Span = Arc<Zeroizing<Vec<u8>>>;

/// The last few checked spans, shared between threads. It never holds more than [`KEPT`] of them.
#[derive(Debug, Default)]
pub(super) struct Borders(Mutex<VecDeque<(usize, Span)>>);

impl Borders {
    /// Returns span `index` if it is among those kept.
    pub(super) fn find(&self, index: usize) -> Option<Span> {
        let spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spans.iter().find(|(kept, _)| *kept == index).map(|(_, bytes)| Arc::clone(bytes))
    }

    /// Keeps a span that was checked, in place of the oldest one.
    pub(super) fn keep(&self, index: usize, bytes: Span) {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spans.len() == KEPT {
            spans.pop_front();
        }
        spans.push_back((index, bytes));
    }
}

/// Two borders for each of eight loading threads: 4 MiB in all.
const KEPT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first() {
        let borders = Borders::default();
        for index in 0..=KEPT {
            borders.keep(index, Arc::new(Zeroizing::new(vec![index as u8])));
        }
        assert!(borders.find(0).is_none());
        assert_eq!(**borders.find(KEPT).unwrap(), [KEPT as u8]);
    }
}
