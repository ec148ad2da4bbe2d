//! Attempt after attempt, until there is an answer or nobody is left.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stack_chat::{
    Answerer, ChatEvent, ChatRequest, Commit, EventStream, Failure, FailureKind, LineageRecord, RouteAttempt,
};
use tokio::time::timeout_at;

use super::commit::CommitGate;
use super::leg::{Leg, Who};
use super::memory::RouteMemory;
use crate::provider::ProviderModel;
use crate::provider::driven::{Driven, Outlet};
use crate::stable_hash::stable_hash;
use crate::{Attempts, Next, RetryOptions, Situation};

/// One request on its way.
pub(crate) struct Walk {
    pub(super) legs: VecDeque<Leg>,
    pub(super) request: ChatRequest,
    pub(super) commit: Commit,
    /// About how many tokens the prompt has.
    pub(super) tokens: u32,
    pub(super) memory: Arc<RouteMemory>,
    pub(super) retries: RetryOptions,
    /// How long the request may take until its last attempt has begun to answer.
    pub(super) total: Duration,
    /// What tells it from other requests.
    pub(super) unique: String,
}

/// How an attempt failed.
struct Stopped {
    failure: Failure,
    /// Whether the caller has seen some of its answer.
    is_committed: bool,
}

/// What all attempts of a request share.
struct Shared<'a> {
    outlet: &'a Outlet,
    began: Instant,
    ends: Instant,
    record: LineageRecord,
}

impl Walk {
    /// Asks one model, and nobody else.
    pub(crate) fn alone(model: ProviderModel, request: ChatRequest) -> Self {
        let options = model.provider().options();
        let (retries, total) = (options.retries.clone(), options.timeouts.total);
        let route = format!("{}/{}", options.name, model.name());
        let unique = model.provider().unique();
        let leg = Leg { route, who: Who::Provider(model), tier: None, context: None };
        Self {
            legs: VecDeque::from([leg]),
            commit: request.routing.commit.unwrap_or_default(),
            request,
            tokens: 0,
            memory: Arc::default(),
            retries,
            total,
            unique,
        }
    }

    /// Begins; the work goes on while somebody reads.
    pub(crate) fn begin(self) -> EventStream {
        Box::pin(Driven::new(|outlet| self.run(outlet)))
    }

    async fn run(mut self, outlet: Outlet) {
        let began = Instant::now();
        let ends = began + self.request.deadline.map_or(self.total, |deadline| deadline.min(self.total));
        let record = self.request.routing.record.clone();
        let shared = Shared { outlet: &outlet, began, ends, record };
        if let Err(failure) = self.walk(&shared).await {
            // Who does not read any more does not want to know.
            let _unread = outlet.send(Err(failure)).await;
        }
    }

    async fn walk(&mut self, shared: &Shared<'_>) -> Result<(), Failure> {
        let mut attempts = Attempts::new(self.retries.clone());
        let mut failed: Vec<(String, Failure)> = Vec::new();
        while let Some(leg) = self.legs.pop_front() {
            attempts.begin_route();
            leg.deposit();
            let since = Instant::now();
            for number in 0_u32.. {
                let Err(Stopped { failure, is_committed }) = self.attempt(&leg, shared).await else {
                    return Ok(());
                };
                if is_committed || failure.kind == FailureKind::Cancelled {
                    return Err(failure);
                }
                self.drop_smaller(&leg, &failure);
                let situation = Situation {
                    is_committed: false,
                    has_other_route: !self.legs.is_empty(),
                    time_left: self.time_left(&leg, &failure, since, shared.ends),
                };
                // Waits of different requests differ, and that is all that is asked of the draw.
                let draw = stable_hash(&[&self.unique, &leg.route, &number.to_string()]);
                let next = leg.after(&mut attempts, &failure, situation, draw as f64 / u64::MAX as f64);
                if let Next::Again(wait) = next {
                    tokio::time::sleep(wait).await;
                    continue;
                }
                let is_last = matches!(next, Next::GiveUp { .. });
                if let Next::Elsewhere { cooldown: Some(wait) } | Next::GiveUp { cooldown: Some(wait) } = next
                {
                    self.memory.cool(&leg.route, Instant::now() + wait.min(COOLDOWN_MAX));
                }
                failed.push((leg.route.clone(), failure));
                if is_last {
                    return Err(told(failed));
                }
                break;
            }
        }
        Err(told(failed))
    }

    /// Makes one attempt, and writes it down.
    async fn attempt(&self, leg: &Leg, shared: &Shared<'_>) -> Result<(), Stopped> {
        let now = Instant::now();
        let _in_flight = self.memory.enter(&leg.route, now);
        let place = shared.record.note(|lineage| {
            if lineage.attempts.len() >= ATTEMPTS_NOTED {
                return None;
            }
            lineage.attempts.push(RouteAttempt {
                route: leg.route.clone(),
                began: now.saturating_duration_since(shared.began),
                first_output: None,
                took: None,
                failure: None,
            });
            Some(lineage.attempts.len() - 1)
        });
        let mut noted = Noted { record: &shared.record, place, since: now };
        let mut gate = CommitGate::new(self.commit, now);
        let pumped = self.pump(leg, shared, &mut gate, &mut noted).await;
        let ended = Instant::now();
        noted.note(|attempt| {
            attempt.took = Some(ended.saturating_duration_since(now));
            attempt.failure = pumped.as_ref().err().map(|failure| failure.kind);
        });
        self.memory.ended(&leg.route, pumped.as_ref().err(), ended);
        pumped.map_err(|failure| Stopped { failure, is_committed: gate.is_open() })
    }

