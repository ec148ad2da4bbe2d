//! Responses that are kept in memory, and those that are made while nobody waits for them. Tenants share the room, and each
//! finds its own alone.
//!
//! Which ones are kept, [`Shelf`] decides; here are the clock, the lock and the tasks. Nothing is written to disk: what was
//! said ends with the process, if not before.

mod record;
mod shelf;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use stack_chat::{ChatEvent, Failure, FailureKind, Tenant};
use stack_wire::Answer;
use stack_wire::responses::{Reply, StoredItem, StoredResponse};
use tokio::task::AbortHandle;

pub(crate) use self::record::Record;
use self::shelf::{Bounds, Full, Kept, Shelf};
use crate::error::{ApiError, log};
use crate::stopwatch::Stopwatch;

/// The responses of a tenant that are kept.
pub(crate) struct StoredResponses {
    shared: Arc<Shared>,
    tenant: Tenant,
}

/// The responses of all tenants.
type Shared = Mutex<Shelf<Arc<StoredResponse>, Job>>;

/// A response that is being made, which stops when nobody keeps it any longer.
struct Job(AbortHandle);

impl Drop for Job {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl StoredResponses {
    /// Keeps up to `count_max` responses, the first ones for the operator; `None` if that is none.
    pub(crate) fn new(count_max: usize) -> Option<Arc<Self>> {
        let bounds = Bounds { count: count_max, bytes: BYTES_MAX, age: AGE_MAX };
        let new = || Self { shared: Arc::new(Mutex::new(Shelf::new(bounds))), tenant: Tenant::default() };
        (count_max > 0).then(|| Arc::new(new()))
    }

    /// Returns those of another tenant.
    pub(crate) fn of(&self, tenant: &Tenant) -> Arc<Self> {
        Arc::new(Self { shared: Arc::clone(&self.shared), tenant: tenant.clone() })
    }

    /// Finds a response.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<StoredResponse>> {
        let found = self.with(|shelf| shelf.find(&name(&self.tenant, id), Instant::now()));
        found.map(|(response, _)| response)
    }

    /// Keeps a response that is complete. One that is too long is not kept.
    pub(crate) fn keep(&self, response: StoredResponse) {
        let kept = kept(&self.tenant, response);
        if self.with(|shelf| shelf.keep(kept, Instant::now(), || None)) == Err(Full) {
            tracing::debug!("a response was not stored: it is too long, or every place is taken");
        }
    }

    /// Forgets a response, and stops making it.
    pub(crate) fn remove(&self, id: &str) -> Result<(), ApiError> {
        let is_removed = self.with(|shelf| shelf.remove(&name(&self.tenant, id), Instant::now()));
        if is_removed { Ok(()) } else { Err(unknown(id)) }
    }

    /// Stops making a response. One that is complete already stays as it is.
    pub(crate) fn cancel(&self, id: &str) -> Result<Arc<StoredResponse>, ApiError> {
        let (name, now) = (name(&self.tenant, id), Instant::now());
        let found = self.with(|shelf| shelf.find(&name, now));
        let (response, is_complete) = found.ok_or_else(|| unknown(id))?;
        if !response.is_background() {
            let message = "only a response that was asked for with `background: true` can be cancelled; \
                           to stop another one, close its connection";
            return Err(Failure::invalid("response_id", message).into());
        }
        if is_complete {
            return Ok(response);
        }
        // Made while nobody is held up; one that is complete by now stays as it is.
        let cancelled = kept(&self.tenant, response.cancelled());
        let found = self.with(|shelf| {
            shelf.complete(cancelled, now);
            shelf.find(&name, now)
        });
        Ok(found.map_or(response, |(response, _)| response))
    }

    /// Makes a response while nobody waits for it, and returns what there is to tell of it now.
    pub(crate) fn begin(
        &self,
        reply: Reply,
        input: Vec<StoredItem>,
        events: Stopwatch,
    ) -> Result<String, ApiError> {
        let begun = reply.begun(input.clone());
        let body = begun.body().to_owned();
        let begun = kept(&self.tenant, begun);
        let (shared, tenant) = (Arc::downgrade(&self.shared), self.tenant.clone());
        let draft = Draft { shared, tenant, reply: Some(reply), input };
        // The lock is held, so that the response is known before it is complete.
        let spawn = || Some(Job(tokio::spawn(draft.complete(events)).abort_handle()));
        if self.with(|shelf| shelf.keep(begun, Instant::now(), spawn)) == Err(Full) {
            let message = "too many responses are being made in the background";
            let full = Failure::new(FailureKind::QueueFull, message);
            return Err(full.after(Duration::from_secs(1)).into());
        }
        Ok(body)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Shelf<Arc<StoredResponse>, Job>) -> T) -> T {
        with(&self.shared, act)
    }
}

/// Does something with all responses, and drops what is forgotten then when nobody waits for it.
fn with<T>(shared: &Shared, act: impl FnOnce(&mut Shelf<Arc<StoredResponse>, Job>) -> T) -> T {
    let mut shelf = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let done = act(&mut shelf);
    let gone = shelf.take_gone();
    drop(shelf);
    drop(gone);
    done
}

/// A response that is being made. If that ends in any other way than it should, it has failed.
struct Draft {
    shared: Weak<Shared>,
    tenant: Tenant,
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
        let input = std::mem::take(&mut self.input);
        self.tell(match ended {
            Ok(()) => reply.answered(input, &answer),
            Err(failure) => {
                log(&failure);
                reply.failed(input, &failure)
            }
        });
    }

    fn tell(&self, response: StoredResponse) {
        if let Some(shared) = self.shared.upgrade() {
            let kept = kept(&self.tenant, response);
            with(&shared, |shelf| shelf.complete(kept, Instant::now()));
        }
    }
}

/// A panic ends a task without a word.
impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(reply) = self.reply.take()
            && std::thread::panicking()
        {
            let input = std::mem::take(&mut self.input);
            self.tell(reply.failed(input, &Failure::internal("the answer panicked")));
        }
    }
}

/// Makes the error for a response that is not kept.
pub(crate) fn unknown(id: &str) -> ApiError {
    ApiError::UnknownResponse { id: id.chars().take(64).collect(), can_store: true }
}

fn kept(tenant: &Tenant, response: StoredResponse) -> Kept<Arc<StoredResponse>> {
    Kept { name: name(tenant, response.id()), bytes: response.bytes(), value: Arc::new(response) }
}

/// What a tenant's response is kept under. No tenant's name has a line break, so that no id leads to another's.
fn name(tenant: &Tenant, id: &str) -> String {
    format!("{tenant}\n{id}")
}

/// Some thousand conversations of an agent.
const BYTES_MAX: usize = 256 << 20;
/// Whoever comes back later sends the conversation again.
const AGE_MAX: Duration = Duration::from_hours(24);
