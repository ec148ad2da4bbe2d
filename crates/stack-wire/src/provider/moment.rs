//! Moments that providers name.

/// Reads a moment as RFC 3339 writes it, in seconds since 1970. Fractions of a second are cut off.
pub(super) fn rfc3339(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let [year, month, day] = numbers(date, '-')?;
    let (clock, offset_s) = match time.find(['Z', 'z', '+', '-']) {
        Some(place) => (&time[..place], offset(&time[place..])?),
        None => return None,
    };
    let [hour, minute, second] = numbers(clock.split('.').next()?, ':')?;
    moment([year, month, day], [hour, minute, second], offset_s)
}

/// Reads a moment as HTTP writes it, such as `Sun, 06 Nov 1994 08:49:37 GMT`, in seconds since 1970.
pub(super) fn http_date(text: &str) -> Option<u64> {
    let rest = text.split_once(", ")?.1.strip_suffix(" GMT")?;
    let mut words = rest.split(' ');
    let day = number(words.next()?)?;
    let name = words.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as i64 + 1;
    let year = number(words.next()?)?;
    let clock = numbers(words.next()?, ':')?;
    if words.next().is_some() { None } else { moment([year, month, day], clock, 0) }
}

/// Counts seconds by Hinnant's `days_from_civil`, for years that begin in March.
fn moment(date: [i64; 3], clock: [i64; 3], offset_s: i64) -> Option<u64> {
    let ([year, month, day], [hour, minute, second]) = (date, clock);
    let fits = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    if !fits {
        return None;
    }
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (shifted_year / 400, shifted_year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    u64::try_from(days * 86_400 + hour * 3600 + minute * 60 + second - offset_s).ok()
}

/// Reads `Z` or a distance from UTC, in seconds.
fn offset(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    Some(sign * (number(hours)? * 3600 + number(minutes)? * 60))
}

fn numbers(text: &str, between: char) -> Option<[i64; 3]> {
    let mut parts = text.split(between).map(number);
    let found = [parts.next()??, parts.next()??, parts.next()??];
    if parts.next().is_some() { None } else { Some(found) }
}

/// Reads a number of at most four digits, which is as long as any in a date.
fn number(text: &str) -> Option<i64> {
    let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_they_are_written() {
        for seconds in [0, 951_782_399, 951_868_799, 1_709_164_800, 1_735_689_599, 4_107_542_400] {
            assert_eq!(rfc3339(&crate::timestamp::rfc3339(seconds)), Some(seconds));
        }
        assert_eq!(rfc3339("2024-02-29T01:30:00.75+01:30"), Some(1_709_164_800));
        assert_eq!(rfc3339("2024-02-28T23:00:00-01:00"), Some(1_709_164_800));
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
    }

    #[test]
    fn anything_else_is_no_moment() {
        for text in [
            "",
            "T",
            "2024-02-29",
            "2024-02-29T00:00:00",
            "2024-13-01T00:00:00Z",
            "2024-02-01T24:00:00Z",
            "99999-01-01T00:00:00Z",
            "2024-02-29T00:00:00+1",
            "1969-12-31T23:59:59Z",
            "a-b-cTd:e:fZ",
            "2024-02-29T00:00:00é",
        ] {
            assert_eq!(rfc3339(text), None, "{text:?}");
        }
        for text in ["", "Sun, 06 Nov 1994", "Sun, 06 Nix 1994 08:49:37 GMT", "06 Nov 1994 08:49:37 GMT"] {
            assert_eq!(http_date(text), None, "{text:?}");
        }
    }
}
