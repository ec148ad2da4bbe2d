//! The parts of one answer, and the text that may leave.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use stack_chat::{ChatEvent, Failure, FinishReason, Fragment, PartKind, TokenLogprob};

use super::parts::Parts;
use crate::grammar::{Constraint, Mask};
use crate::reply::{ReplyEvent, ReplyFormat, ReplyParser};
use crate::stop::StopMatcher;
use crate::tokenizer::{Detokenizer, TokenKind, Tokenizer};

/// Turns the tokens of one choice into the parts of its answer, and says which tokens may come.
pub(super) struct Answer {
    /// `None` if the model has no vocabulary: then its tokens have no text.
    text: Option<Text>,
    stop: StopMatcher,
    reply: Option<Reply>,
    binding: Binding,
    parts: Parts,
    reasoning_tokens: u32,
}

/// From tokens to text.
struct Text {
    tokenizer: Tokenizer,
    detokenizer: Detokenizer,
}

/// How the text of a reply is taken apart.
#[derive(Clone)]
pub(super) struct Reply {
    pub(super) format: Arc<ReplyFormat>,
    pub(super) parser: ReplyParser,
    /// The most calls that an answer may have.
    pub(super) calls_max: usize,
}

/// From where on a grammar binds.
#[derive(Clone)]
pub(super) enum Binding {
    /// Nowhere.
    Free,
    /// From the first token.
    Bound(Constraint),
    /// From the end of the reasoning that the prompt has begun.
    AfterReasoning(Constraint),
    /// Inside each call: the grammar of one, and where the call at hand stands in it.
    InCalls { call: Constraint, now: Option<Constraint>, is_tried: bool },
}

/// What came of a token.
pub(super) struct Heard {
    pub(super) events: Vec<ChatEvent>,
    /// How the answer ends here, if it does.
    pub(super) end: Option<End>,
}

/// How an answer ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) reason: FinishReason,
    /// The stop text in which it ends, if it is one.
    pub(super) stop: Option<String>,
}

impl End {
    fn because(reason: FinishReason) -> Self {
        Self { reason, stop: None }
    }

    fn at(stop: String) -> Self {
        Self { reason: FinishReason::Stop, stop: Some(stop) }
    }
}

impl Answer {
    pub(super) fn new(
        choice: u32,
        tokenizer: Option<&Tokenizer>,
        stop: &[String],
        reply: Option<Reply>,
        binding: Binding,
    ) -> Self {
        Self {
            text: tokenizer.map(|tokenizer| Text {
                tokenizer: tokenizer.clone(),
                detokenizer: tokenizer.continuation(),
            }),
            stop: StopMatcher::new(stop),
            reply,
            binding,
            parts: Parts::new(choice),
            reasoning_tokens: 0,
        }
    }

    /// Which tokens may come next; `None` if all may.
    pub(super) fn mask(&mut self) -> Result<Option<Mask>, Failure> {
        let constraint = match &mut self.binding {
            Binding::Bound(constraint) | Binding::InCalls { now: Some(constraint), .. } => constraint,
            Binding::Free | Binding::AfterReasoning(_) | Binding::InCalls { now: None, .. } => {
                return Ok(None);
            }
        };
        constraint.mask().map(Some).map_err(|error| Failure::internal(format!("the grammar failed: {error}")))
    }

    /// Whether this token ends the answer.
    pub(super) fn is_end(&self, token: u32) -> bool {
        self.text.as_ref().is_some_and(|text| text.tokenizer.is_end_of_generation(token))
    }

    /// The bytes of a token as one would show it.
    pub(super) fn piece(&self, token: u32) -> &[u8] {
        self.text.as_ref().map_or(&[], |text| text.tokenizer.piece(token))
    }

    /// How many of its tokens are reasoning.
    pub(super) fn reasoning_tokens(&self) -> u32 {
        self.reasoning_tokens
    }

    /// Takes the next token of the answer.
    pub(super) fn push(&mut self, token: u32, described: TokenLogprob) -> Result<Heard, Failure> {
        self.parts.take(described);
        if let Binding::Bound(constraint) | Binding::InCalls { now: Some(constraint), .. } = &mut self.binding
        {
            let failed = |error| Failure::internal(format!("the grammar failed: {error}"));
            constraint.accept(token).map_err(failed)?;
        }
        let mut events = Vec::new();
        let mut text = self.text.as_mut().map(|text| text.detokenizer.push(token)).unwrap_or_default();
        text.push_str(&self.marker(token));
        let was_reasoning = self.is_reasoning();
        let end = self.hear(&text, &mut events);
        // The token that opens or closes the reasoning is no answer either.
        self.reasoning_tokens += u32::from(was_reasoning || self.is_reasoning());
        self.rebind();
        if events.is_empty() {
            self.parts.tokens_alone(self.reply.is_none(), &mut events);
        }
        Ok(Heard { events, end })
    }

