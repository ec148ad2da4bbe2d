//! Reads off a template how its model writes replies.
//!
//! ```text
//! render a reply with text, with reasoning, with one call, with two calls
//! what stands around the text in all of them is the end of a turn
//! what stands around the reasoning are its tags
//! between the calls: the end of one, a separator, the beginning of the next
//! inside a call: JSON with the name, or the name and then JSON, or neither: tags, or literals
//! read the rendered calls with the format that was found; if they do not come out, it is not the format
//! ```

use std::sync::Arc;

use serde_json::Value as Json;

use super::event::ReplyEvent;
use super::format::{CallFormat, CallShape, IdStyle, MessageFormat, ReplyFormat, Tags};
use super::parser::ReplyParser;
use super::probe::{
    self, CALLS, KEYS, NUMBER, Probe, REASONING, TEXT, VALUE, common_prefix, common_suffix, to_tag,
};
use crate::template::ChatTemplate;

impl ReplyFormat {
    /// Infers the format of the replies that a template continues.
    ///
    /// Where a template writes no calls, or writes them in a way that is not understood, the format is that of Hermes,
    /// in which calls are then also shown to the model.
    pub fn of(template: &ChatTemplate) -> Self {
        let Some(probe) = Probe::new(template) else { return Self::default() };
        if probe.prompt().trim_end().ends_with("<|start|>assistant")
            && template.source().contains("<|channel|>")
        {
            return Self { messages: Some(MessageFormat::Harmony), ..Self::default() };
        }
        if probe.prompt().ends_with(">>>") && probe.calls(1).is_some_and(|calls| has_recipient(&calls)) {
            return Self {
                messages: Some(MessageFormat::Recipients),
                calls: to_recipients(),
                ..Self::default()
            };
        }
        let reasoning = reasoning(&probe, template);
        let said = probe.reply(&serde_json::json!({ "content": TEXT }));
        let (before, behind) = said.as_deref().and_then(|said| said.split_once(TEXT)).unwrap_or_default();
        let frame = Frame { before, behind, reasoning: reasoning.as_ref() };
        let found = calls(&probe, &frame).filter(|calls| {
            let format = Self { reasoning: reasoning.clone(), calls: calls.clone(), ..Self::default() };
            is_understood(&probe, format)
        });
        let content = found.as_ref().and_then(|_| frame.content());
        Self { reasoning, content, calls: found.unwrap_or_default(), messages: None }
    }
}

/// Whether a call that stands behind a mark begins with a line that names its tool.
fn has_recipient(call: &str) -> bool {
    call.strip_prefix(CALLS[0].name).is_some_and(|behind| behind.starts_with("\n{"))
}

/// How calls are written that name their tool as the recipient of a message.
fn to_recipients() -> CallFormat {
    CallFormat {
        section: Tags::default(),
        call: Tags::default(),
        separator: Some(">>>".to_owned()),
        shape: CallShape::Named { separator: "\n".to_owned(), id: IdStyle::Absent },
    }
}

/// What stands around the text of a reply.
struct Frame<'a> {
    before: &'a str,
    behind: &'a str,
    reasoning: Option<&'a Tags>,
}

impl Frame<'_> {
    /// Cuts what is written in front of every reply off what stands in front of a call.
    fn strip<'a>(&self, text: &'a str) -> &'a str {
        let text = text.strip_prefix(self.before).unwrap_or(text);
        self.without_reasoning(text)
    }

    /// Cuts empty reasoning off the beginning of a text.
    fn without_reasoning<'a>(&self, text: &'a str) -> &'a str {
        let Some(tags) = self.reasoning else { return text };
        let Some((reasoning, behind)) = text.split_once(tags.close.trim()) else { return text };
        let is_empty = reasoning.trim().strip_prefix(tags.open.trim()).unwrap_or(reasoning.trim()).is_empty();
        if is_empty { behind } else { text }
    }

    /// The end of a turn, as it stands behind a call too.
    fn end<'a>(&self, behind_call: &'a str) -> &'a str {
        if behind_call.ends_with(self.behind) {
            return &behind_call[behind_call.len() - self.behind.len()..];
        }
        from_tag(common_suffix(behind_call, self.behind))
    }

    /// The tags that some models write around text.
    fn content(&self) -> Option<Tags> {
        let open = self.without_reasoning(self.before).trim();
        let close = self.behind.find(['<', '[']).and_then(|at| {
            let close = &self.behind[at..];
            let end = close.find(['>', ']'])?;
            // A turn that ends with a single tag has none around its text.
            (!close[end + 1..].trim().is_empty()).then(|| close[..=end].to_owned())
        });
        (!open.is_empty()).then(|| Tags::new(open, close.unwrap_or_default()))
    }
}

