//! How a caller wants to be served, as headers of the request say it in every dialect.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use stack_chat::{Commit, Failure, Fallback, Priority, Tier};

/// How a caller wants to be served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) priority: Priority,
    /// How long the caller waits for the whole answer.
    pub(crate) deadline: Option<Duration>,
    /// How far the request may reach, as far as its head says it.
    pub(crate) tier: Option<Tier>,
    /// When the answer is the caller's.
    pub(crate) commit: Option<Commit>,
    /// Whether another model may stand in.
    pub(crate) fallback: Option<Fallback>,
    /// Who asks, and in which conversation, as the caller names them.
    pub(crate) user: Option<String>,
    pub(crate) session: Option<String>,
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
        let commit = text(&COMMIT).map(|value| {
            let problem = "x-stack-commit must be `output` or `proof`";
            Commit::from_name(value).ok_or_else(|| Failure::invalid(COMMIT.as_str(), problem))
        });
        let fallback = text(&FALLBACK).map(|value| match value {
            "allowed" => Ok(Fallback::Allowed),
            "off" => Ok(Fallback::Off),
            _ => Err(Failure::invalid(FALLBACK.as_str(), "x-stack-fallback must be `allowed` or `off`")),
        });
        let name = |header: &HeaderName| {
            text(header).map(|value| match value.len() {
                1..=NAME_BYTES_MAX => Ok(value.to_owned()),
                _ => Err(Failure::invalid(
                    header.as_str(),
                    format!("{header} has 1 to {NAME_BYTES_MAX} bytes"),
                )),
            })
        };
        Ok(Self {
            priority,
            deadline: deadline.transpose()?,
            tier: tier.transpose()?,
            commit: commit.transpose()?,
            fallback: fallback.transpose()?,
            user: name(&USER).transpose()?,
            session: name(&SESSION).transpose()?,
        })
    }
}

const PRIORITY: HeaderName = HeaderName::from_static("x-stack-priority");
const PRIVACY: HeaderName = HeaderName::from_static("x-stack-privacy");
const DEADLINE: HeaderName = HeaderName::from_static("x-stack-deadline-ms");
const COMMIT: HeaderName = HeaderName::from_static("x-stack-commit");
const FALLBACK: HeaderName = HeaderName::from_static("x-stack-fallback");
const USER: HeaderName = HeaderName::from_static("x-stack-user");
const SESSION: HeaderName = HeaderName::from_static("x-stack-session");
const NAME_BYTES_MAX: usize = 256;
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
        let sure = Terms { commit: Some(Commit::Proof), ..Terms::default() };
        assert_eq!(terms("x-stack-commit", "proof"), Ok(sure));
        let alone = Terms { fallback: Some(Fallback::Off), ..Terms::default() };
        assert_eq!(terms("x-stack-fallback", "off"), Ok(alone));
        let talks = Terms { session: Some("s-1".to_owned()), ..Terms::default() };
        assert_eq!(terms("x-stack-session", "s-1"), Ok(talks));
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
            ("x-stack-commit", "never"),
            ("x-stack-fallback", "no"),
            ("x-stack-session", ""),
        ] {
            assert_eq!(terms(name, value).unwrap_err().field.as_deref(), Some(name), "{value:?}");
        }
    }
}
