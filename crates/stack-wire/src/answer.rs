//! A whole answer, and what writes answers down in a dialect.

use stack_chat::{
    Answerer, ChatEvent, Citation, Failure, FinishReason, Json, Message, Opaque, Part, PartKind, Role,
    Timings, TokenLogprob, ToolCall, Unused, Usage,
};

use crate::sse;

/// How a dialect writes an answer down: as one body when it is complete, or event by event while it is generated.
///
/// Most dialects stream server-sent events and have one for a failure; what is so with those stands here.
pub trait AnswerWriter: Send + Sync {
    /// Takes in who answers, where that was not known from the beginning. It comes before the first event.
    fn answered_by(&mut self, answerer: &Answerer);

    /// Renders a complete answer.
    fn whole(&self, answer: &Answer) -> String;

    /// Appends what one event adds to the stream; after the last event that includes what ends the stream.
    fn event(&mut self, event: &ChatEvent, out: &mut String);

    /// Appends how a stream ends that failed.
    fn failure(&mut self, failure: &Failure, out: &mut String);

    /// Returns what shows that a silent stream lives.
    fn alive(&self) -> &'static str {
        sse::PING
    }

    /// Returns the media type of a stream.
    fn media_type(&self) -> &'static str {
        sse::MEDIA_TYPE
    }

    /// Tells whether a stream that failed is also cut off below, because the dialect has no event for a failure and
    /// a client might take the end for a good one.
    fn cuts_off(&self) -> bool {
        false
    }
}

/// An answer, put together from its events.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The choices, by their numbers.
    pub choices: Vec<Choice>,
    /// Tokens counted.
    pub usage: Usage,
    /// Time spent.
    pub timings: Timings,
    /// The seed that the draw used.
    pub seed: u64,
    /// What of the request had no effect.
    pub unused: Vec<Unused>,
    complete: bool,
}

/// One choice of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// Its parts and their text.
    pub parts: Vec<(PartKind, String)>,
    /// What the provider wants back, each with the number of its part.
    pub opaque: Vec<(u32, Opaque)>,
    /// The sources that it names, each with the number of the part that does.
    pub citations: Vec<(u32, Citation)>,
    /// Its tokens, where log-probabilities were asked for.
    pub tokens: Vec<TokenLogprob>,
    /// Why it ended; `None` before that.
    pub finish: Option<FinishReason>,
    /// The stop text in which it ended, if it was one.
    pub stop: Option<String>,
}

impl Answer {
    /// Waits for an answer of `choices` choices.
    pub fn new(choices: u32) -> Self {
        Self {
            choices: vec![Choice::default(); choices as usize],
            usage: Usage::default(),
            timings: Timings::default(),
            seed: 0,
            unused: Vec::new(),
            complete: false,
        }
    }

    /// Takes in one event.
    ///
    /// # Panics
    ///
    /// If the event is about a choice that was not asked for, or about a part that has not begun.
    pub fn push(&mut self, event: ChatEvent) {
        match event {
            ChatEvent::Started { seed, unused, .. } => (self.seed, self.unused) = (seed, unused),
            ChatEvent::PartEnded { .. } | ChatEvent::Alive => {}
            ChatEvent::PartStarted { choice, kind, .. } => {
                self.choices[choice as usize].parts.push((kind, String::new()));
            }
            ChatEvent::Delta(delta) => {
                let choice = &mut self.choices[delta.choice as usize];
                choice.parts[delta.part as usize].1.push_str(delta.fragment.as_str());
                choice.tokens.extend(delta.tokens);
            }
            ChatEvent::OpaqueAdded { choice, part, opaque } => {
                self.choices[choice as usize].opaque.push((part, opaque));
            }
            ChatEvent::CitationAdded { choice, part, citation } => {
                self.choices[choice as usize].citations.push((part, citation));
            }
            ChatEvent::Usage(usage) => self.usage = usage,
            ChatEvent::Finished { choice, reason, stop } => {
                let choice = &mut self.choices[choice as usize];
                (choice.finish, choice.stop) = (Some(reason), stop);
            }
            ChatEvent::Done { usage, timings } => {
                (self.usage, self.timings, self.complete) = (usage, timings, true);
            }
        }
    }