/// Finds what encloses reasoning.
fn reasoning(probe: &Probe<'_>, template: &ChatTemplate) -> Option<Tags> {
    let fields = serde_json::json!({
        "content": TEXT, "reasoning_content": REASONING, "thinking": REASONING, "reasoning": REASONING,
    });
    let shown = probe.reply(&fields).and_then(|reply| {
        let (before, behind) = reply.split_once(REASONING)?;
        let close = behind.split_once(TEXT)?.0;
        // The tag that opens it may stand in the prompt already.
        let before = if before.trim().is_empty() { last_tag(probe.prompt())? } else { before };
        (!close.trim().is_empty()).then(|| Tags::new(from_last_tag(before), close))
    });
    // A template that leaves reasoning out of earlier turns still names the tags: it cuts them off, or writes them into
    // the prompt.
    shown.or_else(|| {
        let known = REASONING_TAGS.iter().find(|(open, close)| {
            let source = template.source();
            source.contains(close) && (source.contains(open) || probe.prompt().contains(open))
        });
        known.map(|(open, close)| Tags::new(*open, *close))
    })
}

/// Finds how calls are written.
fn calls(probe: &Probe<'_>, frame: &Frame<'_>) -> Option<CallFormat> {
    let one = probe.calls(1)?;
    let first = Call::find(&one, 0)?;
    let (opening, closing) = (frame.strip(&one[..first.start]), &one[first.end..]);
    let closing = closing.strip_suffix(frame.end(closing)).unwrap_or(closing);
    let two = probe.calls(2);
    let between = two.as_deref().and_then(|two| {
        let first = Call::find(two, 0)?;
        let second = Call::find(&two[first.end..], 1)?;
        Some(&two[first.end..first.end + second.start])
    });
    let Some(between) = between else {
        let call = Tags::new(opening, closing);
        return Some(CallFormat { section: Tags::default(), call, separator: None, shape: first.shape });
    };
    let open = from_tag(common_suffix(between, opening));
    let close = to_tag(common_prefix(&between[..between.len() - open.len()], closing));
    let separator = &between[close.len()..between.len() - open.len()];
    Some(CallFormat {
        section: Tags::new(opening.strip_suffix(open).unwrap_or_default(), &closing[close.len()..]),
        call: Tags::new(open, close),
        separator: Some(separator.to_owned()),
        shape: first.shape,
    })
}

/// A call that was found in a rendered reply.
struct Call {
    shape: CallShape,
    start: usize,
    end: usize,
}

impl Call {
    /// Finds the call of a probe.
    fn find(text: &str, index: usize) -> Option<Self> {
        let call = &CALLS[index];
        let name = text.find(call.name);
        name.and_then(|at| Self::object(text, at, index))
            .or_else(|| Self::named(text, name, index))
            .or_else(|| Self::apart(text, name?, call.name))
    }

    /// A JSON object around the name.
    fn object(text: &str, name_at: usize, index: usize) -> Option<Self> {
        let call = &CALLS[index];
        let braces = text[..name_at].rmatch_indices('{').map(|(at, _)| at);
        braces.take(BRACES_MAX).find_map(|start| {
            let (value, length) = json_at(&text[start..])?;
            let key_of = |wanted: &dyn Fn(&Json) -> bool| {
                value.as_object()?.iter().find(|(_, value)| wanted(value)).map(|(key, _)| key.clone())
            };
            let shape = CallShape::Object {
                name: key_of(&|value| value == call.name)?,
                arguments: key_of(&|value| value.get(KEYS[0]).is_some_and(|value| value == VALUE))?,
                id: key_of(&|value| value == call.id),
            };
            Some(Self { shape, start, end: start + length })
        })
    }

