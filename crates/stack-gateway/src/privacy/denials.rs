//! Repeated refusals, merged: a client that asks in a loop must not fill the log, and must not disappear in it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// What tells one sort of refusal from another, such as rule, tier and host.
pub(super) type DenialKey = String;

/// Refusals of the last minute, by their sort.
#[derive(Debug, Default)]
pub(super) struct Denials(HashMap<DenialKey, Row>);

#[derive(Debug)]
struct Row {
    since: Instant,
    repeats: u64,
}

/// What is to be written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    /// This refusal, and how many like it were merged since the last that was written down.
    Write {
        /// How many.
        repeats: u64,
    },
    /// Nothing: it was counted.
    Counted,
}

impl Denials {
    /// Takes in a refusal.
    pub(super) fn note(&mut self, key: &str, now: Instant) -> Noted {
        if let Some(row) = self.0.get_mut(key) {
            if now.saturating_duration_since(row.since) < MERGED {
                row.repeats += 1;
                return Noted::Counted;
            }
            let repeats = std::mem::take(&mut row.repeats);
            row.since = now;
            return Noted::Write { repeats };
        }
        // Beyond the bound nothing is merged, which loses nothing.
        if self.0.len() < ROWS_MAX {
            self.0.insert(key.to_owned(), Row { since: now, repeats: 0 });
        }
        Noted::Write { repeats: 0 }
    }

    /// Hands out what was counted and not written down.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (DenialKey, u64)> + '_ {
        self.0.drain().map(|(key, row)| (key, row.repeats)).filter(|(_, repeats)| *repeats > 0)
    }
}

const MERGED: Duration = Duration::from_mins(1);
const ROWS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_merged_for_a_minute_and_counted_exactly() {
        let (mut denials, now) = (Denials::default(), Instant::now());
        assert_eq!(denials.note("a", now), Noted::Write { repeats: 0 });
        for second in 1..=5 {
            assert_eq!(denials.note("a", now + Duration::from_secs(second)), Noted::Counted);
        }
        assert_eq!(denials.note("b", now), Noted::Write { repeats: 0 });
        assert_eq!(denials.note("a", now + MERGED), Noted::Write { repeats: 5 });
        assert_eq!(denials.note("a", now + MERGED), Noted::Counted);
        assert_eq!(denials.drain().collect::<Vec<_>>(), [("a".to_owned(), 1)]);
        assert_eq!(denials.drain().count(), 0);
    }

    #[test]
    fn what_is_not_merged_is_written() {
        let (mut denials, now) = (Denials::default(), Instant::now());
        for row in 0..ROWS_MAX {
            denials.note(&row.to_string(), now);
        }
        for _ in 0..2 {
            assert_eq!(denials.note("one more", now), Noted::Write { repeats: 0 });
        }
    }
}
