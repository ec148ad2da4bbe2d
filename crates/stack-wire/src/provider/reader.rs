//! The bytes of a reply, turned into events as they arrive.

use std::fmt::Debug;

use serde_json::{Map, Value};
use stack_chat::{ChatEvent, Failure, FailureKind};

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
        };
        Self {
            records: route.family.records(request.delivery),
            delivery: request.delivery,
            codec: route.family.codec(),
            events: Events::new(context),
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

    fn take(&mut self, record: Record) {
        let Record::Data { name, data } = record else { return self.events.alive() };
        if data.trim().is_empty() {
            return self.events.alive();
        }
        if data.trim() == SENTINEL {
            // Some servers send it after an error, too, so it proves nothing.
            return self.events.done();
        }
        if let Err(failure) = self.read(&name, &data) {
            self.events.fail(failure);
        }
    }

    fn read(&mut self, name: &str, data: &str) -> Result<(), Failure> {
        let is_error = name == "error";
        let fields = match self.parse(data) {
            Ok(fields) => fields,
            Err(_) if is_error => {
                return Err(Complaint::of_text(data).into_failure(self.events.provider(), None));
            }
            Err(failure) => return Err(failure),
        };
        let record = Object::new(&fields);
        if let Some(complaint) = Complaint::within(record, is_error) {
            return Err(complaint.into_failure(self.events.provider(), None));
        }
        match self.delivery {
            Delivery::Stream { .. } => self.codec.record(name, record, &mut self.events),
            Delivery::Whole => self.codec.whole(record, &mut self.events),
        }
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
