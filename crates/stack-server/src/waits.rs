//! What goes with a request from its head to its answer: what its key allows, how it is to be served, and how long it waited
//! for others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stack_chat::{ChatRequest, Failure, FailureKind, LineageRecord, Priority, Routing, Tier};

use crate::auth::Grant;
use crate::terms::Terms;

/// What is known of a request, and the time that it spent waiting for its client or its model. What is left of its duration
/// is our own.
#[derive(Clone, Debug)]
pub(crate) struct Waits {
    micros: Arc<AtomicU64>,
    terms: Terms,
    /// When the caller began to wait.
    since: Instant,
    grant: Arc<Grant>,
    /// Where it is written down how the answer came about.
    record: LineageRecord,
    /// What names the request.
    request_id: Arc<str>,
}

impl Waits {
    /// Starts to count for a request that came at `since`, on these terms. Until it is [granted](Self::granted) something,
    /// it may do nothing.
    pub(crate) fn new(terms: Terms, since: Instant) -> Self {
        Self {
            micros: Arc::default(),
            terms,
            since,
            grant: Arc::new(Grant::nobody()),
            record: LineageRecord::default(),
            request_id: Arc::from(""),
        }
    }

    /// The same for a request of this name.
    pub(crate) fn named(self, id: &str) -> Self {
        Self { request_id: Arc::from(id), ..self }
    }

    /// What names the request.
    pub(crate) fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The same for a request whose key allows this.
    pub(crate) fn granted(self, grant: Arc<Grant>) -> Self {
        Self { grant, ..self }
    }

    /// Where it is written down how the answer came about.
    pub(crate) fn record(&self) -> &LineageRecord {
        &self.record
    }

    /// What the key of the request allows.
    pub(crate) fn grant(&self) -> &Arc<Grant> {
        &self.grant
    }

    /// Asks for an answer as the caller wants it, of whose time some may have gone by, and as the key allows.
    pub(crate) fn ask(&self, request: ChatRequest) -> ChatRequest {
        let priority = match self.grant.priority {
            Priority::Interactive => self.terms.priority,
            Priority::Batch => Priority::Batch,
        };
        ChatRequest {
            priority,
            deadline: self.left().or(request.deadline),
            tenant: self.grant.tenant.clone(),
            tier: self.terms.tier.into_iter().chain(request.tier).min(),
            routing: Routing {
                commit: self.terms.commit.or(request.routing.commit),
                fallback: self.terms.fallback.unwrap_or(request.routing.fallback),
                user: self.terms.user.clone().or(request.routing.user),
                session: self.terms.session.clone().or(request.routing.session),
                record: self.record.clone(),
            },
            ..request
        }
    }

    /// How far the request may reach, as far as its head says it.
    pub(crate) fn tier(&self) -> Option<Tier> {
        self.terms.tier
    }

    /// Waits for `other`, and counts the time.
    pub(crate) async fn on<F: Future>(&self, other: F) -> F::Output {
        let since = Instant::now();
        let output = other.await;
        let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        output
    }

    /// The same for as long as the caller waits.
    pub(crate) async fn within<F: Future>(&self, other: F) -> Result<F::Output, Failure> {
        let Some(left) = self.left() else { return Ok(self.on(other).await) };
        self.on(tokio::time::timeout(left, other)).await.map_err(|_elapsed| {
            Failure::new(
                FailureKind::Timeout,
                "the deadline of the request passed before its answer was there",
            )
        })
    }

    /// Returns the time so far.
    pub(crate) fn total(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }

    /// How much longer the caller waits, if that has an end.
    fn left(&self) -> Option<Duration> {
        self.terms.deadline.map(|deadline| deadline.saturating_sub(self.since.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use stack_chat::{Priority, Prompt};

    use super::*;

    fn waits(deadline: Option<Duration>) -> Waits {
        Waits::new(Terms { priority: Priority::Batch, deadline, ..Terms::default() }, Instant::now())
    }

    #[tokio::test]
    async fn only_what_others_take_is_counted() {
        let waits = waits(None);
        assert_eq!(waits.total(), Duration::ZERO);
        let pause = Duration::from_millis(10);
        waits.on(tokio::time::sleep(pause)).await;
        assert!(waits.total() >= pause);
    }

    #[test]
    fn the_stricter_tier_of_head_and_body_counts() {
        let request = |tier| ChatRequest { tier, ..ChatRequest::new(Prompt::Text(String::new())) };
        let private = Waits::new(Terms { tier: Some(Tier::Private), ..Terms::default() }, Instant::now());
        for (body, tier) in [
            (None, Tier::Private),
            (Some(Tier::Standard), Tier::Private),
            (Some(Tier::Sovereign), Tier::Sovereign),
        ] {
            assert_eq!(private.ask(request(body)).tier, Some(tier));
        }
        assert_eq!(waits(None).ask(request(None)).tier, None);
    }

    #[tokio::test]
    async fn a_deadline_counts_from_when_the_caller_began_to_wait() {
        let request = ChatRequest::new(Prompt::Text(String::new()));
        let patient = waits(None);
        assert_eq!((patient.ask(request.clone()).deadline, patient.within(ready(1)).await), (None, Ok(1)));
        let hour = Duration::from_hours(1);
        let hurried = waits(Some(hour));
        let asked = hurried.ask(request);
        assert_eq!(asked.priority, Priority::Batch);
        assert!(asked.deadline.is_some_and(|left| left < hour), "{:?}", asked.deadline);
        assert_eq!(hurried.within(ready(1)).await, Ok(1));
        let late = waits(Some(Duration::ZERO)).within(pending::<()>()).await.unwrap_err();
        assert_eq!(late.kind, FailureKind::Timeout);
    }
}
