//! Which failure a provider means, where it says so in its own way.

use std::time::Duration;

use serde_json::Value;
use stack_chat::FailureKind;

use super::pointer::{Pointer, STARS_MAX};
use crate::provider::wait;

/// The rows by which errors are told apart, those with phrases behind all others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Classifier {
    pub(super) exact: Vec<Row>,
    pub(super) phrases: Vec<Row>,
}

/// One row: what an error looks like, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) status: Option<u16>,
    pub(super) test: Option<Test>,
    pub(super) kind: FailureKind,
    /// Where it says when to ask again.
    pub(super) retry_after: Option<Pointer>,
}

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// A value of the body is this one.
    Is(Pointer, Value),
    /// A header is this text.
    Header(String, String),
    /// A text of the body holds this phrase. Fragile, and only there where a provider says it no other way.
    Has(Pointer, String),
}

/// An error as it came.
#[derive(Clone, Copy, Debug)]
pub(in crate::provider) struct Told<'a> {
    pub(in crate::provider) status: Option<u16>,
    pub(in crate::provider) headers: &'a [(&'a str, &'a str)],
    pub(in crate::provider) body: &'a Value,
}

/// What a row says of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::provider) struct Verdict {
    pub(in crate::provider) kind: FailureKind,
    pub(in crate::provider) wait: Option<Duration>,
}

impl Classifier {
    /// Judges by the rows that look at values.
    pub(super) fn exact(&self, told: Told<'_>) -> Option<Verdict> {
        first(&self.exact, told)
    }

    /// Judges by the rows that look for phrases.
    pub(super) fn phrase(&self, told: Told<'_>) -> Option<Verdict> {
        first(&self.phrases, told)
    }
}

fn first(rows: &[Row], told: Told<'_>) -> Option<Verdict> {
    let row = rows.iter().find(|row| row.fits(told))?;
    Some(Verdict {
        kind: row.kind,
        wait: row.retry_after.as_ref().and_then(|pointer| wait_at(pointer, told.body)),
    })
}

impl Row {
    fn fits(&self, told: Told<'_>) -> bool {
        let at = |pointer: &Pointer| pointer.get(told.body, &[0; STARS_MAX]).cloned();
        self.status.is_none_or(|status| told.status == Some(status))
            && self.test.as_ref().is_none_or(|test| match test {
                Test::Is(pointer, value) => at(pointer).as_ref() == Some(value),
                Test::Has(pointer, phrase) => {
                    at(pointer).is_some_and(|value| value.as_str().is_some_and(|text| text.contains(phrase)))
                }
                Test::Header(name, value) => {
                    told.headers.iter().any(|(other, text)| other.eq_ignore_ascii_case(name) && text == value)
                }
            })
    }
}

/// Reads seconds, or a text such as `1m30s`.
fn wait_at(pointer: &Pointer, body: &Value) -> Option<Duration> {
    match pointer.get(body, &[0; STARS_MAX])? {
        Value::String(text) => wait::span(text),
        Value::Number(number) => wait::span(&number.to_string()),
        _ => None,
    }
}
