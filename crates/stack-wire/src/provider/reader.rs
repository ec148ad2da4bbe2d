//! The bytes of a reply, turned into events as they arrive.

use std::fmt::Debug;
use std::sync::Arc;

use serde_json::{Map, Value};
use stack_chat::{ChatEvent, Failure, FailureKind};

use super::adapter::{Lens, Mismatch};
use super::complaint::Complaint;
use super::events::{Context, Events};
use super::object::Object;
use super::records::{Record, Records};
use super::{ProviderRequest, ReplyFacts, Route};
use crate::{Delivery, limits};

/// Turns the bytes of one reply into events: of a stream as they arrive, of a whole body at its end.
///
/// It is a machine without time: idle and stalled replies are noticed by whoever moves the bytes.
///
/// ```
/// use stack_chat::{ChatEvent, ChatRequest, Message, Prompt};
/// use stack_wire::Delivery;
/// use stack_wire::provider::{Family, ProviderRequest, ReplyReader, Route};
///
/// let route = Route::new("ollama", Family::Ollama, "llama3.2");
/// let request = ChatRequest::new(Prompt::Messages(vec![Message::user("Hi")]));
/// let request = ProviderRequest::render(&request, &route, Delivery::Stream { include_usage: true })?;
/// let mut reader = ReplyReader::new(&route, &request, "7");
/// reader.push(b"{\"model\":\"llama3.2\",\"message\":{\"role\":\"assistant\",\"content\":\"Hello\"},\"done\":false}\n");
/// let last = reader.push(b"{\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":3,\"eval_count\":1}\n").pop();
/// assert!(matches!(last, Some(Ok(ChatEvent::Done { usage, .. })) if usage.total() == 4));
/// # Ok::<(), stack_chat::Failure>(())
/// ```
#[derive(Debug)]
pub struct ReplyReader {
    records: Records,
    delivery: Delivery,
    codec: Box<dyn Codec>,
    events: Events,
    lens: Option<Lens>,
    bytes: usize,
}

