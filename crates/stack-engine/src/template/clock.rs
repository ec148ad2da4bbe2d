//! `strftime_now(format)`: the date, as templates ask for it.

use jiff::Zoned;
use jiff::fmt::strtime;
use minijinja::{Error, ErrorKind, Value};

/// Makes the function for one moment, in that moment's own time zone.
pub(super) fn strftime_now(now: &Zoned) -> Value {
    let now = now.clone();
    Value::from_function(move |format: &str| -> Result<String, Error> {
        if format.len() > FORMAT_BYTES_MAX || has_width(format) {
            return Err(Error::new(ErrorKind::InvalidOperation, "strftime_now: unusual date format"));
        }
        strtime::format(format, &now).map_err(|error| {
            Error::new(
                ErrorKind::InvalidOperation,
                format!("strftime_now({format:?}) is not possible: {error}"),
            )
        })
    })
}

/// Returns whether a directive asks for a width, which may be as large as it likes.
fn has_width(format: &str) -> bool {
    format.split('%').skip(1).any(|directive| {
        let directive = directive.trim_start_matches(['-', '_', '0', '^', '#', '+', ':', '.']);
        directive.starts_with(|c: char| c.is_ascii_digit()) && !directive.starts_with(['3', '6', '9'])
    })
}

const FORMAT_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use minijinja::{Environment, context};

    use super::*;

    fn shown(format: &str) -> Result<String, Error> {
        let now: Zoned = "2025-07-26T23:30:05+02:00[+02:00]".parse().unwrap();
        let context = context! { strftime_now => strftime_now(&now), format };
        Environment::new().render_str("{{ strftime_now(format) }}", context)
    }

    #[test]
    fn the_date_is_local() {
        assert_eq!(shown("%d %b %Y").unwrap(), "26 Jul 2025");
        assert_eq!(shown("%Y-%m-%d").unwrap(), "2025-07-26");
        assert_eq!(shown("%A, %-d %B %Y %H:%M:%S").unwrap(), "Saturday, 26 July 2025 23:30:05");
    }

    #[test]
    fn wide_and_unknown_directives_are_errors() {
        assert!(shown("%999999999d").is_err());
        assert!(shown("%!").is_err());
    }
}
