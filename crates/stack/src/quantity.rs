//! Large numbers as people read them.

/// Shows bytes in the unit that suits.
pub(crate) fn bytes(bytes: u64) -> String {
    scaled(bytes as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

/// Shows a count in thousands, millions or billions.
pub(crate) fn count(count: u64) -> String {
    scaled(count as f64, 1000.0, &["", "thousand", "million", "billion", "trillion"])
}

/// Parses bytes as people write them: `1500`, `500k`, `10M`, `1.5GB`; letters mean powers of 1000, with an `i` powers
/// of 1024.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("expected bytes, such as 500k or 10M, not {text:?}");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().map_err(|_| wrong())?;
    let unit = text[end..].trim().to_ascii_lowercase();
    let unit = unit.strip_suffix("/s").unwrap_or(&unit);
    let unit = unit.strip_suffix('b').unwrap_or(unit);
    let (base, power) = match unit.strip_suffix('i') {
        Some(prefix) => (1024_f64, prefix),
        None => (1000_f64, unit),
    };
    let power = match power {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return Err(wrong()),
    };
    let bytes = number * base.powi(power);
    if (1.0..=1e18).contains(&bytes) { Ok(bytes as u64) } else { Err(wrong()) }
}

fn scaled(mut number: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while number >= step && unit + 1 < units.len() {
        number /= step;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && number < 100.0);
    format!("{number:.digits$} {}", units[unit]).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_people_write_them() {
        for (text, expected) in
            [("1500", 1500), ("500k", 500_000), ("1.5MB/s", 1_500_000), ("4GiB", 4 << 30), ("2 M", 2_000_000)]
        {
            assert_eq!(parse_bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "0", "k", "-1", "1x", "1.2.3", "1e9", "inf", "9999999999G"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

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
}
