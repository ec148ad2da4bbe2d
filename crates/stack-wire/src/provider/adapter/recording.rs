//! Recorded exchanges with providers, which a spec must still understand.
//!
//! A recording is a JSON object. `asks` is a request in its family's canonical form and `sends` what leaves of it;
//! `reply` is what came, and `gives` what it must mean:
//!
//! ```text
//! {"recording": 1, "delivery": "stream", "asks": {…}, "sends": {…}, "reply": [{…}, {…}],
//!  "gives": {"text": "Hello", "finish": "stop", "usage": {"input": 11, "answer": 7}}}
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use stack_chat::{ChatEvent, Failure, Fragment, PartKind, Retry, Usage};

use super::fault::{Rule, SpecFault};
use super::fields::Fields;
use super::meter::COUNTERS;
use super::op::Scope;
use super::request_map::Outgoing;
use super::shipped;
use super::stage::Notes;
use super::{Adapter, Mismatch};
use crate::Delivery;
use crate::limits;
use crate::provider::{ErrorReply, Family, ProviderRequest, ReplyReader, Route};

/// Recordings by their names.
#[derive(Clone, Debug, Default)]
pub struct Recordings {
    texts: BTreeMap<String, Vec<u8>>,
}

/// An exchange, read from its file.
struct Exchange {
    model: String,
    stream: bool,
    asks: Option<Value>,
    sends: Value,
    path: Option<String>,
    headers: Map<String, Value>,
    status: u16,
    reply_headers: Map<String, Value>,
    reply: Option<Value>,
    gives: Value,
}

impl Recordings {
    /// Returns the recordings that are part of the program.
    pub fn shipped() -> Self {
        let texts =
            shipped::RECORDINGS.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
        Self { texts: texts.collect() }
    }

    /// Adds a recording, in place of one of the same name.
    pub fn add(&mut self, name: &str, text: Vec<u8>) {
        self.texts.insert(name.to_owned(), text);
    }

    /// Returns the text of a recording.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.texts.get(name).map(Vec::as_slice)
    }
}

/// Holds an adapter to all of its examples.
pub(super) fn check(adapter: &Adapter, recordings: &Recordings) -> Result<(), SpecFault> {
    let shared = Arc::new(adapter.clone());
    for (place, name) in adapter.examples.iter().enumerate() {
        let fault = |rule| SpecFault::new(format!("/examples/{place}"), rule);
        let exchange = exchange(name, recordings).map_err(fault)?;
        exchange
            .check_request(adapter)
            .map_err(|why| fault(Rule::ExampleFailed(format!("{name}: {why}"))))?;
        exchange.check_reply(&shared).map_err(|why| fault(Rule::ExampleFailed(format!("{name}: {why}"))))?;
    }
    Ok(())
}

/// Lists the operations on replies that no example needs.
pub(super) fn unexercised(adapter: &Adapter, recordings: &Recordings) -> Vec<Mismatch> {
    let shared = Arc::new(adapter.clone());
    let mut idle: Option<[Vec<Mismatch>; 2]> = None;
    for name in &adapter.examples {
        let Ok(exchange) = exchange(name, recordings) else { continue };
        let Some(reply) = exchange.reply.as_ref().filter(|_| exchange.status < 300) else { continue };
        let (_, found) = exchange.read(&shared, reply);
        let all = || {
            [adapter.reply.mismatches(&Notes::default()), adapter.events.stage.mismatches(&Notes::default())]
        };
        let lists = idle.get_or_insert_with(all);
        let list = &mut lists[usize::from(exchange.stream)];
        list.retain(|mismatch| found.contains(mismatch));
    }
    let none =
        [adapter.reply.mismatches(&Notes::default()), adapter.events.stage.mismatches(&Notes::default())];
    idle.unwrap_or(none).concat()
}

fn exchange(name: &str, recordings: &Recordings) -> Result<Exchange, Rule> {
    let text = recordings.get(name).ok_or_else(|| Rule::UnknownExample(name.to_owned()))?;
    Exchange::parse(text).map_err(|why| Rule::BadExample(format!("{name}: {why}")))
}

