//! Tokens as providers count them, made disjoint.

use serde_json::Value;
use stack_chat::Usage;

use super::object::Object;

/// Makes one usage of several figures, and remembers whether they contradict each other.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    inconsistent: bool,
}

impl Ledger {
    /// Takes a part out of a whole. It cannot be larger; if it is, nothing is left.
    pub(super) fn without(&mut self, whole: u64, part: u64) -> u64 {
        self.inconsistent |= part > whole;
        whole.saturating_sub(part)
    }

    /// Notes a contradiction.
    pub(super) fn contradict(&mut self) {
        self.inconsistent = true;
    }

    /// Makes the counters small enough.
    pub(super) fn usage(
        mut self,
        [input, cache_read, cache_write_5m, cache_write_1h, answer, reasoning]: [u64; 6],
    ) -> Usage {
        let mut fit = |count: u64| {
            u32::try_from(count).unwrap_or_else(|_| {
                self.inconsistent = true;
                u32::MAX
            })
        };
        let usage = Usage {
            input: fit(input),
            cache_read: fit(cache_read),
            cache_write_5m: fit(cache_write_5m),
            cache_write_1h: fit(cache_write_1h),
            answer: fit(answer),
            reasoning: fit(reasoning),
            inconsistent: false,
        };
        Usage { inconsistent: self.inconsistent, ..usage }
    }
}

/// What OpenAI's two interfaces call their figures.
pub(super) struct OpenaiNames {
    pub(super) prompt: &'static str,
    pub(super) prompt_details: &'static str,
    pub(super) generated: &'static str,
    pub(super) generated_details: &'static str,
}

/// Reads usage as OpenAI writes it; `None` if the main figures cannot be read.
///
/// There, the prompt includes what came from a cache and what is generated includes reasoning. Not everyone who speaks
/// the interface counts so. Where the total contradicts that reading and another one adds up, the other one holds.
pub(super) fn openai(usage: Object<'_>, names: &OpenaiNames) -> Option<Usage> {
    let prompt = number(usage.value(names.prompt))?;
    let generated = number(usage.value(names.generated))?;
    let detail = |group: &str, name: &str| {
        number(usage.value(group).and_then(|details| details.get(name))).unwrap_or_default()
    };
    let cache_read = detail(names.prompt_details, "cached_tokens");
    let cache_write = detail(names.prompt_details, "cache_write_tokens");
    let reasoning = detail(names.generated_details, "reasoning_tokens");
    let cached = cache_read.saturating_add(cache_write);
    let inside = Reading { cached_outside: cached > prompt, reasoning_outside: false };
    let readings = [
        inside,
        Reading { reasoning_outside: true, ..inside },
        Reading { cached_outside: true, reasoning_outside: false },
        Reading { cached_outside: true, reasoning_outside: true },
    ];
    let mut ledger = Ledger::default();
    let adds_up = |reading: &Reading, total: u64| {
        let outside = if reading.cached_outside { cached } else { 0 };
        let thought = if reading.reasoning_outside { reasoning } else { 0 };
        [prompt, generated, outside, thought].into_iter().fold(0, u64::saturating_add) == total
    };
    let total = number(usage.value("total_tokens"));
    let found = total.and_then(|total| readings.into_iter().find(|reading| adds_up(reading, total)));
    let reading = found.unwrap_or(inside);
    if reading.cached_outside || reading.reasoning_outside || (total.is_some() && found.is_none()) {
        ledger.contradict();
    }
    let input = if reading.cached_outside { prompt } else { ledger.without(prompt, cached) };
    let answer = if reading.reasoning_outside { generated } else { ledger.without(generated, reasoning) };
    Some(ledger.usage([input, cache_read, cache_write, 0, answer, reasoning]))
}

/// Where figures are counted that may be part of others.
#[derive(Clone, Copy, Debug)]
struct Reading {
    cached_outside: bool,
    reasoning_outside: bool,
}

/// Reads a figure, if it is one.
pub(super) fn number(value: Option<&Value>) -> Option<u64> {
    value?.as_u64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(usage: &Value) -> Option<Usage> {
        let names =
            OpenaiNames { prompt: "p", prompt_details: "pd", generated: "g", generated_details: "gd" };
        openai(Object::open("usage", usage).unwrap(), &names)
    }

    #[test]
    fn parts_are_taken_out_of_their_wholes() {
        let usage = read(&json!({
            "p": 100, "pd": {"cached_tokens": 60, "cache_write_tokens": 10},
            "g": 30, "gd": {"reasoning_tokens": 20}, "total_tokens": 130,
        }));
        let want = Usage {
            input: 30,
            cache_read: 60,
            cache_write_5m: 10,
            answer: 10,
            reasoning: 20,
            ..Usage::default()
        };
        assert_eq!(usage, Some(want));
    }

    #[test]
    fn the_reading_that_adds_up_holds_and_is_noted() {
        let reasoning = json!({"p": 10, "g": 5, "gd": {"reasoning_tokens": 300}, "total_tokens": 315});
        let want = Usage { input: 10, answer: 5, reasoning: 300, inconsistent: true, ..Usage::default() };
        assert_eq!(read(&reasoning), Some(want));

        let cached = json!({"p": 10, "pd": {"cached_tokens": 40}, "g": 5});
        let want = Usage { input: 10, cache_read: 40, answer: 5, inconsistent: true, ..Usage::default() };
        assert_eq!(read(&cached), Some(want));

        let neither = json!({"p": 10, "g": 5, "total_tokens": 99});
        let want = Usage { input: 10, answer: 5, inconsistent: true, ..Usage::default() };
        assert_eq!(read(&neither), Some(want));

        let below = json!({"p": 10, "g": 5, "gd": {"reasoning_tokens": 7}});
        let want = Usage { input: 10, reasoning: 7, inconsistent: true, ..Usage::default() };
        assert_eq!(read(&below), Some(want));
    }

    #[test]
    fn figures_that_cannot_be_read_are_none_and_giants_are_clamped() {
        for usage in
            [json!({}), json!({"p": "10", "g": 5}), json!({"p": -1, "g": 5}), json!({"p": 1.5, "g": 5})]
        {
            assert_eq!(read(&usage), None, "{usage}");
        }
        let giant = read(&json!({"p": u64::MAX, "g": u64::MAX, "total_tokens": u64::MAX})).unwrap();
        assert_eq!((giant.input, giant.answer, giant.inconsistent), (u32::MAX, u32::MAX, true));
    }
}
