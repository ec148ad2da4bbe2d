//! Takes a reply apart while it is written.

use std::sync::Arc;

use stack_chat::Tool;

use super::call::{CallParser, Step, ToolTypes};
use super::event::{ReplyEvent, merged};
use super::format::{CallFormat, ReplyFormat};
use super::marker::{Found, Match, find, starts};
use super::messages::Messages;

/// Takes a reply apart, whatever pieces it arrives in.
///
/// It holds text back only while that may be the beginning of a tag, or white space in front of one. What it reports,
/// put together, depends on the reply alone and not on how it was cut.
#[derive(Clone, Debug)]
pub struct ReplyParser {
    format: Arc<ReplyFormat>,
    tools: ToolTypes,
    /// What has arrived and was not reported; a call stays here until it is complete.
    pending: String,
    state: State,
    /// Whether any text was reported.
    has_text: bool,
    calls: usize,
    /// Takes it apart instead, where it is a row of messages.
    messages: Option<Messages>,
}

#[derive(Clone, Debug)]
enum State {
    /// The text of the answer, or what may become reasoning or a call.
    Text,
    /// Reasoning; whether any of it was reported.
    Reasoning(bool),
    /// A call that begins at the start of what is pending.
    Call(Box<Call>),
    /// Behind a call, where another may follow, or the end of the section.
    Between,
}

#[derive(Clone, Debug)]
struct Call {
    parser: CallParser,
    /// Where the tags end that open it.
    inside: usize,
    /// How much of what is pending the call's parser took.
    taken: usize,
    /// Whether its name was reported.
    is_known: bool,
    /// Whether everything but its closing tag was read.
    is_complete: bool,
}

impl ReplyParser {
    /// Makes a parser for the reply to a prompt that ends with `prompt_end`: a template may have opened the reasoning.
    ///
    /// Without tools, nothing is a call.
    pub fn new(format: Arc<ReplyFormat>, tools: &[Tool], prompt_end: &str) -> Self {
        let reasons =
            format.reasoning.as_ref().is_some_and(|tags| prompt_end.trim_end().ends_with(tags.open.trim()));
        let state = if reasons { State::Reasoning(false) } else { State::Text };
        let messages = format.messages.map(|format| Messages::new(format, prompt_end));
        Self {
            format,
            tools: ToolTypes::new(tools),
            pending: String::new(),
            state,
            has_text: false,
            calls: 0,
            messages,
        }
    }

    /// Takes the next piece of the reply.
    pub fn push(&mut self, text: &str) -> Vec<ReplyEvent> {
        if let Some(messages) = &mut self.messages {
            return messages.push(text, &self.tools);
        }
        self.pending.push_str(text);
        let mut events = Vec::new();
        while self.step(&mut events) {}
        merged(events)
    }

    /// Ends the reply: what was held back is what it is.
    pub fn finish(&mut self) -> Vec<ReplyEvent> {
        if let Some(messages) = &mut self.messages {
            return messages.finish();
        }
        let mut events = Vec::new();
        let rest = std::mem::take(&mut self.pending);
        match std::mem::replace(&mut self.state, State::Text) {
            State::Reasoning(begun) => {
                reasoning(rest.trim_end(), begun, &mut events);
            }
            State::Call(call) if call.is_complete => {
                self.calls += 1;
                events.push(ReplyEvent::CallEnd);
            }
            // It was cut off: what is known of it was reported.
            State::Call(call) if call.is_known => {}
            State::Text | State::Call(_) => self.text(&rest, &mut events),
            State::Between => self.text(rest.trim(), &mut events),
        }
        merged(events)
    }

    /// Ends a reply for which no room was left. What may have become a call and has no name yet is nobody's text.
    pub fn cut(&mut self) -> Vec<ReplyEvent> {
        if let Some(messages) = &mut self.messages {
            return messages.cut(&self.tools);
        }
        match &self.state {
            State::Text => {
                let end = self.opener_at().unwrap_or(self.pending.len());
                self.pending.truncate(end);
            }
            State::Call(call) if !call.is_known => self.pending.clear(),
            State::Between => self.pending.clear(),
            State::Call(_) | State::Reasoning(_) => {}
        }
        self.finish()
    }

    /// Where in the text that is held back a call may begin.
    fn opener_at(&self) -> Option<usize> {
        if self.tools.is_empty() {
            return None;
        }
        if self.format.calls.opener().is_empty() {
            let held = self.pending.trim_start();
            let may_call = !self.has_text && !held.is_empty() && starts(held, PYTHON_TAG) != Match::No;
            return may_call.then_some(0);
        }
        match find(&self.pending, &self.format.calls.opening()) {
            Found::At(at, _) | Found::Perhaps(at) => Some(self.pending[..at].trim_end().len()),
            Found::Nowhere => None,
        }
    }

