//! Calls whose arguments are JSON.

use serde_json::{Map, Value as Json};

use super::call::{Step, ToolTypes};
use super::event::ReplyEvent;
use super::format::IdStyle;
use super::json_scan::{JsonScanner, Scan};
use super::marker::{Found, find};

/// A call that is one JSON object, `{"name": …, "arguments": {…}}`.
///
/// Once the name is known, the arguments leave as they come. A model that writes them first is waited for.
#[derive(Clone, Debug)]
pub(super) struct ObjectCall {
    keys: Keys,
    /// Whether the name must be that of a tool.
    is_bare: bool,
    state: State,
    /// What was read of the key or value at hand, unless it left already.
    text: String,
    key: String,
    name: Option<String>,
    id: Option<String>,
    arguments: Arguments,
}

#[derive(Clone, Debug)]
struct Keys {
    name: String,
    arguments: String,
    id: Option<String>,
}

#[derive(Clone, Debug)]
enum State {
    /// The object begins.
    Open,
    /// A key begins, or the object ends.
    Key,
    /// Inside a key.
    InKey(JsonScanner),
    Colon,
    /// A value begins.
    Value,
    /// Inside a value; whether it leaves as it comes.
    InValue(JsonScanner, bool),
    /// Behind a value.
    Behind,
}

#[derive(Clone, Debug)]
enum Arguments {
    Absent,
    /// They came before the name.
    Waiting(String),
    Sent,
}

impl ObjectCall {
    pub(super) fn new(name: &str, arguments: &str, id: Option<&str>, is_bare: bool) -> Self {
        Self {
            keys: Keys { name: name.to_owned(), arguments: arguments.to_owned(), id: id.map(str::to_owned) },
            is_bare,
            state: State::Open,
            text: String::new(),
            key: String::new(),
            name: None,
            id: None,
            arguments: Arguments::Absent,
        }
    }

    pub(super) fn advance(
        &mut self,
        rest: &str,
        tools: &ToolTypes,
        events: &mut Vec<ReplyEvent>,
    ) -> (usize, Step) {
        let mut at = 0;
        loop {
            let inside = matches!(self.state, State::InKey(_) | State::InValue(..));
            if !inside {
                at = rest.len() - rest[at..].trim_start().len();
            }
            let Some(first) = rest[at..].chars().next() else { return (at, Step::More) };
            match (&mut self.state, first) {
                (State::Open, '{') | (State::Behind, ',') => {
                    self.state = State::Key;
                    at += 1;
                }
                (State::Key, '"') => {
                    self.text.clear();
                    self.state = State::InKey(JsonScanner::new());
                }
                (State::Key | State::Behind, '}') => return (at + 1, self.finish(events)),
                (State::Colon, ':') => {
                    self.state = State::Value;
                    at += 1;
                }
                (State::InKey(scanner), _) => {
                    let (length, scan) = scanner.scan(&rest[at..]);
                    self.text.push_str(&rest[at..at + length]);
                    at += length;
                    match scan {
                        Scan::More => return (at, Step::More),
                        Scan::Bad => return (at, Step::Broken),
                        Scan::Done => {}
                    }
                    let Ok(key) = serde_json::from_str(&self.text) else { return (at, Step::Broken) };
                    self.key = key;
                    self.state = State::Colon;
                }
                (State::Value, _) => {
                    self.text.clear();
                    let leaves = self.key == self.keys.arguments && first == '{' && self.name.is_some();
                    if leaves {
                        self.start(events);
                    }
                    self.state = State::InValue(JsonScanner::new(), leaves);
                }
                (State::InValue(scanner, leaves), _) => {
                    let (length, scan) = scanner.scan(&rest[at..]);
                    let piece = &rest[at..at + length];
                    if *leaves && !piece.is_empty() {
                        events.push(ReplyEvent::Arguments(piece.to_owned()));
                    } else {
                        self.text.push_str(piece);
                    }
                    let leaves = *leaves;
                    at += length;
                    match scan {
                        Scan::More => return (at, Step::More),
                        Scan::Bad => return (at, Step::Broken),
                        Scan::Done => self.state = State::Behind,
                    }
                    if !leaves && !self.keep(tools) {
                        return (at, Step::Broken);
                    }
                }
                _ => return (at, Step::Broken),
            }
        }
    }

