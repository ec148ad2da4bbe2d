//! The harmony format of gpt-oss: a reply is a row of messages, and each header says what its message holds.
//!
//! ```text
//! <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{…}<|call|>
//! ```
//!
//! Source: `docs/format.md` of openai/harmony. `analysis` is reasoning, `final` is the answer, `commentary` is a call if
//! it has a recipient and else text (the model announces calls there).

use super::event::ReplyEvent;
use super::json_scan::{JsonScanner, Scan};
use super::marker::{Found, find};

/// The state of a reply in this format.
#[derive(Clone, Debug)]
pub(super) struct Harmony {
    pending: String,
    state: State,
    calls: usize,
    /// What was read of the call at hand, with its header.
    raw: String,
}

#[derive(Clone, Debug)]
enum State {
    /// Inside a header.
    Header,
    Reasoning,
    Text,
    /// Inside the arguments of a call.
    Call(JsonScanner),
    /// Behind the arguments of a call.
    CallDone,
}

impl Harmony {
    pub(super) fn new(prompt_end: &str) -> Self {
        // A caller may continue a message that has begun: then its header lies in the prompt.
        let header = prompt_end.rfind(START).map_or("", |at| &prompt_end[at..]);
        let state = match header.split_once(MESSAGE) {
            Some((header, _)) if is_reasoning(header) => State::Reasoning,
            Some(_) => State::Text,
            None => State::Header,
        };
        let pending = if header.contains(MESSAGE) { String::new() } else { header.to_owned() };
        Self { pending, state, calls: 0, raw: String::new() }
    }

    pub(super) fn push(&mut self, text: &str) -> Vec<ReplyEvent> {
        self.pending.push_str(text);
        let mut events = Vec::new();
        while self.step(&mut events) {}
        events
    }

    pub(super) fn finish(&mut self) -> Vec<ReplyEvent> {
        let rest = std::mem::take(&mut self.pending);
        match std::mem::replace(&mut self.state, State::Header) {
            // A header without a message says nothing, unless it is none.
            State::Header if rest.contains(CHANNEL) || rest.trim().is_empty() || rest.starts_with(START) => {
                Vec::new()
            }
            State::Header | State::Text if !rest.is_empty() => vec![ReplyEvent::Text(rest)],
            State::Reasoning if !rest.is_empty() => vec![ReplyEvent::Reasoning(rest)],
            State::CallDone => {
                self.calls += 1;
                vec![ReplyEvent::CallEnd]
            }
            State::Header | State::Text | State::Reasoning | State::Call(_) => Vec::new(),
        }
    }

    /// What was written of the arguments of the call at hand.
    pub(super) fn open_call(&self) -> Option<&str> {
        let behind = self.raw.find(MESSAGE).map_or(0, |at| at + MESSAGE.len());
        matches!(self.state, State::Call(_)).then(|| &self.raw[behind..])
    }

    pub(super) fn calls(&self) -> usize {
        self.calls
    }

    pub(super) fn is_reasoning(&self) -> bool {
        matches!(self.state, State::Reasoning)
    }

    fn step(&mut self, events: &mut Vec<ReplyEvent>) -> bool {
        match &mut self.state {
            State::Header => {
                let Found::At(at, length) = find(&self.pending, MESSAGE) else { return false };
                let header: String = self.pending.drain(..at + length).collect();
                self.state = match recipient(&header) {
                    Some(name) => {
                        events.push(ReplyEvent::CallStart { id: None, name });
                        self.raw = header;
                        State::Call(JsonScanner::new())
                    }
                    None if is_reasoning(&header) => State::Reasoning,
                    None => State::Text,
                };
                true
            }
            State::Reasoning | State::Text => {
                let is_text = matches!(self.state, State::Text);
                let ends = [END, RETURN, CALL, START].map(|marker| find(&self.pending, marker));
                let first = ends.into_iter().min_by_key(|found| found.place()).unwrap_or(Found::Nowhere);
                let end = first.place().min(self.pending.len());
                let text: String = self.pending.drain(..end).collect();
                if !text.is_empty() {
                    events.push(if is_text { ReplyEvent::Text(text) } else { ReplyEvent::Reasoning(text) });
                }
                let Found::At(_, length) = first else { return false };
                self.pending.drain(..length);
                self.state = State::Header;
                true
            }
            State::Call(scanner) => {
                let (length, scan) = scanner.scan(&self.pending);
                let text: String = self.pending.drain(..length).collect();
                self.raw.push_str(&text);
                if !text.is_empty() {
                    events.push(ReplyEvent::Arguments(text));
                }
                match scan {
                    Scan::More => false,
                    Scan::Done => {
                        self.state = State::CallDone;
                        true
                    }
                    Scan::Bad => {
                        events.push(ReplyEvent::CallBroken(std::mem::take(&mut self.raw)));
                        self.state = State::Text;
                        true
                    }
                }
            }
            State::CallDone => {
                let ends = [CALL, END, START].map(|marker| find(&self.pending, marker));
                let first = ends.into_iter().min_by_key(|found| found.place()).unwrap_or(Found::Nowhere);
                let Found::At(at, length) = first else { return false };
                self.pending.drain(..at + length);
                self.calls += 1;
                events.push(ReplyEvent::CallEnd);
                self.state = State::Header;
                true
            }
        }
    }
}

/// The tool that a header addresses.
fn recipient(header: &str) -> Option<String> {
    let (_, behind) = header.split_once("to=")?;
    let end = behind.find(|c: char| c.is_whitespace() || c == '<').unwrap_or(behind.len());
    let name = behind[..end].strip_prefix("functions.").unwrap_or(&behind[..end]);
    (!name.is_empty() && name != "assistant").then(|| name.to_owned())
}

fn is_reasoning(header: &str) -> bool {
    let channel = header.split_once(CHANNEL).map_or("", |(_, channel)| channel);
    channel.trim_start().starts_with("analysis")
}

const START: &str = "<|start|>";
const CHANNEL: &str = "<|channel|>";
const MESSAGE: &str = "<|message|>";
const END: &str = "<|end|>";
const RETURN: &str = "<|return|>";
const CALL: &str = "<|call|>";
