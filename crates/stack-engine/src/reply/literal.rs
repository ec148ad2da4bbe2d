//! Calls whose arguments are literals of a programming language.

use serde_json::{Map, Value as Json};

use super::call::Step;
use super::event::ReplyEvent;
use super::format::Tags;
use super::marker::{Found, Match, find, starts};
use super::object_call::HEAD_BYTES_MAX;

/// A call such as `NAME(city='Rome', days=2)`.
///
/// Its arguments leave together when they are complete: what a literal is in JSON depends on how it ends.
#[derive(Clone, Debug)]
pub(super) struct LiteralCall {
    arguments: Tags,
    assign: String,
    quote: String,
    separator: String,
    is_named: bool,
}

impl LiteralCall {
    pub(super) fn new(arguments: &Tags, assign: &str, quote: &str, separator: &str) -> Self {
        let [assign, quote, separator] = [assign, quote, separator].map(|text| text.trim().to_owned());
        Self { arguments: arguments.clone(), assign, quote, separator, is_named: false }
    }

    pub(super) fn advance(&mut self, rest: &str, events: &mut Vec<ReplyEvent>) -> (usize, Step) {
        let mut at = 0;
        if !self.is_named {
            let Found::At(end, length) = find(rest, &self.arguments.open) else {
                return (0, if rest.len() > HEAD_BYTES_MAX { Step::Broken } else { Step::More });
            };
            let name = rest[..end].trim();
            if name.is_empty() || name.contains(|c: char| c.is_whitespace() || "<>\"'`{}()".contains(c)) {
                return (0, Step::Broken);
            }
            events.push(ReplyEvent::CallStart { id: None, name: name.to_owned() });
            self.is_named = true;
            at = end + length;
        }
        let mut reader = Reader { text: &rest[at..], at: 0, call: self, depth: 0 };
        match reader.arguments() {
            Ok(arguments) => {
                at += reader.at;
                events.push(ReplyEvent::Arguments(Json::Object(arguments).to_string()));
                (at, Step::Done)
            }
            Err(step) => (at, step),
        }
    }
}

/// Reads literals from a text that may not be complete.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    call: &'a LiteralCall,
    depth: usize,
}

impl Reader<'_> {
    /// Reads arguments up to what closes them.
    fn arguments(&mut self) -> Result<Map<String, Json>, Step> {
        let mut arguments = Map::new();
        loop {
            if self.take(&self.call.arguments.close)? {
                return Ok(arguments);
            }
            if !arguments.is_empty() && !self.take(&self.call.separator)? {
                return Err(Step::Broken);
            }
            let key = self.key(&self.call.assign)?;
            let value = self.value()?;
            arguments.insert(key, value);
        }
    }

    /// Reads a name and the text behind it.
    fn key(&mut self, assign: &str) -> Result<String, Step> {
        self.skip();
        if let Some(key) = self.quoted()? {
            return if self.take(assign)? { Ok(key) } else { Err(Step::Broken) };
        }
        let rest = &self.text[self.at..];
        let found = find(rest, assign);
        let key = rest[..found.place().min(rest.len())].trim();
        if key.contains(|c: char| c.is_whitespace() || "'\"{}[]()".contains(c)) {
            return Err(Step::Broken);
        }
        let Found::At(end, length) = found else { return Err(Step::More) };
        if key.is_empty() {
            return Err(Step::Broken);
        }
        let key = key.to_owned();
        self.at += end + length;
        Ok(key)
    }

    fn value(&mut self) -> Result<Json, Step> {
        self.skip();
        if let Some(text) = self.quoted()? {
            return Ok(text.into());
        }
        if self.depth == DEPTH_MAX {
            return Err(Step::Broken);
        }
        self.depth += 1;
        let value = if self.take("[")? {
            self.list()
        } else if self.take("{")? {
            self.object()
        } else {
            self.word()
        };
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Result<Json, Step> {
        let mut items = Vec::new();
        while !self.take("]")? {
            if !items.is_empty() && !self.take(",")? {
                return Err(Step::Broken);
            }
            items.push(self.value()?);
        }
        Ok(items.into())
    }

    fn object(&mut self) -> Result<Json, Step> {
        let mut fields = Map::new();
        while !self.take("}")? {
            if !fields.is_empty() && !self.take(",")? {
                return Err(Step::Broken);
            }
            let key = self.key(":")?;
            let value = self.value()?;
            fields.insert(key, value);
        }
        Ok(fields.into())
    }

    /// Reads a number or a name such as `True`.
    fn word(&mut self) -> Result<Json, Step> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-._".contains(c)).ok_or(Step::More)?;
        self.at += end;
        match &rest[..end] {
            "True" | "true" => Ok(true.into()),
            "False" | "false" => Ok(false.into()),
            "None" | "null" => Ok(Json::Null),
            number => match serde_json::from_str(number) {
                Ok(number @ Json::Number(_)) => Ok(number),
                _ => Err(Step::Broken),
            },
        }
    }

    /// Reads a text between the quotes of the format, or of Python and JSON.
    fn quoted(&mut self) -> Result<Option<String>, Step> {
        let own = self.call.quote.as_str();
        if !own.is_empty() && own != "'" && own != "\"" && self.take(own)? {
            let Found::At(end, length) = find(&self.text[self.at..], own) else { return Err(Step::More) };
            let text = self.text[self.at..self.at + end].to_owned();
            self.at += end + length;
            return Ok(Some(text));
        }
        let quote = match self.text[self.at..].chars().next() {
            None => return Err(Step::More),
            Some(quote @ ('\'' | '"')) => quote,
            Some(_) => return Ok(None),
        };
        let mut text = String::new();
        let mut characters = self.text[self.at + 1..].char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                end if end == quote => {
                    self.at += 1 + at + 1;
                    return Ok(Some(text));
                }
                '\\' => match characters.next().ok_or(Step::More)?.1 {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    'u' => {
                        let digits: String = characters.by_ref().take(4).map(|(_, digit)| digit).collect();
                        if digits.len() < 4 {
                            return Err(Step::More);
                        }
                        let code = u32::from_str_radix(&digits, 16).map_err(|_| Step::Broken)?;
                        text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    other => text.push(other),
                },
                other => text.push(other),
            }
        }
        Err(Step::More)
    }

    /// Takes a marker if it comes next.
    fn take(&mut self, marker: &str) -> Result<bool, Step> {
        self.skip();
        match starts(&self.text[self.at..], marker) {
            Match::Full(length) => {
                self.at += length;
                Ok(true)
            }
            Match::Partial => Err(Step::More),
            Match::No => Ok(false),
        }
    }

    fn skip(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }
}

/// How deep lists and objects may stand in each other.
const DEPTH_MAX: usize = 64;
