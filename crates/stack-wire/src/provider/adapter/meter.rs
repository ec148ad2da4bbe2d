//! Counts of tokens, where a provider has them at other places or adds them up otherwise.

use serde_json::Value;
use stack_chat::Usage;

use super::pointer::{Pointer, STARS_MAX};
use crate::provider::count::{Ledger, number};

/// Which figures make up each of the six counters, in the order of [`COUNTERS`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Meter {
    pub(super) counters: [Vec<Term>; 6],
}

/// A figure that is added or taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) is_added: bool,
    pub(super) at: Pointer,
}

impl Meter {
    /// Counts what a text says; `None` if it has none of the figures that are added.
    pub(super) fn read(&self, root: &Value) -> Option<Usage> {
        let figure = |term: &Term| number(term.at.get(root, &[0; STARS_MAX]));
        let mut added = self.counters.iter().flatten().filter(|term| term.is_added);
        if !added.any(|term| figure(term).is_some()) {
            return None;
        }
        let mut ledger = Ledger::default();
        let counts = self.counters.each_ref().map(|terms| {
            let sum = |is_added: bool| {
                let of_sign = terms.iter().filter(|term| term.is_added == is_added);
                of_sign.filter_map(figure).fold(0, u64::saturating_add)
            };
            ledger.without(sum(true), sum(false))
        });
        Some(ledger.usage(counts))
    }
}

/// The names of the counters.
pub(super) const COUNTERS: [&str; 6] =
    ["input", "cache_read", "cache_write_5m", "cache_write_1h", "answer", "reasoning"];