impl Exchange {
    fn parse(text: &[u8]) -> Result<Self, String> {
        if text.len() > RECORDING_BYTES_MAX {
            return Err("it is larger than 256 KiB".to_owned());
        }
        limits::check(text).map_err(|failure| failure.message)?;
        let value: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        Self::read_fields(value).map_err(|fault| fault.to_string())
    }

    fn read_fields(value: Value) -> Result<Self, SpecFault> {
        let mut fields = Fields::open("", value)?;
        if fields.require("recording")? != 1 {
            return Err(fields.fault("recording", Rule::SpecVersion));
        }
        let delivery = fields.text("delivery")?;
        let stream = match delivery.as_deref() {
            None | Some("stream") => true,
            Some("whole") => false,
            Some(_) => return Err(fields.fault("delivery", Rule::WrongType("stream or whole"))),
        };
        let asks = fields.take("asks");
        let sends = if asks.is_some() { fields.require("sends")? } else { Value::Null };
        let reply = fields.take("reply");
        let gives = if reply.is_some() { fields.require("gives")? } else { Value::Null };
        let map = |fields: &mut Fields, key: &'static str| match fields.take(key) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map),
            Some(_) => Err(fields.fault(key, Rule::WrongType("an object"))),
        };
        let status = match fields.take("status") {
            None => 200,
            Some(status) => {
                let status = status.as_u64().and_then(|status| u16::try_from(status).ok());
                status.ok_or_else(|| fields.fault("status", Rule::WrongType("a status")))?
            }
        };
        let exchange = Self {
            model: fields.text("model")?.unwrap_or_else(|| "m-1".to_owned()),
            stream,
            asks,
            sends,
            path: fields.text("path")?,
            headers: map(&mut fields, "headers")?,
            status,
            reply_headers: map(&mut fields, "reply_headers")?,
            reply,
            gives,
        };
        if exchange.asks.is_none() && exchange.reply.is_none() {
            return Err(SpecFault::new("", Rule::Missing("reply")));
        }
        fields.end()?;
        Ok(exchange)
    }

    /// What leaves must be what left when it was recorded.
    fn check_request(&self, adapter: &Adapter) -> Result<(), String> {
        let Some(asks) = &self.asks else { return Ok(()) };
        let mut outgoing =
            Outgoing { path: String::new(), headers: Vec::new(), body: asks.clone(), dropped: Vec::new() };
        adapter.adapt(&mut outgoing, &self.model, self.stream).map_err(|failure| failure.message)?;
        if outgoing.body != self.sends {
            return Err(format!("it sends {}", shortened(&outgoing.body)));
        }
        if let Some(path) = self.path.as_ref().filter(|path| **path != outgoing.path) {
            return Err(format!("it asks at {:?} and not at {path:?}", outgoing.path));
        }
        for (name, value) in &self.headers {
            let sent =
                outgoing.headers.iter().find(|(sent, _)| sent == name).map(|(_, value)| value.as_ref());
            if sent != value.as_str() {
                return Err(format!("it sends the header {name} as {sent:?}"));
            }
        }
        Ok(())
    }

    /// What came must mean what it meant when it was recorded.
    fn check_reply(&self, adapter: &Arc<Adapter>) -> Result<(), String> {
        let Some(reply) = &self.reply else { return Ok(()) };
        let (given, _) = self.read(adapter, reply);
        if given == self.gives { Ok(()) } else { Err(format!("it gives {}", shortened(&given))) }
    }

    fn read(&self, adapter: &Arc<Adapter>, reply: &Value) -> (Value, Vec<Mismatch>) {
        let stream = self.stream;
        let family = adapter.request.family(Scope { model: &self.model, stream }).unwrap_or(adapter.family);
        let route = Route {
            adapter: Some(Arc::clone(adapter)),
            ..Route::new(&adapter.provider, family, &self.model)
        };
        let pieces: Vec<String> = match reply {
            Value::Array(records) if stream => records.iter().map(|record| framed(family, record)).collect(),
            Value::String(text) => vec![text.clone()],
            body => vec![body.to_string()],
        };
        if self.status >= 300 {
            let headers: Vec<(&str, &str)> = self
                .reply_headers
                .iter()
                .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
                .collect();
            let body = pieces.concat();
            let failure = ErrorReply { status: self.status, headers: &headers, body: body.as_bytes() };
            return (told_failure(&failure.failure(&route, 0)), Vec::new());
        }
        let delivery = if stream { Delivery::Stream { include_usage: true } } else { Delivery::Whole };
        let request = ProviderRequest {
            path: String::new(),
            headers: Vec::new(),
            body: String::new(),
            changes: Vec::new(),
            unused: Vec::new(),
            seed: 0,
            delivery,
        };
        let mut reader = ReplyReader::new(&route, &request, "example");
        let mut items: Vec<_> = pieces.iter().flat_map(|piece| reader.push(piece.as_bytes())).collect();
        items.extend(reader.end());
        (told(&items), reader.mismatches())
    }
}

