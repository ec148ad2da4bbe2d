//! Items of replies.

use std::collections::BTreeMap;

use serde_json::Value;
use stack_chat::{Citation, Failure, Fragment, PartKind};

use super::REASONING;
use crate::provider::events::Events;
use crate::provider::object::Object;

/// An item that has begun.
#[derive(Debug)]
pub(super) enum Item {
    /// What the model says: its contents, by their numbers and whether they refuse, as far as they have begun.
    Message(BTreeMap<(u64, bool), u32>),
    /// What it thinks.
    Reasoning(Option<Thought>),
    /// A call, and whether any of its arguments have come.
    Call { part: u32, input: Input, has_arguments: bool },
    /// An item that has no meaning here.
    Other,
}

/// A thought that has begun.
#[derive(Debug)]
pub(super) struct Thought {
    part: u32,
    /// Which of its paragraphs is being written.
    paragraph: u64,
}

/// What the arguments of a call are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A JSON object.
    Object,
    /// Any text, which becomes the one field of an object.
    Text,
}

impl Item {
    /// Begins an item.
    pub(super) fn begin(item: Object<'_>, events: &mut Events) -> Result<Self, Failure> {
        let input = match item.require_text("type")? {
            "message" => return Ok(Self::Message(BTreeMap::new())),
            "reasoning" => return Ok(Self::Reasoning(None)),
            "function_call" => Input::Object,
            "custom_tool_call" => Input::Text,
            other => {
                events.facts.unknown("output item", other);
                return Ok(Self::Other);
            }
        };
        let part = events.open_call(Some(item.require_text("call_id")?), item.require_text("name")?)?;
        if input == Input::Text {
            events.add(part, Fragment::Arguments("{\"input\":\"".to_owned()));
        }
        Ok(Self::Call { part, input, has_arguments: false })
    }

    /// Takes in more of what is said in content `number`.
    pub(super) fn say(
        &mut self,
        number: u64,
        fragment: Fragment,
        events: &mut Events,
    ) -> Result<(), Failure> {
        let Self::Message(contents) = self else { return Ok(()) };
        let is_refusal = matches!(fragment, Fragment::Refusal(_));
        let part = if let Some(part) = contents.get(&(number, is_refusal)) {
            *part
        } else {
            let part = events.open(if is_refusal { PartKind::Refusal } else { PartKind::Text })?;
            contents.insert((number, is_refusal), part);
            part
        };
        events.add(part, fragment);
        Ok(())
    }

    /// Adds a source to content `number`.
    pub(super) fn cite(&self, number: u64, citation: Citation, events: &mut Events) {
        if let Self::Message(contents) = self
            && let Some(part) = contents.get(&(number, false))
        {
            events.citation(*part, citation);
        }
    }

    /// Takes in more of a thought; its paragraphs are numbered.
    pub(super) fn think(&mut self, paragraph: u64, text: &str, events: &mut Events) -> Result<(), Failure> {
        let Self::Reasoning(thought) = self else { return Ok(()) };
        let thought = match thought {
            Some(thought) => thought,
            None => thought.insert(Thought { part: events.open(PartKind::Thinking)?, paragraph }),
        };
        if std::mem::replace(&mut thought.paragraph, paragraph) != paragraph {
            events.add(thought.part, Fragment::Thinking("\n\n".to_owned()));
        }
        events.add(thought.part, Fragment::Thinking(text.to_owned()));
        Ok(())
    }

    /// Takes in more of the arguments of a call.
    pub(super) fn argue(&mut self, text: &str, events: &mut Events) {
        let Self::Call { part, input, has_arguments } = self else { return };
        *has_arguments = true;
        let text = match input {
            Input::Object => text.to_owned(),
            Input::Text => escaped(text),
        };
        events.add(*part, Fragment::Arguments(text));
    }

    /// Ends an item, which is given once more as a whole. What has not come before comes now.
    pub(super) fn end(mut self, item: Object<'_>, events: &mut Events) -> Result<Ending, Failure> {
        let mut ending = Ending::default();
        let begun = match &self {
            Self::Message(contents) => contents.keys().copied().collect(),
            _ => Vec::new(),
        };
        match &self {
            Self::Message(_) => {
                for (number, content) in (0_u64..).zip(item.objects("content", "item.content[]")?) {
                    let fragment = match content.require_text("type")? {
                        "output_text" => Fragment::Text(content.require_text("text")?.to_owned()),
                        "refusal" => Fragment::Refusal(content.require_text("refusal")?.to_owned()),
                        other => {
                            events.facts.unknown("content part", other);
                            continue;
                        }
                    };
                    let is_refusal = matches!(fragment, Fragment::Refusal(_));
                    ending.has_refusal |= is_refusal;
                    if !begun.contains(&(number, is_refusal)) {
                        self.say(number, fragment, events)?;
                        for source in content.objects("annotations", "item.content[].annotations[]")? {
                            self.cite(number, citation(source)?, events);
                        }
                    }
                }
            }
            Self::Reasoning(None) => {
                let summary = item.objects("summary", "item.summary[]")?;
                let paragraphs =
                    if summary.is_empty() { item.objects("content", "item.content[]")? } else { summary };
                for (number, paragraph) in (0_u64..).zip(paragraphs) {
                    self.think(number, paragraph.require_text("text")?, events)?;
                }
            }
            Self::Call { has_arguments: false, input, .. } => {
                let name = if *input == Input::Object { "arguments" } else { "input" };
                self.argue(item.text(name)?.unwrap_or_default(), events);
            }
            Self::Reasoning(Some(_)) | Self::Call { .. } | Self::Other => {}
        }
        match self {
            Self::Message(contents) => contents.into_values().for_each(|part| events.close(part)),
            Self::Reasoning(thought) => {
                let is_encrypted = item.text("encrypted_content")?.is_some_and(|text| !text.is_empty());
                let part = match thought {
                    Some(thought) => Some(thought.part),
                    None if is_encrypted => Some(events.open(PartKind::Thinking)?),
                    None => None,
                };
                if let Some(part) = part {
                    if is_encrypted {
                        events.opaque(part, REASONING, item.json());
                    }
                    events.close(part);
                }
            }
            Self::Call { part, input, .. } => {
                if input == Input::Text {
                    events.add(part, Fragment::Arguments("\"}".to_owned()));
                }
                events.close(part);
                ending.has_call = true;
            }
            Self::Other => {}
        }
        Ok(ending)
    }
}

/// What an item was that matters for how the reply ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ending {
    pub(super) has_call: bool,
    pub(super) has_refusal: bool,
}

/// Reads a source.
pub(super) fn citation(source: Object<'_>) -> Result<Citation, Failure> {
    let text = |name| source.text(name).map(|text| text.map(str::to_owned));
    Ok(Citation { url: text("url")?, title: text("title")?.or(text("filename")?), quote: None })
}

/// Writes a text as the inside of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}
