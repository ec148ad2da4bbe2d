//! How long a provider wants to be left alone.

use std::time::Duration;

use stack_chat::FailureKind;

use super::moment;

/// Returns what the headers of an error say: after which time the same request may be answered. `now_s` is the present,
/// in seconds since 1970.
///
/// What is said outright holds; otherwise the moment at which the last of the exhausted limits is lifted.
pub(super) fn from_headers(headers: &[(&str, &str)], now_s: u64) -> Option<Duration> {
    let value = |name: &str| {
        headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let milliseconds = || value("retry-after-ms")?.parse().ok().and_then(|ms: f64| seconds(ms / 1000.0));
    let plain = || {
        let value = value("retry-after")?;
        span(value).or_else(|| Some(until(moment::http_date(value)?, now_s)))
    };
    milliseconds().or_else(plain).or_else(|| {
        let limits = LIMITS.iter().filter(|(remaining, _)| value(remaining) == Some("0"));
        limits
            .filter_map(|(_, reset)| {
                let value = value(reset)?;
                span(value).or_else(|| Some(until(moment::rfc3339(value)?, now_s)))
            })
            .max()
    })
}

/// Reads a length of time: seconds without a unit, or parts with one, such as `6ms`, `1m30s` and `2.5s`.
pub(super) fn span(text: &str) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        return seconds(number);
    }
    let (mut rest, mut total) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = &rest[digits..];
        let end = unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len());
        total += number
            * match &unit[..end] {
                "d" => 86_400.0,
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &unit[end..];
    }
    if text.is_empty() { None } else { seconds(total) }
}

/// Tells whether waiting may turn a failure of this kind into an answer.
pub(super) fn helps(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::ProviderRateLimited
            | FailureKind::Overloaded
            | FailureKind::Loading
            | FailureKind::ServerError
    )
}

fn seconds(number: f64) -> Option<Duration> {
    (number >= 0.0).then(|| Duration::from_secs_f64(number.min(SECONDS_MAX)))
}

fn until(moment_s: u64, now_s: u64) -> Duration {
    Duration::from_secs(moment_s.saturating_sub(now_s).min(SECONDS_MAX as u64))
}

/// Nobody is waited for longer than a week.
const SECONDS_MAX: f64 = 604_800.0;

/// Which header says what is left of a limit, and which when it is whole again.
const LIMITS: &[(&str, &str)] = &[
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_in_every_spelling() {
        for (text, ms) in [
            ("2", Some(2000)),
            ("0", Some(0)),
            ("1.5", Some(1500)),
            ("6ms", Some(6)),
            ("1m30s", Some(90_000)),
            ("2h0m1.5s", Some(7_201_500)),
            ("34.074824224s", Some(34_074)),
            ("1e300", Some(604_800_000)),
            ("99999999d", Some(604_800_000)),
            ("-1", None),
            ("NaN", None),
            ("", None),
            ("s", None),
            ("1x", None),
            ("1m30", None),
            ("1..5s", None),
            ("é", None),
        ] {
            let got = span(text).map(|span| span.as_millis());
            assert_eq!(got, ms, "{text:?}");
        }
    }

    #[test]
    fn what_is_said_outright_comes_first() {
        let wait =
            |headers: &[(&str, &str)]| from_headers(headers, 1_000_000_000).map(|wait| wait.as_millis());
        assert_eq!(wait(&[("Retry-After", "7"), ("retry-after-ms", "250")]), Some(250));
        assert_eq!(wait(&[("retry-after", "Sun, 09 Sep 2001 01:46:50 GMT")]), Some(10_000));
        assert_eq!(wait(&[("retry-after", "Sun, 09 Sep 2001 01:46:30 GMT")]), Some(0), "it is past");
        assert_eq!(wait(&[("retry-after", "soon")]), None);
        assert_eq!(wait(&[("retry-after-ms", "-1"), ("retry-after", "3")]), Some(3000));
    }

    #[test]
    fn else_the_last_exhausted_limit_counts() {
        let wait =
            |headers: &[(&str, &str)]| from_headers(headers, 1_000_000_000).map(|wait| wait.as_millis());
        let anthropic = [
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2001-09-09T01:46:43Z"),
            ("anthropic-ratelimit-tokens-remaining", "0"),
            ("anthropic-ratelimit-tokens-reset", "2001-09-09T03:46:45+02:00"),
            ("anthropic-ratelimit-output-tokens-remaining", "9"),
            ("anthropic-ratelimit-output-tokens-reset", "2001-09-09T02:00:00Z"),
        ];
        assert_eq!(wait(&anthropic), Some(5000));
        let openai = [
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "6ms"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "1m30s"),
        ];
        assert_eq!(wait(&openai), Some(90_000));
        assert_eq!(wait(&openai[..2]), Some(6));
        assert_eq!(wait(&anthropic[4..]), None, "what is left is no reason to wait");
    }
}
