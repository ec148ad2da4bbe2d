//! What a session may take.

use serde_json::{Value, json};

/// What a session may take before it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls of the model, 1 to 1000.
    pub steps: u64,
    /// Calls of tools that run, 0 to 5000.
    pub tool_calls: u64,
    /// Tokens read and written, 1 to 100 million.
    pub tokens: u64,
    /// Seconds of computing and of tools, 1 to 86 400; waiting for people is free.
    pub time_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps: 20, tool_calls: 50, tokens: 500_000, time_s: 900 }
    }
}

impl Limits {
    pub(crate) fn to_json(self) -> Value {
        let Self { steps, tool_calls, tokens, time_s } = self;
        json!({"steps": steps, "tool_calls": tool_calls, "tokens": tokens, "time_s": time_s})
    }

    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let bounded = |name: &str, min: u64, max: u64| {
            value.get(name)?.as_u64().filter(|number| (min..=max).contains(number))
        };
        Some(Self {
            steps: bounded("steps", 1, 1000)?,
            tool_calls: bounded("tool_calls", 0, 5000)?,
            tokens: bounded("tokens", 1, 100_000_000)?,
            time_s: bounded("time_s", 1, 86_400)?,
        })
    }
}

/// Calls that one reply may make.
pub(crate) const CALLS_IN_A_REPLY: usize = 32;
/// Calls that fail one after the other until the session gives up.
pub(crate) const FAILED_IN_A_ROW: u32 = 5;
/// Calls that are denied one after the other until the session gives up.
pub(crate) const DENIED_IN_A_ROW: u32 = 3;
/// Replies that are cut off by their length one after the other until the session gives up.
pub(crate) const CUT_IN_A_ROW: u32 = 3;
/// Attempts at one call of the model.
pub(crate) const ATTEMPTS: u32 = 3;
/// How often the same call with the same result runs, and at which one of them the session gives up.
pub(crate) const SAME_RUNS: u32 = 2;
pub(crate) const SAME_MAX: u32 = 5;
/// Bytes of a task, and of the arguments of a call.
pub const TASK_BYTES: usize = 32 << 10;
pub(crate) const ARGUMENT_BYTES: usize = 1 << 20;
/// Bytes of a result that the model sees.
pub(crate) const SHOWN_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_bounded_themselves() {
        let json = Limits::default().to_json();
        assert_eq!(Limits::from_json(&json), Some(Limits::default()));
        for (field, value) in [("steps", 0), ("steps", 1001), ("tokens", 0), ("time_s", 86_401)] {
            let mut json = json.clone();
            json[field] = value.into();
            assert_eq!(Limits::from_json(&json), None, "{field} = {value}");
        }
    }
}
