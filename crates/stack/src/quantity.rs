//! Large numbers as people read them.

/// Shows bytes in the unit that suits.
pub(crate) fn bytes(bytes: u64) -> String {
    scaled(bytes as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

/// Shows a count in thousands, millions or billions.
pub(crate) fn count(count: u64) -> String {
    scaled(count as f64, 1000.0, &["", "thousand", "million", "billion", "trillion"])
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
