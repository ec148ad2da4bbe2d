//! Calls whose arguments stand between tags of their own.

use serde_json::Value as Json;

use super::call::{Step, ToolTypes};
use super::event::ReplyEvent;
use super::format::Tags;
use super::marker::{Found, Match, find, starts};
use super::object_call::HEAD_BYTES_MAX;

/// A call such as `NAME <arg_key>K</arg_key> <arg_value>V</arg_value>`.
///
/// An argument leaves when its value is complete, because only then is it known which JSON it is.
#[derive(Clone, Debug)]
pub(super) struct TaggedCall {
    after_name: String,
    key: Tags,
    value: Tags,
    /// What stands behind the last argument.
    close: String,
    name: Option<String>,
    arguments: usize,
}

impl TaggedCall {
    pub(super) fn new(after_name: &str, key: &Tags, value: &Tags, close: &str) -> Self {
        Self {
            after_name: after_name.to_owned(),
            key: key.clone(),
            value: value.clone(),
            close: close.to_owned(),
            name: None,
            arguments: 0,
        }
    }

    pub(super) fn advance(
        &mut self,
        rest: &str,
        tools: &ToolTypes,
        events: &mut Vec<ReplyEvent>,
    ) -> (usize, Step) {
        let mut at = 0;
        if self.name.is_none() {
            match self.head(rest) {
                Err(step) => return (0, step),
                Ok((name, length)) => {
                    events.push(ReplyEvent::CallStart { id: None, name: name.clone() });
                    self.name = Some(name);
                    at = length;
                }
            }
        }
        loop {
            at = rest.len() - rest[at..].trim_start().len();
            match (starts(&rest[at..], &self.key.open), starts(&rest[at..], &self.close)) {
                (Match::Full(length), _) => match self.argument(&rest[at + length..]) {
                    Ok((key, value, taken)) => {
                        self.send(&key, &value, tools, events);
                        at += length + taken;
                    }
                    Err(step) => return (at, step),
                },
                (_, Match::Full(_)) => {
                    let end = if self.arguments == 0 { "{}" } else { "}" };
                    events.push(ReplyEvent::Arguments(end.to_owned()));
                    return (at, Step::Done);
                }
                (Match::Partial, _) | (_, Match::Partial) => return (at, Step::More),
                (Match::No, Match::No) => return (at, Step::Broken),
            }
        }
    }

    /// Reads the name, which ends where its tag, the first argument or the call's end begins.
    fn head(&self, rest: &str) -> Result<(String, usize), Step> {
        let ends = [(&self.after_name, true), (&self.key.open, false), (&self.close, false)];
        let found = ends.map(|(marker, is_taken)| (find(rest, marker), is_taken));
        let (first, is_taken) =
            found.into_iter().min_by_key(|(found, _)| found.place()).ok_or(Step::Broken)?;
        let Found::At(end, length) = first else {
            return Err(if rest.len() > HEAD_BYTES_MAX { Step::Broken } else { Step::More });
        };
        let name = rest[..end].trim();
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || "<>\"'`{}".contains(c)) {
            return Err(Step::Broken);
        }
        Ok((name.to_owned(), if is_taken { end + length } else { end }))
    }

    /// Reads one argument behind the tag that opens its key.
    fn argument(&self, rest: &str) -> Result<(String, String, usize), Step> {
        let behind = format!("{}{}", self.key.close, self.value.open);
        let (key_end, opened) = match find(rest, &behind) {
            Found::At(at, length) => (at, at + length),
            Found::Perhaps(_) | Found::Nowhere => return Err(Step::More),
        };
        let Found::At(length, close) = find(&rest[opened..], &self.value.close) else {
            return Err(Step::More);
        };
        let value = &rest[opened..opened + length];
        // The white space that belongs to the tags does not belong to the value.
        let leading = &behind[behind.trim_end().len()..];
        let trailing = &self.value.close[..self.value.close.len() - self.value.close.trim_start().len()];
        let value = value.strip_prefix(leading).unwrap_or(value);
        let value = value.strip_suffix(trailing).unwrap_or(value);
        Ok((rest[..key_end].trim().to_owned(), value.to_owned(), opened + length + close))
    }

    fn send(&mut self, key: &str, value: &str, tools: &ToolTypes, events: &mut Vec<ReplyEvent>) {
        let tool = self.name.as_deref().unwrap_or_default();
        let before = if self.arguments == 0 { "{" } else { ", " };
        let value = tools.json(tool, key, value);
        events.push(ReplyEvent::Arguments(format!("{before}{}: {value}", Json::from(key))));
        self.arguments += 1;
    }
}
