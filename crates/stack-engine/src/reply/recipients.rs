//! The format of functionary 3.2: a reply is a row of messages, and the first line of each says whom it is for.
//!
//! ```text
//! all
//! I look it up.>>>weather
//! {"city": "Zürich"}>>>weather
//! {"city": "Bern"}
//! ```
//!
//! `all` is everybody who reads the answer; any other recipient is a tool. The prompt ends with the mark in front of the
//! first line. The mark and the names are plain text, which an answer may hold as well: a message begins only where
//! `all` stands alone in a line, or a tool whose arguments follow.

use super::call::ToolTypes;
use super::event::ReplyEvent;
use super::json_scan::{JsonScanner, Scan};

/// The state of a reply in this format.
#[derive(Clone, Debug)]
pub(super) struct Recipients {
    pending: String,
    state: State,
    calls: usize,
    /// What was read of the call at hand, with its recipient.
    raw: String,
}

#[derive(Clone, Debug)]
enum State {
    /// Behind the mark of a message.
    Recipient,
    Text,
    /// Inside the arguments of a call.
    Call(JsonScanner),
    /// Behind a call.
    Between,
}

/// What a text that stands behind a mark begins with.
enum Line<'a> {
    /// This recipient, whose line takes so many bytes.
    For(&'a str, usize),
    /// What may become one.
    Perhaps,
    /// None.
    No,
}

impl Recipients {
    pub(super) fn new(prompt_end: &str) -> Self {
        // A caller may continue a message that has begun: then its recipient stands in the prompt.
        let has_begun = prompt_end.rsplit_once(MARK).is_some_and(|(_, begun)| !begun.trim().is_empty());
        let state = if has_begun { State::Text } else { State::Recipient };
        Self { pending: String::new(), state, calls: 0, raw: String::new() }
    }

    pub(super) fn push(&mut self, text: &str, tools: &ToolTypes) -> Vec<ReplyEvent> {
        self.pending.push_str(text);
        let mut events = Vec::new();
        while self.step(tools, &mut events) {}
        events
    }

    /// Ends the reply: what was held back is text.
    pub(super) fn finish(&mut self) -> Vec<ReplyEvent> {
        let rest = std::mem::take(&mut self.pending);
        match std::mem::replace(&mut self.state, State::Between) {
            State::Recipient | State::Text if !rest.is_empty() => vec![ReplyEvent::Text(rest)],
            State::Between if !rest.trim().is_empty() => vec![ReplyEvent::Text(rest.trim().to_owned())],
            State::Recipient | State::Text | State::Between | State::Call(_) => Vec::new(),
        }
    }

    /// Ends the reply where no room was left: a line that may become a recipient is no text.
    pub(super) fn cut(&mut self, tools: &ToolTypes) -> Vec<ReplyEvent> {
        match self.state {
            State::Recipient | State::Between => self.pending.clear(),
            State::Text => {
                let held = held_at(&self.pending, tools).unwrap_or(self.pending.len());
                self.pending.truncate(held);
            }
            State::Call(_) => {}
        }
        self.finish()
    }

    /// What was written of the call at hand behind the mark in front of it.
    pub(super) fn open_call(&self) -> Option<&str> {
        matches!(self.state, State::Call(_)).then_some(&self.raw)
    }

    pub(super) fn calls(&self) -> usize {
        self.calls
    }

    fn step(&mut self, tools: &ToolTypes, events: &mut Vec<ReplyEvent>) -> bool {
        match &mut self.state {
            State::Recipient => match line(&self.pending, tools) {
                Line::For(name, length) => {
                    self.state = if name == EVERYBODY {
                        State::Text
                    } else {
                        events.push(ReplyEvent::CallStart { id: None, name: name.to_owned() });
                        State::Call(JsonScanner::new())
                    };
                    self.raw = self.pending.drain(..length).collect();
                    true
                }
                Line::Perhaps => false,
                Line::No => {
                    self.state = State::Text;
                    true
                }
            },
            State::Text => {
                let held = held_at(&self.pending, tools);
                let text: String = self.pending.drain(..held.unwrap_or(self.pending.len())).collect();
                if !text.is_empty() {
                    events.push(ReplyEvent::Text(text));
                }
                let is_next = matches!(next(&self.pending, tools), Line::For(..));
                if is_next {
                    self.begin();
                }
                is_next
            }
            State::Call(scanner) => {
                let (length, scan) = scanner.scan(&self.pending);
                let text: String = self.pending.drain(..length).collect();
                self.raw.push_str(&text);
                if !text.is_empty() {
                    events.push(ReplyEvent::Arguments(text));
                }
                match scan {
                    Scan::More => return false,
                    Scan::Done => {
                        self.calls += 1;
                        events.push(ReplyEvent::CallEnd);
                        self.state = State::Between;
                    }
                    Scan::Bad => {
                        events.push(ReplyEvent::CallBroken(std::mem::take(&mut self.raw)));
                        self.state = State::Text;
                    }
                }
                true
            }
            State::Between => {
                let spaces = self.pending.len() - self.pending.trim_start().len();
                self.pending.drain(..spaces);
                match next(&self.pending, tools) {
                    Line::Perhaps => return false,
                    Line::For(..) => self.begin(),
                    Line::No => self.state = State::Text,
                }
                true
            }
        }
    }

    /// Begins the message whose mark is next.
    fn begin(&mut self) {
        self.pending.drain(..MARK.len());
        self.state = State::Recipient;
    }
}

/// Finds the place from which on a text is none, or may be none.
fn held_at(text: &str, tools: &ToolTypes) -> Option<usize> {
    let mut marks = text.match_indices('>').map(|(at, _)| at);
    marks.find(|&at| !matches!(next(&text[at..], tools), Line::No))
}

/// Reads a mark and the line behind it.
fn next<'a>(text: &'a str, tools: &ToolTypes) -> Line<'a> {
    match text.strip_prefix(MARK) {
        Some(behind) => line(behind, tools),
        None if MARK.starts_with(text) => Line::Perhaps,
        None => Line::No,
    }
}

/// Reads the line that names a recipient.
fn line<'a>(text: &'a str, tools: &ToolTypes) -> Line<'a> {
    let Some((name, behind)) = text.split_once('\n') else {
        let may_become = EVERYBODY.starts_with(text) || tools.names().any(|name| name.starts_with(text));
        return if may_become { Line::Perhaps } else { Line::No };
    };
    if name == EVERYBODY {
        return Line::For(name, name.len() + 1);
    }
    match behind.trim_start().chars().next() {
        _ if !tools.has(name) => Line::No,
        None => Line::Perhaps,
        Some('{') => Line::For(name, name.len() + 1),
        Some(_) => Line::No,
    }
}

const MARK: &str = ">>>";
const EVERYBODY: &str = "all";