    /// Tells whether its last event has come.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

impl Choice {
    /// Returns the message that a conversation continues with: its parts, each followed by what the provider wants
    /// back with it.
    pub fn message(&self) -> Message {
        let mut parts = Vec::with_capacity(self.parts.len() + self.opaque.len());
        for (number, (kind, text)) in (0_u32..).zip(&self.parts) {
            parts.push(match kind {
                PartKind::Text => Part::Text(text.clone()),
                PartKind::Thinking => Part::Thinking(text.clone()),
                PartKind::Refusal => Part::Refusal(text.clone()),
                PartKind::ToolCall { id, name } => Part::ToolCall(ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: Json(arguments(text).to_owned()),
                }),
            });
            let of_part = self.opaque.iter().filter(|(part, _)| *part == number);
            parts.extend(of_part.map(|(_, opaque)| Part::Opaque(opaque.clone())));
        }
        Message { role: Role::Assistant, name: None, parts }
    }

    /// Returns what the provider wants back with a part.
    pub(crate) fn opaque_of(&self, part: u32) -> Option<&Opaque> {
        self.opaque.iter().rfind(|(number, _)| *number == part).map(|(_, opaque)| opaque)
    }

    /// Returns its text, all parts of it together; `None` if it has no such part.
    pub(crate) fn text(&self) -> Option<String> {
        self.joined(|kind| *kind == PartKind::Text)
    }

    /// Returns what the model thought.
    pub(crate) fn thinking(&self) -> Option<String> {
        self.joined(|kind| *kind == PartKind::Thinking)
    }

    /// Returns why the model refused.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.joined(|kind| *kind == PartKind::Refusal)
    }

    /// Iterates over its tool calls: identifier, name, arguments.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.numbered_calls().map(|(_, call)| call)
    }

    /// Returns the same, each with the number of its part.
    pub(crate) fn numbered_calls(&self) -> impl Iterator<Item = (u32, (&str, &str, &str))> {
        (0..).zip(&self.parts).filter_map(|(number, (kind, text))| match kind {
            PartKind::ToolCall { id, name } => Some((number, (id.as_str(), name.as_str(), arguments(text)))),
            _ => None,
        })
    }

    fn joined(&self, is_wanted: impl Fn(&PartKind) -> bool) -> Option<String> {
        let wanted: Vec<_> =
            self.parts.iter().filter(|(kind, _)| is_wanted(kind)).map(|(_, text)| text.as_str()).collect();
        (!wanted.is_empty()).then(|| wanted.concat())
    }
}

/// A call without arguments has none, which is an object too.
pub(crate) fn arguments(text: &str) -> &str {
    if text.trim().is_empty() { "{}" } else { text }
}

#[cfg(test)]
mod tests {
    use stack_chat::{Delta, Fragment};

    use super::*;

    #[test]
    fn parts_are_the_concatenation_of_their_fragments_however_they_interleave() {
        let call = PartKind::ToolCall { id: "c".into(), name: "f".into() };
        let start = |part, kind| ChatEvent::PartStarted { choice: 0, part, kind };
        let delta =
            |part, fragment| ChatEvent::Delta(Delta { choice: 0, part, fragment, tokens: Vec::new() });
        let mut answer = Answer::new(1);
        for event in [
            start(0, PartKind::Text),
            start(1, call),
            delta(0, Fragment::Text("a".into())),
            delta(1, Fragment::Arguments("{\"x\"".into())),
            delta(0, Fragment::Text("b".into())),
            delta(1, Fragment::Arguments(":1}".into())),
            ChatEvent::Finished { choice: 0, reason: FinishReason::ToolCalls, stop: None },
        ] {
            answer.push(event);
        }
        let choice = &answer.choices[0];
        assert_eq!(choice.text().as_deref(), Some("ab"));
        assert_eq!(choice.calls().collect::<Vec<_>>(), [("c", "f", "{\"x\":1}")]);
        assert_eq!((choice.thinking(), answer.is_complete()), (None, false));
        answer.push(ChatEvent::Done { usage: Usage::default(), timings: Timings::default() });
        assert!(answer.is_complete());
    }
}