    /// Moves the events of one attempt to the caller.
    async fn pump(
        &self,
        leg: &Leg,
        shared: &Shared<'_>,
        gate: &mut CommitGate,
        noted: &mut Noted<'_>,
    ) -> Result<(), Failure> {
        let patience = (!self.legs.is_empty()).then(|| leg.patience(self.tokens));
        let tier = self.request.tier.into_iter().chain(leg.tier).min();
        let deadline = self.request.deadline.map(|deadline| deadline.saturating_sub(shared.began.elapsed()));
        let request = ChatRequest { tier, deadline, ..self.request.clone() };
        let mut opened = leg.open(request, patience, shared.ends).await?;
        loop {
            let event = match gate.due() {
                Some(due) => timeout_at(due.into(), next(&mut opened.events)).await,
                None => Ok(next(&mut opened.events).await),
            };
            let had_output = gate.has_output();
            let (released, is_last) = match event {
                Ok(Some(event)) => {
                    let event = event?;
                    let is_last = matches!(event, ChatEvent::Done { .. });
                    (gate.push(event)?, is_last)
                }
                Ok(None) => {
                    let message = "the answer ended without saying that it was complete";
                    return Err(Failure::new(FailureKind::StreamTruncated, message));
                }
                Err(_elapsed) => (gate.give_way(), false),
            };
            if gate.has_output() && !had_output {
                let took = noted.since.elapsed();
                self.memory.answered(&leg.route, took);
                noted.note(|attempt| attempt.first_output = Some(took));
            }
            if gate.is_open() {
                answered(&shared.record, &opened.answerer, self.commit, is_last);
            }
            for event in released {
                if shared.outlet.send(Ok(event)).await.is_err() {
                    return Err(Failure::new(FailureKind::Cancelled, "the caller has left"));
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Drops candidates into which a prompt that was too long does not fit either.
    fn drop_smaller(&mut self, leg: &Leg, failure: &Failure) {
        if failure.kind != FailureKind::ContextExceeded {
            return;
        }
        let context = failure.overflow.map(|overflow| overflow.context).or(leg.context);
        let needed = failure.overflow.map(|overflow| overflow.prompt_tokens);
        self.legs.retain(|other| match (other.context, context) {
            (Some(other), Some(context)) => other > context && needed.is_none_or(|needed| other > needed),
            _ => true,
        });
    }

    /// How much time is left. A model that is being loaded is waited for only as long as a first output is.
    fn time_left(&self, leg: &Leg, failure: &Failure, since: Instant, ends: Instant) -> Duration {
        let ends = if failure.kind == FailureKind::Loading {
            let patience = if self.legs.is_empty() { LAST_PATIENCE } else { leg.patience(self.tokens) };
            ends.min(since + patience)
        } else {
            ends
        };
        ends.saturating_duration_since(Instant::now())
    }
}

/// The note about an attempt that is under way.
struct Noted<'a> {
    record: &'a LineageRecord,
    place: Option<usize>,
    since: Instant,
}

impl Noted<'_> {
    fn note(&self, change: impl FnOnce(&mut RouteAttempt)) {
        let Some(place) = self.place else { return };
        self.record.note(|lineage| lineage.attempts.get_mut(place).map(change));
    }
}

/// Writes down who answers, once that cannot change any more.
fn answered(record: &LineageRecord, answerer: &Answerer, commit: Commit, is_whole: bool) {
    record.note(|lineage| {
        if lineage.answerer.is_some() {
            return;
        }
        lineage.answerer = Some(answerer.clone());
        if commit == Commit::Proof && !is_whole {
            let change =
                "shown before it was complete: it was longer, or took longer, than answers are held back";
            lineage.changes.push(change.to_owned());
        }
    });
}

/// Makes the failure that the caller is told: that of the first, who was meant, with what became of the others.
fn told(failed: Vec<(String, Failure)>) -> Failure {
    let mut failed = failed.into_iter();
    let Some((first, mut failure)) = failed.next() else {
        return Failure::new(FailureKind::NoRoute, "nobody is left to answer");
    };
    let others: Vec<String> =
        failed.map(|(route, failure)| format!("{route}: {}", failure.kind.as_str())).collect();
    if !others.is_empty() {
        let message = std::mem::take(&mut failure.message);
        failure.message = format!("{message} (asked {first} first, then {})", others.join(", "));
    }
    failure
}

async fn next(events: &mut EventStream) -> Option<Result<ChatEvent, Failure>> {
    poll_fn(|cx| events.as_mut().poll_next(cx)).await
}

/// However long a provider asks to be left alone, somebody looks again within the hour.
const COOLDOWN_MAX: Duration = Duration::from_hours(1);
/// How long a model that is being loaded is waited for where nobody else could answer.
const LAST_PATIENCE: Duration = Duration::from_mins(1);
/// A model that is being loaded may be asked often.
const ATTEMPTS_NOTED: usize = 64;