    /// Keeps a value that is complete; false if it makes the call malformed.
    fn keep(&mut self, tools: &ToolTypes) -> bool {
        let Ok(value) = serde_json::from_str::<Json>(&self.text) else { return false };
        if self.key == self.keys.name {
            let name = value.as_str().filter(|name| !name.is_empty());
            self.name = name.map(str::to_owned);
            return name.is_some_and(|name| !self.is_bare || tools.has(name));
        }
        if self.key == self.keys.arguments {
            let text = match value {
                Json::Object(_) => std::mem::take(&mut self.text),
                Json::Null => "{}".to_owned(),
                // Some models write the object as a text, as the interface has it.
                Json::String(text) if is_object(&text) => text,
                _ => return false,
            };
            self.arguments = Arguments::Waiting(text);
        } else if self.keys.id.as_ref() == Some(&self.key) {
            self.id = match value {
                Json::String(id) if !id.is_empty() => Some(id),
                Json::Number(id) => Some(id.to_string()),
                _ => None,
            };
        }
        true
    }

    fn start(&mut self, events: &mut Vec<ReplyEvent>) {
        self.arguments = Arguments::Sent;
        let name = self.name.clone().unwrap_or_default();
        events.push(ReplyEvent::CallStart { id: self.id.clone(), name });
    }

    fn finish(&mut self, events: &mut Vec<ReplyEvent>) -> Step {
        if self.name.is_none() {
            return Step::Broken;
        }
        let text = match std::mem::replace(&mut self.arguments, Arguments::Sent) {
            Arguments::Sent => return Step::Done,
            Arguments::Waiting(text) => text,
            // Without tags around it, an object with a name alone is more likely an answer.
            Arguments::Absent if self.is_bare => return Step::Broken,
            Arguments::Absent => "{}".to_owned(),
        };
        self.start(events);
        events.push(ReplyEvent::Arguments(text));
        Step::Done
    }
}

fn is_object(text: &str) -> bool {
    serde_json::from_str::<Map<String, Json>>(text).is_ok()
}

/// A call whose name stands in front of its arguments: `NAME[ARGS]{…}`.
#[derive(Clone, Debug)]
pub(super) struct NamedCall {
    separator: String,
    id: IdStyle,
    arguments: Option<JsonScanner>,
}

impl NamedCall {
    pub(super) fn new(separator: &str, id: &IdStyle) -> Self {
        Self { separator: separator.to_owned(), id: id.clone(), arguments: None }
    }

    pub(super) fn advance(&mut self, rest: &str, events: &mut Vec<ReplyEvent>) -> (usize, Step) {
        let mut at = 0;
        if self.arguments.is_none() {
            let Some(brace) = rest.find('{') else {
                return (0, if rest.len() > HEAD_BYTES_MAX { Step::Broken } else { Step::More });
            };
            let Some((id, name)) = self.head(rest[..brace].trim()) else { return (0, Step::Broken) };
            events.push(ReplyEvent::CallStart { id, name });
            self.arguments = Some(JsonScanner::new());
            at = brace;
        }
        let Some(scanner) = &mut self.arguments else { return (at, Step::Broken) };
        let (length, scan) = scanner.scan(&rest[at..]);
        if length > 0 {
            events.push(ReplyEvent::Arguments(rest[at..at + length].to_owned()));
        }
        let step = match scan {
            Scan::More => Step::More,
            Scan::Done => Step::Done,
            Scan::Bad => Step::Broken,
        };
        (at + length, step)
    }

    /// Takes apart what stands in front of the arguments.
    fn head(&self, head: &str) -> Option<(Option<String>, String)> {
        let head = match find(head, &self.separator) {
            Found::At(at, length) => (at + length == head.len()).then(|| head[..at].trim())?,
            Found::Perhaps(_) | Found::Nowhere if self.separator.trim().is_empty() => head,
            Found::Perhaps(_) | Found::Nowhere => return None,
        };
        let (name, id) = match &self.id {
            IdStyle::Absent => (head, None),
            IdStyle::AfterName(before) => match find(head, before) {
                Found::At(at, length) => (head[..at].trim(), Some(head[at + length..].trim())),
                Found::Perhaps(_) | Found::Nowhere => (head, None),
            },
            IdStyle::AroundName => {
                let name = head.rsplit_once(':').map_or(head, |(name, _)| name);
                (name.strip_prefix("functions.").unwrap_or(name), Some(head))
            }
        };
        let is_name =
            !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || "<>\"'`{}".contains(c));
        is_name.then(|| (id.filter(|id| !id.is_empty()).map(str::to_owned), name.to_owned()))
    }
}

/// A name and what belongs to it are shorter.
pub(super) const HEAD_BYTES_MAX: usize = 512;
