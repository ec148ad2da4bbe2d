//! Responses that are kept in memory, and those that are made while nobody waits for them.
//!
//! Which ones are kept, [`Shelf`] decides; here are the clock, the lock and the tasks. Nothing is written to disk: what was
//! said ends with the process, if not before.

mod record;
mod shelf;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use stack_chat::{ChatEvent, Failure, FailureKind};
use stack_wire::responses::{Reply, StoredItem, StoredResponse, Writer};
use stack_wire::{Answer, AnswerWriter};
use tokio::task::AbortHandle;

pub(crate) use self::record::Record;
use self::shelf::{Bounds, Full, Kept, Shelf};
use crate::error::{ApiError, log};
use crate::stopwatch::Stopwatch;

/// The responses that are kept.
pub(crate) struct StoredResponses {
    shelf: Mutex<Shelf<Arc<StoredResponse>, Job>>,
}

/// A response that is being made, which stops when nobody keeps it any longer.
struct Job(AbortHandle);

impl Drop for Job {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl StoredResponses {
    /// Keeps up to `count_max` responses; `None` if that is none.
    pub(crate) fn new(count_max: usize) -> Option<Arc<Self>> {
        let bounds = Bounds { count: count_max, bytes: BYTES_MAX, age: AGE_MAX };
        (count_max > 0).then(|| Arc::new(Self { shelf: Mutex::new(Shelf::new(bounds)) }))
    }

    /// Finds a response.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<StoredResponse>> {
        self.lock().find(id, Instant::now()).map(|(response, _)| response)
    }

    /// Keeps a response that is complete. One that is too long is not kept.
    pub(crate) fn keep(&self, response: StoredResponse) {
        if self.lock().keep(kept(response), Instant::now(), || None) == Err(Full) {
            tracing::debug!("a response was not stored: it is too long, or every place is taken");
        }
    }

    /// Forgets a response, and stops making it.
    pub(crate) fn remove(&self, id: &str) -> Result<(), ApiError> {
        if self.lock().remove(id, Instant::now()) { Ok(()) } else { Err(unknown(id)) }
    }

    /// Stops making a response. One that is complete already stays as it is.
    pub(crate) fn cancel(&self, id: &str) -> Result<Arc<StoredResponse>, ApiError> {
        let (mut shelf, now) = (self.lock(), Instant::now());
        let (response, is_complete) = shelf.find(id, now).ok_or_else(|| unknown(id))?;
        if !response.is_background() {
            let message = "only a response that was asked for with `background: true` can be cancelled; \
                           to stop another one, close its connection";
            return Err(Failure::invalid("response_id", message).into());
        }
        if is_complete {
            return Ok(response);
        }
        shelf.complete(kept(response.cancelled()), now);
        Ok(shelf.find(id, now).map_or(response, |(response, _)| response))
    }

    /// Makes a response while nobody waits for it, and returns what there is to tell of it now.
    pub(crate) fn begin(
        self: &Arc<Self>,
        reply: Reply,
        input: Vec<StoredItem>,
        events: Stopwatch,
    ) -> Result<String, ApiError> {
        let begun = StoredResponse::new(input.clone(), reply.begun());
        let body = begun.body().to_owned();
        let draft = Draft { stored: Arc::downgrade(self), reply: Some(reply), input };
        // The lock is held, so that the response is known before it is complete.
        let spawn = || Some(Job(tokio::spawn(draft.complete(events)).abort_handle()));
        if self.lock().keep(kept(begun), Instant::now(), spawn) == Err(Full) {
            let message = "too many responses are being made in the background";
            let full = Failure::new(FailureKind::QueueFull, message);
            return Err(full.after(Duration::from_secs(1)).into());
        }
        Ok(body)
    }

    fn complete(&self, response: StoredResponse) {
        self.lock().complete(kept(response), Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, Shelf<Arc<StoredResponse>, Job>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A response that is being made. If that ends in any other way than it should, it has failed.
struct Draft {
    stored: Weak<StoredResponses>,
    reply: Option<Reply>,
    input: Vec<StoredItem>,
}

impl Draft {
    async fn complete(mut self, mut events: Stopwatch) {
        let mut answer = Answer::new(1);
        let ended = loop {
            match events.next().await {
                Ok(event) => {
                    let is_last = matches!(event, ChatEvent::Done { .. });
                    answer.push(event);
                    if is_last {
                        break Ok(());
                    }
                }
                Err(failure) => break Err(failure),
            }
        };
        let Some(reply) = self.reply.take() else { return };
        self.tell(match ended {
            Ok(()) => Writer::new(reply).whole(&answer),
            Err(failure) => {
                log(&failure);
                reply.failed(&failure)
            }
        });
    }

    fn tell(&mut self, body: String) {
        if let Some(stored) = self.stored.upgrade() {
            stored.complete(StoredResponse::new(std::mem::take(&mut self.input), body));
        }
    }
}

/// A panic ends a task without a word.
impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(reply) = self.reply.take()
            && std::thread::panicking()
        {
            self.tell(reply.failed(&Failure::internal("the answer panicked")));
        }
    }
}

/// Makes the error for a response that is not kept.
pub(crate) fn unknown(id: &str) -> ApiError {
    ApiError::UnknownResponse { id: id.chars().take(64).collect(), can_store: true }
}

fn kept(response: StoredResponse) -> Kept<Arc<StoredResponse>> {
    Kept { name: response.id().to_owned(), bytes: response.bytes(), value: Arc::new(response) }
}

/// Some thousand conversations of an agent.
const BYTES_MAX: usize = 256 << 20;
/// Whoever comes back later sends the conversation again.
const AGE_MAX: Duration = Duration::from_hours(24);