    /// Ends the answer: with the token that ends it, or because there is no room left.
    pub(super) fn finish(&mut self, end: Option<u32>) -> Heard {
        let mut events = Vec::new();
        let mut text = self.text.as_mut().map(|text| text.detokenizer.flush()).unwrap_or_default();
        text.push_str(&end.map(|token| self.marker(token)).unwrap_or_default());
        let heard = self.hear(&text, &mut events);
        let rest = self.reply.as_mut().map(|reply| match end {
            None => reply.parser.cut(),
            Some(_) => reply.parser.finish(),
        });
        for event in rest.unwrap_or_default() {
            self.part(event, &mut events);
        }
        let held = self.stop.finish();
        self.parts.add(Fragment::Text(held), &mut events);
        self.parts.tokens_alone(true, &mut events);
        self.parts.close(&mut events);
        let called = self.reply.as_ref().is_some_and(|reply| reply.parser.calls() > 0);
        let usual = match end {
            None => FinishReason::Length,
            Some(_) if called => FinishReason::ToolCalls,
            Some(_) => FinishReason::Stop,
        };
        Heard { events, end: Some(heard.unwrap_or(End::because(usual))) }
    }

    /// Closes the part at hand, because the answer ends with the token that was taken last.
    pub(super) fn close(&mut self, events: &mut Vec<ChatEvent>) {
        self.parts.tokens_alone(true, events);
        self.parts.close(events);
    }

    /// What a control token spells, if the format of replies gives it a meaning.
    fn marker(&self, token: u32) -> String {
        let Some(Text { tokenizer, .. }) = &self.text else { return String::new() };
        let is_control = tokenizer.kind(token) == TokenKind::Control || tokenizer.is_end_of_generation(token);
        let piece = String::from_utf8_lossy(tokenizer.piece(token));
        match &self.reply {
            Some(reply) if is_control && reply.format.has_marker(&piece) => piece.into_owned(),
            _ => String::new(),
        }
    }

    fn is_reasoning(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| reply.parser.is_reasoning())
    }

    /// Takes text in; returns how the answer ends in it.
    fn hear(&mut self, text: &str, events: &mut Vec<ChatEvent>) -> Option<End> {
        let Some(reply) = &mut self.reply else {
            let step = self.stop.push(text);
            self.parts.add(Fragment::Text(step.emit), events);
            return step.stopped.map(End::at);
        };
        for event in reply.parser.push(text) {
            let is_call_end = event == ReplyEvent::CallEnd;
            if let Some(stop) = self.part(event, events) {
                return Some(End::at(stop));
            }
            let is_full = self.reply.as_ref().is_some_and(|reply| reply.parser.calls() >= reply.calls_max);
            if is_call_end && is_full {
                return Some(End::because(FinishReason::ToolCalls));
            }
        }
        None
    }

    /// Makes a piece of a reply a part of the answer; returns the stop text that ends the answer in it.
    fn part(&mut self, event: ReplyEvent, events: &mut Vec<ChatEvent>) -> Option<String> {
        if !matches!(event, ReplyEvent::Text(_)) {
            // Stop texts are looked for in what is said, and what is said ends here.
            let held = self.stop.finish();
            self.parts.add(Fragment::Text(held), events);
        }
        match event {
            ReplyEvent::Text(text) | ReplyEvent::CallBroken(text) => {
                let step = self.stop.push(&text);
                self.parts.add(Fragment::Text(step.emit), events);
                return step.stopped;
            }
            ReplyEvent::Reasoning(text) => self.parts.add(Fragment::Thinking(text), events),
            ReplyEvent::CallStart { id, name } => {
                let id = id.unwrap_or_else(new_id);
                self.parts.start(PartKind::ToolCall { id, name }, events);
            }
            ReplyEvent::Arguments(text) => self.parts.add(Fragment::Arguments(text), events),
            ReplyEvent::CallEnd => self.parts.close(events),
        }
        None
    }

    /// Lets the grammar begin or cease to bind, as the reply goes from one of its parts to the next.
    fn rebind(&mut self) {
        let Some(reply) = &self.reply else { return };
        match &mut self.binding {
            Binding::Free | Binding::Bound(_) => {}
            Binding::AfterReasoning(constraint) => {
                if !reply.parser.is_reasoning() {
                    self.binding = Binding::Bound(constraint.clone());
                }
            }
            Binding::InCalls { call, now, is_tried } => match reply.parser.open_call() {
                None => (*now, *is_tried) = (None, false),
                Some(written) if !*is_tried => {
                    *is_tried = true;
                    let mut begun = call.clone();
                    // One that has gone astray within its first token stays what it is: text.
                    *now = begun.accept_text(written).then_some(begun);
                }
                Some(_) => {}
            },
        }
    }
}

/// An identifier that no other call has.
fn new_id() -> String {
    let random = || RandomState::new().hash_one(0_u8);
    format!("call_{:016x}{:08x}", random(), random() as u32)
}
