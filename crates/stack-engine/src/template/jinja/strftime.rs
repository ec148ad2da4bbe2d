//! Dates as C's `strftime` writes them in the C locale, which is what Python's `datetime.strftime` calls.

use jiff::Zoned;
use jiff::civil::Weekday;

use super::fault::{Fault, Outcome};

/// Writes a moment by a format. Like Python's `datetime.now()`, the moment has no time zone to show.
pub(super) fn strftime(format: &str, now: &Zoned) -> Outcome<String> {
    if format.len() > FORMAT_BYTES_MAX {
        return Err(Fault::failed("strftime_now: the format is too long"));
    }
    let mut out = String::new();
    write(format, now, &mut out)?;
    Ok(out)
}

fn write(format: &str, now: &Zoned, out: &mut String) -> Outcome<()> {
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let flags = rest.len() - rest.trim_start_matches(['-', '_', '0', '^', '#']).len();
        let (flags, behind) = rest.split_at(flags);
        let digits = behind.len() - behind.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let width = if digits == 0 { None } else { behind[..digits].parse::<usize>().ok() };
        if digits > 0 && width.is_none_or(|width| width > WIDTH_MAX) {
            return Err(Fault::exhausted("strftime_now: a width is too large"));
        }
        let behind = behind[digits..].trim_start_matches(['E', 'O']);
        let Some(directive) = behind.chars().next() else {
            out.push('%');
            continue;
        };
        if let Some(field) = field(directive, now)? {
            field.write(flags, width, out);
        } else {
            // What is no directive stands for itself.
            out.push('%');
            out.push_str(&rest[..rest.len() - behind.len()]);
            out.push(directive);
        }
        rest = &behind[directive.len_utf8()..];
    }
    out.push_str(rest);
    Ok(())
}

/// What a directive writes: a number with a width and what fills it up, or a text.
enum Field {
    Number(i64, usize, char),
    Text(String),
}

impl Field {
    fn write(self, flags: &str, width: Option<usize>, out: &mut String) {
        let flag = flags.chars().rev().find(|flag| matches!(flag, '-' | '_' | '0'));
        let (text, width, fill) = match self {
            Self::Number(value, own_width, own_fill) => {
                let fill = match flag {
                    Some('_') => ' ',
                    Some('0') => '0',
                    _ => own_fill,
                };
                let width = if flag == Some('-') { 0 } else { width.unwrap_or(own_width) };
                (value.to_string(), width, fill)
            }
            Self::Text(text) => (text, width.unwrap_or(0), if flag == Some('0') { '0' } else { ' ' }),
        };
        let text = match (flags.contains('^'), flags.contains('#'), text.as_str()) {
            // The other case, which for most is upper.
            (_, true, "AM" | "PM") => text.to_lowercase(),
            (true, _, _) | (_, true, _) => text.to_uppercase(),
            _ => text,
        };
        out.extend(std::iter::repeat_n(fill, width.saturating_sub(text.chars().count())));
        out.push_str(&text);
    }
}

fn field(directive: char, now: &Zoned) -> Outcome<Option<Field>> {
    let zeros = |value: i64, width: usize| Field::Number(value, width, '0');
    let blanks = |value: i64, width: usize| Field::Number(value, width, ' ');
    let text = |text: &str| Field::Text(text.to_owned());
    let nested = |format: &str| -> Outcome<Field> {
        let mut out = String::new();
        write(format, now, &mut out)?;
        Ok(Field::Text(out))
    };
    let (year, month, hour) =
        (i64::from(now.year()), usize::from(now.month().unsigned_abs()), i64::from(now.hour()));
    let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
    let day_of_year = i64::from(now.day_of_year());
    let from_sunday = i64::from(now.weekday().to_sunday_zero_offset());
    let from_monday = i64::from(now.weekday().to_monday_zero_offset());
    let iso = now.date().iso_week_date();
    Ok(Some(match directive {
        'Y' => zeros(year, 1),
        'C' => zeros(year.div_euclid(100), 2),
        'y' => zeros(year.rem_euclid(100), 2),
        'm' => zeros(month as i64, 2),
        'd' => zeros(i64::from(now.day()), 2),
        'e' => blanks(i64::from(now.day()), 2),
        'H' => zeros(hour, 2),
        'I' => zeros(hour12, 2),
        'k' => blanks(hour, 2),
        'l' => blanks(hour12, 2),
        'M' => zeros(i64::from(now.minute()), 2),
        'S' => zeros(i64::from(now.second()), 2),
        'f' => Field::Text(format!("{:06}", now.subsec_nanosecond() / 1000)),
        'j' => zeros(day_of_year, 3),
        'u' => zeros(if from_sunday == 0 { 7 } else { from_sunday }, 1),
        'w' => zeros(from_sunday, 1),
        'U' => zeros((day_of_year + 6 - from_sunday) / 7, 2),
        'W' => zeros((day_of_year + 6 - from_monday) / 7, 2),
        'V' => zeros(i64::from(iso.week()), 2),
        'G' => zeros(i64::from(iso.year()), 1),
        'g' => zeros(i64::from(iso.year()).rem_euclid(100), 2),
        's' => zeros(now.timestamp().as_second(), 1),
        'a' => text(&day_name(now.weekday())[..3]),
        'A' => text(day_name(now.weekday())),
        'b' | 'h' => text(&MONTHS[month - 1][..3]),
        'B' => text(MONTHS[month - 1]),
        'p' => text(if hour < 12 { "AM" } else { "PM" }),
        'P' => text(if hour < 12 { "am" } else { "pm" }),
        'c' => nested("%a %b %e %H:%M:%S %Y")?,
        'x' | 'D' => nested("%m/%d/%y")?,
        'X' | 'T' => nested("%H:%M:%S")?,
        'F' => nested("%Y-%m-%d")?,
        'R' => nested("%H:%M")?,
        'r' => nested("%I:%M:%S %p")?,
        'n' => text("\n"),
        't' => text("\t"),
        '%' => text("%"),
        'z' | 'Z' => text(""),
        _ => return Ok(None),
    }))
}

fn day_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const FORMAT_BYTES_MAX: usize = 256;
const WIDTH_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(format: &str) -> Outcome<String> {
        strftime(format, &"2025-07-06T23:30:05.001234+02:00[+02:00]".parse().unwrap())
    }

    #[test]
    fn the_date_is_local_and_looks_as_in_python() {
        for (format, text) in [
            ("%d %b %Y", "06 Jul 2025"),
            ("%A, %-d %B %Y %H:%M:%S", "Sunday, 6 July 2025 23:30:05"),
            ("%c|%x|%X|%f", "Sun Jul  6 23:30:05 2025|07/06/25|23:30:05|001234"),
            ("%e|%_d|%03d|%I %p|%j|%U|%W|%V|%G|%u|%w", " 6| 6|006|11 PM|187|27|26|27|2025|7|0"),
            ("%F %T %R %D %r", "2025-07-06 23:30:05 23:30 07/06/25 11:30:05 PM"),
            ("%^a%%%n%z%Z|%!|%", "SUN%\n|%!|%"),
        ] {
            assert_eq!(shown(format).unwrap(), text, "{format}");
        }
    }

    #[test]
    fn wide_fields_and_long_formats_are_errors() {
        assert!(shown("%999999999d").is_err());
        assert!(shown(&"%Y".repeat(200)).is_err());
    }
}
