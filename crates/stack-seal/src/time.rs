//! Points in time, as statements spell them.

use std::fmt;
use std::str::FromStr;

/// Whole seconds since 1970, between the years 1970 and 9999, spelled `2026-09-21T14:13:20Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// Takes seconds since 1970; what lies after the year 9999 becomes its last second.
    pub fn from_seconds(seconds: u64) -> Self {
        Self(seconds.min(SECONDS_MAX))
    }

    /// Returns the seconds since 1970.
    pub fn seconds(self) -> u64 {
        self.0
    }

    /// Returns the time this many seconds later.
    #[must_use]
    pub fn plus(self, seconds: u64) -> Self {
        Self::from_seconds(self.0.saturating_add(seconds))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.0 / DAY);
        let (hour, minute, second) = (self.0 % DAY / 3600, self.0 % 3600 / 60, self.0 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// The error for a text that is not `YYYY-MM-DDThh:mm:ssZ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeError;

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time has the form 2026-09-21T14:13:20Z")
    }
}

impl std::error::Error for TimeError {}

impl FromStr for UnixTime {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let number = |at: usize, len: usize| -> Result<u64, TimeError> {
            let digits = text.get(at..at + len).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
            digits.and_then(|digits| digits.parse().ok()).ok_or(TimeError)
        };
        if text.len() != "YYYY-MM-DDThh:mm:ssZ".len() {
            return Err(TimeError);
        }
        let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
        let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
        if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
            return Err(TimeError);
        }
        let days =
            days_before_year(year) + days_before_month(year, month) + day.checked_sub(1).ok_or(TimeError)?;
        let time = Self(days * DAY + hour * 3600 + minute * 60 + second);
        // One spelling for each time: the 31st of June, 24:00 and lower case come back spelled differently.
        if time.to_string() == text { Ok(time) } else { Err(TimeError) }
    }
}

/// Turns days since 1970 into year, month and day.
fn date(days: u64) -> (u64, u64, u64) {
    // A year has at least 365 days, so this is at most a few years late.
    let mut year = 1970 + days / 365;
    while days_before_year(year) > days {
        year -= 1;
    }
    let day = days - days_before_year(year);
    let month = (1..=12).rev().find(|&month| days_before_month(year, month) <= day).unwrap_or(1);
    (year, month, day - days_before_month(year, month) + 1)
}

/// Days from the start of 1970 to the start of a year that is not earlier.
fn days_before_year(year: u64) -> u64 {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

/// Days from the start of a year to the start of a month.
fn days_before_month(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    before[month as usize - 1] + u64::from(leap && month > 2)
}

const DAY: u64 = 24 * 60 * 60;
/// 9999-12-31T23:59:59Z.
const SECONDS_MAX: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_spelled_right() {
        // `date -u -d @N +%FT%TZ`
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_790_000_000, "2026-09-21T14:13:20Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (SECONDS_MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(UnixTime(seconds).to_string(), text);
            assert_eq!(text.parse(), Ok(UnixTime(seconds)));
        }
        assert_eq!(UnixTime::from_seconds(u64::MAX), UnixTime(SECONDS_MAX));
    }

    #[test]
    fn days_follow_each_other() {
        let mut last = String::new();
        for day in (0..SECONDS_MAX / DAY).step_by(5) {
            let text = UnixTime(day * DAY).to_string();
            assert!(text > last, "{text} after {last}");
            assert_eq!(text.parse(), Ok(UnixTime(day * DAY)));
            last = text;
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "",
            "2026-09-21",
            "2026-09-21T14:13:20",
            "2026-09-21T14:13:20z",
            "2026-09-21 14:13:20Z",
            "2026-09-21T14:13:20.0Z",
            "2026-06-31T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-09-21T24:00:00Z",
            "2026-09-21T23:59:60Z",
            "1969-12-31T23:59:59Z",
            "+026-09-21T14:13:20Z",
            "20é6-09-21T14:13:20",
        ] {
            assert_eq!(text.parse::<UnixTime>(), Err(TimeError), "{text}");
        }
    }
}