    /// The name, or an identifier that holds it, and a JSON object behind it.
    fn named(text: &str, name: Option<usize>, index: usize) -> Option<Self> {
        let call = &CALLS[index];
        let (start, head) = match name {
            Some(at) => (at, call.name),
            None => (text.find(call.id)?, call.id),
        };
        let behind = start + head.len();
        let brace = behind + text[behind..].find('{')?;
        let (value, length) = json_at(&text[brace..])?;
        (value.get(KEYS[0])? == VALUE).then_some(())?;
        let between = &text[behind..brace];
        let (separator, id) = match (name, between.split_once(call.id)) {
            (None, _) => (between, IdStyle::AroundName),
            (Some(_), Some((before, separator))) => (separator, IdStyle::AfterName(before.to_owned())),
            (Some(_), None) => (between, IdStyle::Absent),
        };
        let shape = CallShape::Named { separator: separator.to_owned(), id };
        Some(Self { shape, start, end: brace + length })
    }

    /// The name, and each argument by itself.
    fn apart(text: &str, start: usize, name: &str) -> Option<Self> {
        let mut at = start + name.len();
        let mut gaps = Vec::new();
        for word in [KEYS[0], VALUE, KEYS[1], NUMBER] {
            let gap = text[at..].find(word)?;
            gaps.push(&text[at..at + gap]);
            at += gap + word.len();
        }
        let &[after_name, to_text, between, to_number] = gaps.as_slice() else { return None };
        let behind = &text[at..];
        if to_text != to_number {
            let quote = to_text.strip_prefix(to_number)?;
            let separator = between.strip_prefix(quote)?;
            let close = match after_name.trim() {
                "(" => ")",
                "{" => "}",
                _ => return None,
            };
            let end = at + behind.find(close)? + close.len();
            let shape = CallShape::Literal {
                arguments: Tags::new(after_name, close),
                assign: to_number.to_owned(),
                quote: quote.to_owned(),
                separator: separator.to_owned(),
            };
            return Some(Self { shape, start, end });
        }
        let key = from_tag(common_suffix(between, after_name));
        let close = to_tag(common_prefix(&between[..between.len() - key.len()], behind));
        if key.is_empty() || close.trim().is_empty() {
            return None;
        }
        let shape = CallShape::Tagged {
            after_name: after_name.strip_suffix(key)?.to_owned(),
            key: Tags::new(key, to_text),
            value: Tags::new("", close),
        };
        Some(Self { shape, start, end: at + close.len() })
    }
}

/// Whether the calls that the template wrote are read with this format as what they are.
fn is_understood(probe: &Probe<'_>, format: ReplyFormat) -> bool {
    let count = if format.calls.separator.is_some() { 2 } else { 1 };
    let Some(reply) = probe.calls(count) else { return false };
    let tools = probe::tools();
    let mut parser = ReplyParser::new(Arc::new(format), &tools, "");
    let mut events = parser.push(&reply);
    events.extend(parser.finish());
    let mut calls = Vec::new();
    for event in events {
        match event {
            ReplyEvent::CallStart { name, .. } => calls.push((name, String::new())),
            ReplyEvent::Arguments(text) => {
                if let Some((_, arguments)) = calls.last_mut() {
                    arguments.push_str(&text);
                }
            }
            ReplyEvent::CallBroken(_) => return false,
            ReplyEvent::Text(_) | ReplyEvent::Reasoning(_) | ReplyEvent::CallEnd => {}
        }
    }
    let expected = serde_json::json!({ KEYS[0]: VALUE, KEYS[1]: 90210 });
    calls.len() == count
        && calls.iter().zip(&CALLS).all(|((name, arguments), call)| {
            // Where identifiers stand for names, the probe's is no name.
            (name == call.name || name == call.id)
                && serde_json::from_str::<Json>(arguments).is_ok_and(|arguments| arguments == expected)
        })
}

/// The JSON value at the beginning of a text, and its length.
fn json_at(text: &str) -> Option<(Json, usize)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Json>();
    let value = values.next()?.ok()?;
    Some((value, values.byte_offset()))
}

/// Cuts off a text what stands in front of its first tag, if it has one: ends that two texts share begin at a tag.
fn from_tag(text: &str) -> &str {
    text.find(['<', '[']).map_or(text, |at| &text[at..])
}

/// The last tag of a text.
fn last_tag(text: &str) -> Option<&str> {
    text.trim_end().ends_with(['>', ']']).then(|| from_last_tag(text))
}

fn from_last_tag(text: &str) -> &str {
    let tag = text.trim_end();
    tag.rfind(['<', '[']).map_or(tag, |at| &tag[at..])
}

/// Tags that models reason between.
const REASONING_TAGS: [(&str, &str); 5] = [
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<seed:think>", "</seed:think>"),
    ("<|channel>thought", "<channel|>"),
];
/// How far out the object around a name is looked for.
const BRACES_MAX: usize = 4;