/// What a family makes of its records. That a record is an error is found before it gets here.
pub(super) trait Codec: Debug + Send + Sync {
    /// Takes in one record of a stream, and the name of the event that brought it, where it has one.
    fn record(&mut self, name: &str, record: Object<'_>, events: &mut Events) -> Result<(), Failure>;

    /// Takes in a whole body.
    fn whole(&mut self, body: Object<'_>, events: &mut Events) -> Result<(), Failure>;
}

impl ReplyReader {
    /// Waits for the reply to `request`. `unique` makes the identifiers of calls that the provider does not name differ
    /// from those of all other replies.
    pub fn new(route: &Route, request: &ProviderRequest, unique: &str) -> Self {
        let context = Context {
            origin: route.origin(),
            unique: unique.to_owned(),
            seed: request.seed,
            unused: request.unused.clone(),
            adapter: route.adapter.clone(),
        };
        let streams = matches!(request.delivery, Delivery::Stream { .. });
        let lens =
            route.adapter.as_ref().map(|adapter| Lens::new(Arc::clone(adapter), &route.model, streams));
        Self {
            records: route.family.records(request.delivery),
            delivery: request.delivery,
            codec: route.family.codec(),
            events: Events::new(context, streams),
            lens,
            bytes: 0,
        }
    }

    /// Takes in bytes, and returns the events that they complete. A failure is the last that it returns; after it, and
    /// after [`ChatEvent::Done`], bytes have no meaning any more.
    pub fn push(&mut self, mut bytes: &[u8]) -> Vec<Result<ChatEvent, Failure>> {
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > REPLY_BYTES_MAX {
            let message = format!("the provider sent more than {} MiB", REPLY_BYTES_MAX >> 20);
            self.events.fail(Failure::new(FailureKind::StreamMalformed, message));
        }
        while !self.events.is_ended() {
            match self.records.next(&mut bytes) {
                Ok(Some(record)) => self.take(record),
                Ok(None) => break,
                Err(failure) => self.events.fail(failure),
            }
        }
        self.events.take()
    }

    /// Takes in the end of the body, whether the provider meant it or not, and returns the last events: success if the
    /// reply had proven that it is complete, and a failure if it had not.
    pub fn end(&mut self) -> Vec<Result<ChatEvent, Failure>> {
        if !self.events.is_ended() {
            match self.records.end() {
                Ok(Some(record)) => self.take(record),
                Ok(None) => {}
                Err(failure) => self.events.fail(failure),
            }
        }
        if !self.events.is_ended() {
            self.events.done();
        }
        self.events.take()
    }

    /// Tells whether the reply has proven that it is complete. What may still come is a count of tokens, for which it
    /// makes sense to wait a little, but not for long.
    pub fn is_proven(&self) -> bool {
        self.events.is_proven()
    }

    /// Tells whether the last event has been returned.
    pub fn is_ended(&self) -> bool {
        self.events.is_ended()
    }

    /// Returns what the reply says about itself.
    pub fn facts(&self) -> &ReplyFacts {
        &self.events.facts
    }

    /// Lists what the operations of the adapter found otherwise than they expect, in all that has come.
    pub fn mismatches(&self) -> Vec<Mismatch> {
        self.lens.as_ref().map(Lens::mismatches).unwrap_or_default()
    }

    fn take(&mut self, record: Record) {
        let Record::Data { mut name, data } = record else { return self.events.alive() };
        if data.trim().is_empty() {
            return self.events.alive();
        }
        let sentinel = self.lens.as_ref().and_then(|lens| lens.adapter().sentinel()).unwrap_or(SENTINEL);
        if data.trim() == sentinel {
            // Some servers send it after an error, too, so it proves nothing.
            return self.events.done();
        }
        if let Err(failure) = self.read(&mut name, &data) {
            self.events.fail(failure);
        }
    }

    fn read(&mut self, name: &mut String, data: &str) -> Result<(), Failure> {
        let is_error = name == "error";
        let mut fields = match self.parse(data) {
            Ok(fields) => fields,
            Err(_) if is_error => {
                return Err(Complaint::of_text(data).into_failure(self.events.provider(), None));
            }
            Err(failure) => return Err(failure),
        };
        let record = Object::new(&fields);
        if let Some(complaint) = Complaint::within(record, is_error) {
            return Err(self.events.complain(complaint, record));
        }
        self.adapt(name, &mut fields)?;
        let record = Object::new(&fields);
        match self.delivery {
            Delivery::Stream { .. } => self.codec.record(name, record, &mut self.events)?,
            Delivery::Whole => self.codec.whole(record, &mut self.events)?,
        }
        self.events.measured();
        Ok(())
    }

    /// Turns a record into its canonical form, and takes out of it what the adapter reads itself.
    fn adapt(&mut self, name: &mut String, fields: &mut Map<String, Value>) -> Result<(), Failure> {
        let Some(lens) = &mut self.lens else { return Ok(()) };
        let mut record = Value::Object(std::mem::take(fields));
        let read = lens.read(name, &mut record);
        if let Some(usage) = lens.usage(&record) {
            self.events.measure(usage);
        }
        if lens.proves(&record) {
            self.events.prove();
        }
        if let Value::Object(adapted) = record {
            *fields = adapted;
        }
        read
    }

    fn parse(&self, data: &str) -> Result<Map<String, Value>, Failure> {
        let malformed = |kind, problem: &str| {
            let message = format!("{} sent a record that {problem}", self.events.provider());
            Failure::new(kind, message)
        };
        limits::check(data.as_bytes())
            .map_err(|_| malformed(FailureKind::StreamMalformed, "nests or holds too much"))?;
        match serde_json::from_str(data) {
            Ok(Value::Object(fields)) => Ok(fields),
            // Gemini wraps an error in a list now and then.
            Ok(Value::Array(mut values)) if values.len() == 1 && values[0]["error"].is_object() => {
                match values.remove(0) {
                    Value::Object(fields) => Ok(fields),
                    _ => Ok(Map::new()),
                }
            }
            Ok(_) => Err(malformed(FailureKind::StreamMalformed, "is no JSON object")),
            Err(error) if error.is_eof() && self.delivery == Delivery::Whole => {
                Err(malformed(FailureKind::StreamTruncated, "ends too early"))
            }
            Err(_) => Err(malformed(FailureKind::StreamMalformed, "is no JSON")),
        }
    }
}

/// The text after the last event of an OpenAI stream.
const SENTINEL: &str = "[DONE]";
/// The most bytes that a reply may have.
const REPLY_BYTES_MAX: usize = 64 << 20;