    /// What was written of the call at hand behind the tags that open it; `None` outside of calls.
    ///
    /// From here on a grammar may bind the model.
    pub fn open_call(&self) -> Option<&str> {
        if let Some(messages) = &self.messages {
            return messages.open_call();
        }
        match &self.state {
            State::Call(call) if !call.is_complete => Some(&self.pending[call.inside..]),
            _ => None,
        }
    }

    /// Whether the reply is inside its reasoning.
    pub fn is_reasoning(&self) -> bool {
        match &self.messages {
            Some(messages) => messages.is_reasoning(),
            None => matches!(self.state, State::Reasoning(_)),
        }
    }

    /// The number of calls that are complete.
    pub fn calls(&self) -> usize {
        self.messages.as_ref().map_or(self.calls, Messages::calls)
    }

    /// Goes on by one part; false if more text must come first.
    fn step(&mut self, events: &mut Vec<ReplyEvent>) -> bool {
        match &mut self.state {
            State::Text => self.step_text(events),
            State::Reasoning(_) => self.step_reasoning(events),
            State::Call(_) => self.step_call(events),
            State::Between => self.step_between(),
        }
    }

    fn step_text(&mut self, events: &mut Vec<ReplyEvent>) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        let format = Arc::clone(&self.format);
        let may_call = !self.tools.is_empty();
        if may_call && format.calls.opener().is_empty() && !self.has_text {
            let trimmed = self.pending.trim_start();
            let spaces = self.pending.len() - trimmed.len();
            match starts(trimmed, PYTHON_TAG) {
                Match::Full(length) if trimmed[length..].trim_start().is_empty() => return false,
                Match::Full(length) if trimmed[length..].trim_start().starts_with('{') => {
                    self.begin_call(spaces + length, spaces);
                    return true;
                }
                Match::Partial => return false,
                Match::Full(_) | Match::No => {}
            }
            if trimmed.starts_with('{') {
                self.begin_call(spaces, spaces);
                return true;
            }
        }
        let reasoning = format.reasoning.as_ref().map_or("", |tags| &tags.open);
        let (opened, closed) =
            format.content.as_ref().map_or(("", ""), |tags| (tags.open.as_str(), tags.close.as_str()));
        let call = if may_call { format.calls.opening() } else { String::new() };
        let found = [reasoning, opened, closed, &call].map(|marker| find(&self.pending, marker));
        let first = (0..found.len()).min_by_key(|&index| found[index].place()).unwrap_or(0);
        match found[first] {
            Found::At(at, length) => {
                let before = self.pending[..at].trim_end().to_owned();
                self.text(&before, events);
                match first {
                    0 => {
                        self.pending.drain(..at + length);
                        self.state = State::Reasoning(false);
                    }
                    3 => self.begin_call(at + length, at),
                    _ => {
                        self.pending.drain(..at + length);
                    }
                }
                true
            }
            Found::Perhaps(at) => {
                self.release(at, events);
                false
            }
            Found::Nowhere => {
                self.release(self.pending.len(), events);
                false
            }
        }
    }

    /// Reports pending text up to a place, but for the white space in front of it.
    fn release(&mut self, end: usize, events: &mut Vec<ReplyEvent>) {
        let end = self.pending[..end].trim_end().len();
        let text: String = self.pending.drain(..end).collect();
        self.text(&text, events);
    }

    /// Reports text. Nothing stands in front of it that only parts it from reasoning or calls.
    fn text(&mut self, text: &str, events: &mut Vec<ReplyEvent>) {
        let text = if self.is_apart() { text.trim_start() } else { text };
        if !text.is_empty() {
            self.has_text = true;
            events.push(ReplyEvent::Text(text.to_owned()));
        }
    }

    fn is_apart(&self) -> bool {
        !self.has_text && (self.format.reasoning.is_some() || self.format.content.is_some() || self.calls > 0)
    }

    fn step_reasoning(&mut self, events: &mut Vec<ReplyEvent>) -> bool {
        let State::Reasoning(begun) = self.state else { return false };
        let close = self.format.reasoning.as_ref().map_or("", |tags| &tags.close);
        let (end, behind) = match find(&self.pending, close) {
            Found::At(at, length) => (at, Some(at + length)),
            Found::Perhaps(at) => (at, None),
            Found::Nowhere => (self.pending.len(), None),
        };
        let piece = self.pending[..end].trim_end();
        let taken = piece.len();
        let begun = begun | reasoning(piece, begun, events);
        self.pending.drain(..behind.unwrap_or(taken));
        self.state = if behind.is_some() { State::Text } else { State::Reasoning(begun) };
        behind.is_some()
    }

    /// Begins a call whose tags end at `inside`; what is in front of `start` was reported.
    fn begin_call(&mut self, inside: usize, start: usize) {
        self.pending.drain(..start);
        let calls = &self.format.calls;
        let is_bare = calls.opener().is_empty();
        let parser = CallParser::new(&calls.shape, calls.closing(), is_bare);
        let call = Call {
            parser,
            inside: inside - start,
            taken: inside - start,
            is_known: false,
            is_complete: false,
        };
        self.state = State::Call(Box::new(call));
    }

    fn step_call(&mut self, events: &mut Vec<ReplyEvent>) -> bool {
        let State::Call(call) = &mut self.state else { return false };
        if !call.is_complete {
            let before = events.len();
            let (taken, step) = call.parser.advance(&self.pending[call.taken..], &self.tools, events);
            call.taken += taken;
            call.is_known |= events.len() > before;
            match step {
                Step::More => return false,
                Step::Done => call.is_complete = true,
                Step::Broken if call.is_known => {
                    // All that follows is text: in a broken call nothing is certain.
                    events.push(ReplyEvent::CallBroken(std::mem::take(&mut self.pending)));
                    self.has_text = true;
                    self.state = State::Text;
                    return false;
                }
                Step::Broken => {
                    // The tag was text. What stands behind it may be a call.
                    self.state = State::Text;
                    let end = call_text_end(&self.pending, &call_opening(&self.format.calls));
                    let text: String = self.pending.drain(..end).collect();
                    self.has_text |= !text.is_empty();
                    events.push(ReplyEvent::Text(text));
                    return true;
                }
            }
        }
        match starts(self.pending[call.taken..].trim_start(), &self.format.calls.call.close) {
            Match::Partial => return false,
            Match::Full(length) => {
                let rest = &self.pending[call.taken..];
                call.taken += rest.len() - rest.trim_start().len() + length;
            }
            // The tag is missing, and nothing else is.
            Match::No => {}
        }
        self.pending.drain(..call.taken);
        self.calls += 1;
        events.push(ReplyEvent::CallEnd);
        self.state = State::Between;
        true
    }

    fn step_between(&mut self) -> bool {
        let rest = self.pending.trim_start();
        let spaces = self.pending.len() - rest.len();
        if rest.is_empty() {
            return false;
        }
        let calls = &self.format.calls;
        let next = calls.separator.as_ref().map(|separator| format!("{separator} {}", calls.call.open));
        let next = next.filter(|next| !next.trim().is_empty());
        let is_bare = calls.opener().is_empty();
        let found = next.as_deref().map_or(Match::No, |next| starts(rest, next));
        let section = &calls.section.close;
        let ended = if section.trim().is_empty() { Match::No } else { starts(rest, section) };
        match (found, ended) {
            (Match::Full(length), _) => self.begin_call(spaces + length, spaces),
            (_, Match::Full(length)) => {
                self.pending.drain(..spaces + length);
                self.state = State::Text;
            }
            (Match::Partial, _) | (_, Match::Partial) => return false,
            // Bare objects may follow each other, with a semicolon between them.
            _ if is_bare && rest.trim_start_matches([';', ',', ' ', '\n']).starts_with('{') => {
                let start = rest.find('{').unwrap_or(0);
                self.begin_call(spaces + start, spaces + start);
            }
            _ if is_bare && rest.trim_start_matches([';', ',', ' ', '\n']).is_empty() => return false,
            _ => {
                self.pending.drain(..spaces);
                self.state = State::Text;
            }
        }
        true
    }
}

/// Reports reasoning; returns whether there was any.
fn reasoning(piece: &str, begun: bool, events: &mut Vec<ReplyEvent>) -> bool {
    let piece = if begun { piece } else { piece.trim_start() };
    if !piece.is_empty() {
        events.push(ReplyEvent::Reasoning(piece.to_owned()));
    }
    !piece.is_empty()
}

fn call_opening(calls: &CallFormat) -> String {
    let opening = calls.opening();
    if opening.trim().is_empty() { "{".to_owned() } else { opening }
}

/// Where the tag ends that opens the call at the beginning of a text.
fn call_text_end(text: &str, opening: &str) -> usize {
    match find(text, opening) {
        Found::At(at, length) => at + length,
        Found::Perhaps(_) | Found::Nowhere => text.len(),
    }
}

/// What Llama may write in front of a call that otherwise has no tag.
const PYTHON_TAG: &str = "<|python_tag|>";
