//! A model's stream of events, read to its end on the thread that waits for it.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use futures_core::Stream;
use serde_json::{Value, json};
use stack_chat::{ChatEvent, ChatModel, ChatRequest, Failure, FailureKind, Fragment, PartKind, Retry};

use crate::kernel::{ModelReply, ReplyPart};

/// Why there is no reply.
#[derive(Debug)]
pub(crate) enum NoReply {
    /// A person ended the session meanwhile.
    Cancelled,
    /// The model failed.
    Failed(Failure),
}

/// Asks a model, and waits for the whole reply. Dropping the stream ends the work behind it.
pub(crate) fn ask(
    model: &dyn ChatModel,
    request: ChatRequest,
    cancel: &AtomicBool,
    hear: &mut dyn FnMut(&str),
) -> Result<ModelReply, NoReply> {
    let stream = model.chat(request).map_err(NoReply::Failed)?;
    let mut stream = pin!(stream);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut reading = Reading::default();
    loop {
        if cancel.load(Ordering::Relaxed) {
            return Err(NoReply::Cancelled);
        }
        match stream.as_mut().poll_next(&mut context) {
            Poll::Ready(Some(Ok(event))) => {
                if let Some(reply) = reading.take(event, hear) {
                    return Ok(reply);
                }
            }
            Poll::Ready(Some(Err(failure))) => return Err(NoReply::Failed(failure)),
            Poll::Ready(None) => {
                let failure =
                    Failure::new(FailureKind::StreamTruncated, "the answer ended without saying why");
                return Err(NoReply::Failed(failure));
            }
            // A cancellation is seen within this time.
            Poll::Pending => thread::park_timeout(LOOK),
        }
    }
}

/// What came so far.
#[derive(Default)]
struct Reading {
    parts: Vec<(u32, ReplyPart)>,
    finish: Option<String>,
    bytes: usize,
}

impl Reading {
    /// Takes an event, and returns the reply when it is the last one, or when enough has come.
    fn take(&mut self, event: ChatEvent, hear: &mut dyn FnMut(&str)) -> Option<ModelReply> {
        match event {
            ChatEvent::PartStarted { choice: 0, part, kind } => {
                let begun = match kind {
                    PartKind::Text | PartKind::Refusal => ReplyPart::Text(String::new()),
                    PartKind::Thinking => ReplyPart::Thinking(String::new()),
                    PartKind::ToolCall { name, .. } => ReplyPart::Call { name, arguments: String::new() },
                };
                self.bytes += PART_BYTES;
                self.parts.push((part, begun));
            }
            ChatEvent::Delta(delta) if delta.choice == 0 => {
                let more = delta.fragment.as_str();
                self.bytes += more.len();
                if let Fragment::Text(text) | Fragment::Refusal(text) = &delta.fragment {
                    hear(text);
                }
                let open = self.parts.iter_mut().rev().find(|(part, _)| *part == delta.part);
                match open.map(|(_, part)| part) {
                    Some(ReplyPart::Text(text) | ReplyPart::Thinking(text)) => text.push_str(more),
                    Some(ReplyPart::Call { arguments, .. }) => arguments.push_str(more),
                    None => {}
                }
            }
            ChatEvent::Finished { choice: 0, reason, .. } => self.finish = Some(reason.name().to_owned()),
            ChatEvent::Done { usage, .. } => return Some(self.reply(u64::from(usage.total()))),
            _ => {}
        }
        // Whoever writes without end is cut off, and the calls that it began are none.
        (self.bytes > REPLY_BYTES).then(|| {
            self.parts.retain(|(_, part)| !matches!(part, ReplyPart::Call { .. }));
            self.finish = Some("length".to_owned());
            self.reply(0)
        })
    }

    fn reply(&mut self, tokens: u64) -> ModelReply {
        let parts = self.parts.drain(..).map(|(_, part)| part).collect();
        let finish = self.finish.take().unwrap_or_else(|| "stop".to_owned());
        ModelReply { parts, finish, tokens }
    }
}

/// What the log says of a failure. Its cause is for the trace, and never for a record that is carried away.
pub(crate) fn failure_json(failure: &Failure) -> Value {
    let (retry, after_ms) = match failure.retry {
        Retry::Never => ("never", None),
        Retry::SameRoute => ("same_route", None),
        Retry::OtherRoute => ("other_route", None),
        Retry::After(wait) => {
            ("after", Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).min(1 << 50)))
        }
    };
    json!({"code": failure.kind.as_str(), "message": failure.message, "retry": retry, "after_ms": after_ms})
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

const LOOK: Duration = Duration::from_millis(50);
/// Bytes that a reply may have, and what a part counts even if it is empty.
const REPLY_BYTES: usize = 2 << 20;
const PART_BYTES: usize = 256;
