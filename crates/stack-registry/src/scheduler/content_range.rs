//! The header `Content-Range`.

use std::ops::Range;

/// Which bytes a reply with status 206 holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// The bytes; never empty.
    pub range: Range<u64>,
    /// The length of the whole, if the server knows it.
    pub total: Option<u64>,
}

impl ContentRange {
    /// Parses `bytes FIRST-LAST/TOTAL`, where TOTAL may be `*`. Returns `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (unit, rest) = text.split_once(' ')?;
        let (range, total) = rest.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let total = if total == "*" { None } else { Some(number(total)?) };
        let end = last.checked_add(1)?;
        let sound = first <= last && total.is_none_or(|total| end <= total);
        (unit.eq_ignore_ascii_case("bytes") && sound).then_some(Self { range: first..end, total })
    }
}

/// Parses digits and nothing else.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_half_open() {
        let parsed = ContentRange::parse("bytes 0-499/1234").unwrap();
        assert_eq!(parsed, ContentRange { range: 0..500, total: Some(1234) });
        assert_eq!(ContentRange::parse("Bytes 5-5/*").unwrap(), ContentRange { range: 5..6, total: None });
    }

    #[test]
    fn nonsense_is_no_range() {
        for text in [
            "",
            "bytes",
            "bytes */1234",
            "bytes 0-499",
            "bytes 9-8/10",
            "bytes 0-10/10",
            "bytes -5-9/10",
            "bytes 0-18446744073709551615/*",
            "bytes 0-18446744073709551616/*",
            "items 0-1/2",
            "bytes +0-1/2",
            "bytes 0-1/",
            "bytes 0 - 1/2",
            "bytes  0-1/2",
            "bytes 0-1/2/3",
        ] {
            assert_eq!(ContentRange::parse(text), None, "{text:?}");
        }
    }
}
