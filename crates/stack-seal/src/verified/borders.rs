//! The spans that were asked for in parts, kept for the neighbours who want the rest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// The last few checked spans, shared between threads. It never holds more than [`KEPT`] of them.
#[derive(Debug, Default)]
pub(super) struct Borders(Mutex<VecDeque<(usize, Arc<[u8]>)>>);

impl Borders {
    /// Returns span `index` if it is among those kept.
    pub(super) fn find(&self, index: usize) -> Option<Arc<[u8]>> {
        let spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spans.iter().find(|(kept, _)| *kept == index).map(|(_, bytes)| Arc::clone(bytes))
    }

    /// Keeps a span that was checked, in place of the oldest one.
    pub(super) fn keep(&self, index: usize, bytes: Arc<[u8]>) {
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
            borders.keep(index, Arc::from([index as u8]));
        }
        assert_eq!(borders.find(0), None);
        assert_eq!(borders.find(KEPT).as_deref(), Some(&[KEPT as u8][..]));
    }
}
