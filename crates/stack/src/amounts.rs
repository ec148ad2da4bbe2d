//! Amounts on the command line: lengths of time and numbers of bytes.

use std::time::Duration;

/// Reads a time such as `90s`, `30m`, `1h` or `7d`; `0` needs no unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = scaled(text, &[("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)])?;
    Ok(Duration::from_secs(seconds))
}

/// Reads a number of bytes such as `700MB`, `4GB` or `4GiB`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
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
    match scaled(text, &units)? {
        0 => Err("must be greater than zero".to_owned()),
        bytes => Ok(bytes),
    }
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Result<u64, String> {
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
    fn amounts_have_units() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("7d"), Ok(Duration::from_hours(7 * 24)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert_eq!((bytes("4GB"), bytes("4GiB"), bytes("7B")), (Ok(4_000_000_000), Ok(4 << 30), Ok(7)));
        for text in ["", "1", "h", "-1h", "+1h", "1.5h", "99999999999999999999d", "1w"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(bytes("0").is_err() && bytes("0B").is_err() && bytes("20000000TB").is_err());
    }
}
