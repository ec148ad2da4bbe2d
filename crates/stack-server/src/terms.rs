//! How a caller wants to be served, as headers of the request say it in every dialect.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use stack_chat::{Failure, Priority, Tier};

/// How a caller wants to be served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) priority: Priority,
    /// How long the caller waits for the whole answer.
    pub(crate) deadline: Option<Duration>,
    /// How far the request may reach, as far as its head says it.
    pub(crate) tier: Option<Tier>,
}

impl Terms {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// Names the header whose value is not one of those that it may have.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Failure> {
        let text =
            |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim());
        let priority = match text(&PRIORITY) {
            None | Some("interactive") => Priority::Interactive,
            Some("batch") => Priority::Batch,
            Some(_) => {
                let problem = "x-stack-priority must be `interactive` or `batch`";
                return Err(Failure::invalid(PRIORITY.as_str(), problem));
            }
        };
        let deadline = text(&DEADLINE).map(|value| {
            let milliseconds =
                value.parse().ok().filter(|milliseconds| (1..=DEADLINE_MS_MAX).contains(milliseconds));
            milliseconds.map(Duration::from_millis).ok_or_else(|| {
                let problem = format!("x-stack-deadline-ms must be a number from 1 to {DEADLINE_MS_MAX}");
                Failure::invalid(DEADLINE.as_str(), problem)
            })
        });
        let tier = text(&PRIVACY).map(|value| {
            Tier::from_name(value).ok_or_else(|| {
                let problem = "x-stack-privacy must be `sovereign`, `private` or `standard`";
                Failure::invalid(PRIVACY.as_str(), problem)
            })
        });
        Ok(Self { priority, deadline: deadline.transpose()?, tier: tier.transpose()? })
    }
}

const PRIORITY: HeaderName = HeaderName::from_static("x-stack-priority");
const PRIVACY: HeaderName = HeaderName::from_static("x-stack-privacy");
const DEADLINE: HeaderName = HeaderName::from_static("x-stack-deadline-ms");
/// A day.
const DEADLINE_MS_MAX: u64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(name: &'static str, value: &'static str) -> Result<Terms, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        Terms::read(&headers)
    }

    #[test]
    fn without_headers_somebody_waits_for_as_long_as_it_takes() {
        assert_eq!(Terms::read(&HeaderMap::new()), Ok(Terms::default()));
    }

    #[test]
    fn headers_are_honoured() {
        let patient = Terms { priority: Priority::Batch, ..Terms::default() };
        assert_eq!(terms("x-stack-priority", "batch"), Ok(patient));
        let deadline = Some(Duration::from_millis(1500));
        let hurried = Terms { deadline, ..Terms::default() };
        assert_eq!(terms("x-stack-deadline-ms", "1500"), Ok(hurried));
    }

    #[test]
    fn another_value_is_refused_by_the_name_of_its_header() {
        for (name, value) in [
            ("x-stack-priority", "urgent"),
            ("x-stack-priority", ""),
            ("x-stack-deadline-ms", "0"),
            ("x-stack-deadline-ms", "-5"),
            ("x-stack-deadline-ms", "1e3"),
            ("x-stack-deadline-ms", "86400001"),
            ("x-stack-privacy", "public"),
            ("x-stack-privacy", ""),
        ] {
            assert_eq!(terms(name, value).unwrap_err().field.as_deref(), Some(name), "{value:?}");
        }
    }
}