/// Frames a record as its family does; a text is taken as it is.
fn framed(family: Family, record: &Value) -> String {
    match record {
        Value::String(text) => text.clone(),
        record if family == Family::Ollama => format!("{record}\n"),
        record => match record.get("type").and_then(Value::as_str) {
            Some(name) => format!("event: {name}\ndata: {record}\n\n"),
            None => format!("data: {record}\n\n"),
        },
    }
}

/// Says what events mean, as `gives` does.
fn told(items: &[Result<ChatEvent, Failure>]) -> Value {
    let (mut texts, mut calls) = (Map::new(), Vec::<(u32, Value)>::new());
    let mut add = |key: &str, more: &str| {
        let text = texts.entry(key).or_insert_with(|| Value::from(""));
        *text = Value::from(format!("{}{more}", text.as_str().unwrap_or_default()));
    };
    let mut told = Map::new();
    for item in items {
        match item {
            Ok(ChatEvent::PartStarted { part, kind: PartKind::ToolCall { name, .. }, .. }) => {
                calls.push((*part, json!({"name": name, "arguments": ""})));
            }
            Ok(ChatEvent::Delta(delta)) => match &delta.fragment {
                Fragment::Text(text) => add("text", text),
                Fragment::Thinking(text) => add("thinking", text),
                Fragment::Refusal(text) => add("refusal", text),
                Fragment::Arguments(more) => {
                    if let Some((_, call)) = calls.iter_mut().find(|(part, _)| *part == delta.part) {
                        call["arguments"] =
                            format!("{}{more}", call["arguments"].as_str().unwrap_or_default()).into();
                    }
                }
            },
            Ok(ChatEvent::Finished { reason, .. }) => {
                told.insert("finish".to_owned(), reason.name().into());
            }
            Ok(ChatEvent::Done { usage, .. }) => {
                told.insert("usage".to_owned(), counted(usage));
            }
            Ok(_) => {}
            Err(failure) => return told_failure(failure),
        }
    }
    texts.extend(told);
    if !calls.is_empty() {
        texts.insert("calls".to_owned(), calls.into_iter().map(|(_, call)| call).collect());
    }
    Value::Object(texts)
}

fn told_failure(failure: &Failure) -> Value {
    let mut told = json!({"failure": failure.kind.as_str()});
    if let Retry::After(wait) = failure.retry
        && failure.kind.retry() != failure.retry
    {
        told["retry_after_ms"] = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).into();
    }
    told
}

/// The counters that are not zero.
fn counted(usage: &Usage) -> Value {
    let counters = [
        usage.input,
        usage.cache_read,
        usage.cache_write_5m,
        usage.cache_write_1h,
        usage.answer,
        usage.reasoning,
    ];
    let named = COUNTERS.iter().zip(counters).filter(|(_, count)| *count > 0);
    named.map(|(name, count)| ((*name).to_owned(), Value::from(count))).collect::<Map<_, _>>().into()
}

fn shortened(value: &Value) -> String {
    value.to_string().chars().take(SHOWN_CHARS_MAX).collect()
}

const RECORDING_BYTES_MAX: usize = 256 << 10;
const SHOWN_CHARS_MAX: usize = 600;
