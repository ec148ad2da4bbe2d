//! The same call, again and again.

use std::collections::BTreeMap;

use crate::digest::{digest, hex};
use crate::limits::SAME_RUNS;

/// How often the same call has had the same result.
#[derive(Debug, Default)]
pub(super) struct Repeats(BTreeMap<String, Repeat>);

#[derive(Debug, Default)]
struct Repeat {
    result: String,
    runs: u32,
    refused: u32,
}

impl Repeats {
    pub(super) fn note(&mut self, likeness: String, result: &str) {
        let result = hex(&digest("stack/result/v1", &[result.as_bytes()]));
        let repeat = self.0.entry(likeness).or_default();
        if repeat.result != result {
            *repeat = Repeat { result, runs: 0, refused: 0 };
        }
        repeat.runs += 1;
    }

    /// Returns how often a call was made before and now, where it has had the same result often enough.
    pub(super) fn refuse(&mut self, likeness: &str) -> Option<u32> {
        let repeat = self.0.get_mut(likeness).filter(|repeat| repeat.runs >= SAME_RUNS)?;
        repeat.refused += 1;
        Some(repeat.runs + repeat.refused)
    }
}
