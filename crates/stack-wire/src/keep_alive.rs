//! How long a model stays in memory, as requests say it.

use std::time::Duration;

use serde_json::Value;
use stack_chat::Failure;

use crate::fields::{Fields, mismatch};

/// How long a model stays after its last answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    /// For so long; where it is zero, no longer than the answer.
    For(Duration),
    /// Until it is unloaded by name.
    Forever,
}

impl KeepAlive {
    /// Reads a number of seconds or a duration such as `90s`, `5m` or `1h30m`; what is negative is forever.
    ///
    /// # Errors
    ///
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("it must be {DURATION}");
        if let Ok(seconds) = text.parse::<f64>() {
            return Self::seconds(seconds).ok_or_else(wrong);
        }
        let (is_negative, mut rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        if rest.is_empty() {
            return Err(wrong());
        }
        let mut total = 0.0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
            let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
            let behind = &rest[digits..];
            let (name, seconds) =
                UNITS.iter().find(|(name, _)| behind.starts_with(name)).ok_or_else(wrong)?;
            total += number * seconds;
            rest = &behind[name.len()..];
        }
        Self::seconds(if is_negative { -total } else { total }).ok_or_else(wrong)
    }

    fn seconds(seconds: f64) -> Option<Self> {
        match seconds {
            _ if !(-SECONDS_MAX..=SECONDS_MAX).contains(&seconds) => None,
            _ if seconds < 0.0 => Some(Self::Forever),
            _ => Some(Self::For(Duration::from_secs_f64(seconds))),
        }
    }
}

/// Takes `keep_alive`.
pub(crate) fn keep_alive(fields: &mut Fields) -> Result<Option<KeepAlive>, Failure> {
    let Some(value) = fields.take("keep_alive") else { return Ok(None) };
    let keep_alive = match &value {
        Value::String(text) => KeepAlive::parse(text).ok(),
        other => other.as_f64().and_then(KeepAlive::seconds),
    };
    keep_alive.map(Some).ok_or_else(|| mismatch("keep_alive".into(), DURATION, &value))
}

/// What is expected, in the words of messages.
const DURATION: &str = "a duration such as \"5m\", \"1h30m\", 300 or -1";

/// The units of Go's durations; of two that begin alike the longer one first.
const UNITS: [(&str, f64); 7] =
    [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];

/// Ten years.
const SECONDS_MAX: f64 = 315_360_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_durations_are_read() {
        for (text, seconds) in [
            ("300", 300.0),
            ("0", 0.0),
            ("1.5", 1.5),
            ("5m", 300.0),
            ("1h30m", 5400.0),
            ("300ms", 0.3),
            ("0s", 0.0),
        ] {
            assert_eq!(
                KeepAlive::parse(text),
                Ok(KeepAlive::For(Duration::from_secs_f64(seconds))),
                "{text}"
            );
        }
        for text in ["-1", "-5m", "-0.5"] {
            assert_eq!(KeepAlive::parse(text), Ok(KeepAlive::Forever), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        for text in ["soon", "", "-", "5x", "m", "1h-30m", "NaN", "inf", "1..5m", "1e300", "999999999h"] {
            let problem = KeepAlive::parse(text).unwrap_err();
            assert!(problem.contains("\"5m\""), "{problem}");
        }
    }

    #[test]
    fn a_field_may_be_a_number_or_a_text() {
        let parse = |json: &str| keep_alive(&mut Fields::parse(json.as_bytes()).unwrap());
        assert_eq!(parse("{}"), Ok(None));
        assert_eq!(parse(r#"{"keep_alive": -1}"#), Ok(Some(KeepAlive::Forever)));
        assert_eq!(parse(r#"{"keep_alive": "10m"}"#), Ok(Some(KeepAlive::For(Duration::from_mins(10)))));
        let long = format!(r#"{{"keep_alive": {}}}"#, serde_json::json!("m".repeat(1 << 16)));
        for json in [r#"{"keep_alive": []}"#, r#"{"keep_alive": true}"#, r#"{"keep_alive": "later"}"#, &long]
        {
            let refused = parse(json).unwrap_err();
            assert_eq!(refused.field.as_deref(), Some("keep_alive"));
            assert!(refused.message.len() < 200, "{}", refused.message.len());
        }
    }
}
