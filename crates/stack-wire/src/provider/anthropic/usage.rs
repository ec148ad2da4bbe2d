//! Token counts, which come in pieces.

use stack_chat::Usage;

use crate::provider::count::{Ledger, number};
use crate::provider::object::Object;

/// The figures so far. Later ones replace earlier ones of the same name, and each event names some.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_5m: Option<u64>,
    cache_write_1h: Option<u64>,
    thought: Option<u64>,
}

impl Counts {
    /// Takes in what an event says.
    pub(super) fn update(&mut self, usage: Object<'_>) {
        let nested = |group: &str, name: &str| number(usage.value(group).and_then(|group| group.get(name)));
        for (figure, found) in [
            (&mut self.input, number(usage.value("input_tokens"))),
            (&mut self.output, number(usage.value("output_tokens"))),
            (&mut self.cache_read, number(usage.value("cache_read_input_tokens"))),
            (&mut self.cache_write, number(usage.value("cache_creation_input_tokens"))),
            (&mut self.cache_write_5m, nested("cache_creation", "ephemeral_5m_input_tokens")),
            (&mut self.cache_write_1h, nested("cache_creation", "ephemeral_1h_input_tokens")),
            (&mut self.thought, nested("output_tokens_details", "thinking_tokens")),
        ] {
            *figure = found.or(*figure);
        }
    }

    /// Adds them up; `None` before both main figures are known.
    pub(super) fn usage(&self) -> Option<Usage> {
        let (input, output) = self.input.zip(self.output)?;
        let mut ledger = Ledger::default();
        // Without the finer figures, all of it is taken to be kept for the shorter time.
        let (write_5m, write_1h) = match (self.cache_write_5m, self.cache_write_1h) {
            (None, None) => (self.cache_write.unwrap_or_default(), 0),
            (short, long) => (short.unwrap_or_default(), long.unwrap_or_default()),
        };
        let thought = self.thought.unwrap_or_default();
        let answer = ledger.without(output, thought);
        Some(ledger.usage([input, self.cache_read.unwrap_or_default(), write_5m, write_1h, answer, thought]))
    }

    /// Counts the prompt, as far as it is known.
    pub(super) fn prompt_tokens(&self) -> u32 {
        let counts = Self { output: self.output.or(Some(0)), ..*self };
        counts.usage().map_or(0, |usage| usage.prompt())
    }
}
