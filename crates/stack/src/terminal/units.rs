//! Amounts with units: as people read them, and as they type them.

use std::time::Duration;

/// Shows bytes in the unit that suits.
pub(crate) fn bytes(bytes: u64) -> String {
    in_unit(bytes as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

/// Shows a count in thousands, millions or billions.
pub(crate) fn count(count: u64) -> String {
    in_unit(count as f64, 1000.0, &["", "thousand", "million", "billion", "trillion"])
}

fn in_unit(mut number: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while number >= step && unit + 1 < units.len() {
        number /= step;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && number < 100.0);
    format!("{number:.digits$} {}", units[unit]).trim_end().to_owned()
}

/// Reads a time such as `90s`, `30m`, `1h` or `7d`; `0` needs no unit.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let seconds = times_unit(text, &[("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)])?;
    Ok(Duration::from_secs(seconds))
}

/// Reads a number of bytes such as `700MB`, `4GB` or `4GiB`.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let units = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("KB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("B", 1),
    ];
    match times_unit(text, &units)? {
        0 => Err("must be greater than zero".to_owned()),
        bytes => Ok(bytes),
    }
}

fn times_unit(text: &str, units: &[(&str, u64)]) -> Result<u64, String> {
    if text == "0" {
        return Ok(0);
    }
    let unit = units.iter().find_map(|&(unit, factor)| Some((text.strip_suffix(unit)?, factor)));
    let known = || units.iter().map(|(unit, _)| *unit).collect::<Vec<_>>().join(", ");
    let (number, factor) = unit.ok_or_else(|| format!("needs a unit: {}", known()))?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { number.parse::<u64>().ok() } else { None };
    number.and_then(|number| number.checked_mul(factor)).ok_or_else(|| "is out of range".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_suits_the_number() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(4_800_000_000), "4.5 GiB");
        assert_eq!(bytes(u64::MAX), "16777216 TiB");
        assert_eq!(count(512), "512");
        assert_eq!(count(596_049_920), "596 million");
        assert_eq!(count(7_241_732_096), "7.2 billion");
    }

    #[test]
    fn amounts_have_units() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_hours(7 * 24)));
        assert_eq!(parse_duration("0"), Ok(Duration::ZERO));
        assert_eq!(
            (parse_bytes("4GB"), parse_bytes("4GiB"), parse_bytes("7B")),
            (Ok(4_000_000_000), Ok(4 << 30), Ok(7))
        );
        for text in ["", "1", "h", "-1h", "+1h", "1.5h", "99999999999999999999d", "1w"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert!(
            parse_bytes("0").is_err() && parse_bytes("0B").is_err() && parse_bytes("20000000TB").is_err()
        );
    }
}
