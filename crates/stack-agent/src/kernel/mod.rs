//! The session as a pure machine: entries of the log in, commands out.
//!
//! [`Session::apply`] is the only thing that changes a session. It reads no clock, draws nothing, and does no I/O: times,
//! and what models, tools and people said, come as entries. So a session is what its record says, and replaying the
//! record needs nobody. Each note and intent in the log must be the one that the machine issued at that place; another
//! is a divergence, and ends the replay.

mod ambiguity;
mod calls;
mod context;
mod error;
mod repeats;
mod reply;
mod start;
mod view;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};
use stack_audit::{Kind, Outcome, Phase, StreamId, Taint};
use stack_chat::ChatRequest;

use crate::approval::{ApprovedCall, Question};
use crate::entry::SessionEntry;
use crate::limits::Limits;
use crate::policy::Policy;
use crate::state::State;
pub use ambiguity::AmbiguousEffect;
use calls::Call;
pub use error::KernelError;
use repeats::Repeats;
pub use reply::{ModelReply, ReplyPart};
pub use start::{KERNEL_VERSION, Start};

/// What the world is to do next. Each appears in the log as an entry before anything comes of it.
#[derive(Debug)]
pub enum Command {
    /// Write down a note.
    Append {
        /// Its kind.
        kind: Kind,
        /// What it says.
        payload: Value,
    },
    /// Ask the model.
    CallModel {
        /// What the intent says.
        intent: Value,
        /// The request.
        request: Box<ChatRequest>,
        /// How long to wait before, in milliseconds.
        wait_ms: u64,
        /// How long it may take, in milliseconds.
        time_ms: u64,
    },
    /// Run a tool.
    RunTool(ApprovedCall),
    /// Ask a person.
    Ask(Box<Question>),
}

/// A session, as its entries made it.
#[derive(Debug)]
pub struct Session {
    stream: StreamId,
    next_seq: u64,
    state: State,
    start: Option<Start>,
    policy: Policy,
    turns: Vec<Turn>,
    /// The entries that were issued and are not in the log yet.
    due: VecDeque<Due>,
    /// The intents that lack their effect.
    open: BTreeMap<u64, Open>,
    /// The calls of the last reply.
    calls: Vec<Call>,
    repeats: Repeats,
    counters: Counters,
    /// What a person allowed for the whole session.
    granted: BTreeSet<&'static str>,
    taint: Taint,
    clock: Clock,
    end: Option<End>,
}

/// What was said, in order.
#[derive(Clone, Debug, PartialEq)]
enum Turn {
    /// A reply of the model, and the seq under which it stands: names of calls follow from that.
    Reply { seq: u64, reply: ModelReply },
    /// The results of its calls, in the order of the calls.
    Results(Vec<calls::CallResult>),
    /// Something that the machine itself tells the model.
    Notice(&'static str),
}

/// An entry that must come next.
#[derive(Debug)]
struct Due {
    kind: Kind,
    is_intent: bool,
    payload: Value,
    then: Then,
}

/// What an intent in the log opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Nothing,
    Model { attempt: u32 },
    Tool { position: usize },
    Approval { position: usize },
}

/// An intent that lacks its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    kind: Kind,
    then: Then,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counters {
    steps: u64,
    tool_calls: u64,
    tokens: u64,
    failed_in_a_row: u32,
    denied_in_a_row: u32,
    cut_in_a_row: u32,
    paused_in_a_row: u32,
}

/// Time that counts: what passes while a person is waited for does not.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    last_ms: u64,
    active_ms: u64,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Done, failed or cancelled.
    pub state: State,
    /// Why, in one word such as `answer` or `step_limit`.
    pub reason: String,
    /// More about it, where there is more.
    pub detail: Option<String>,
}

/// What a session has taken so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Calls of the model.
    pub steps: u64,
    /// Calls of tools that began.
    pub tool_calls: u64,
    /// Tokens read and written.
    pub tokens: u64,
    /// Milliseconds of computing and of tools.
    pub active_ms: u64,
}

impl Session {
    /// Makes a session that nothing has happened to.
    pub fn new(stream: StreamId) -> Self {
        Self {
            stream,
            next_seq: 1,
            state: State::default(),
            start: None,
            policy: Policy::default(),
            turns: Vec::new(),
            due: VecDeque::new(),
            open: BTreeMap::new(),
            calls: Vec::new(),
            repeats: Repeats::default(),
            counters: Counters::default(),
            granted: BTreeSet::new(),
            taint: Taint::default(),
            clock: Clock::default(),
            end: None,
        }
    }

    /// Takes the next entry, and returns what the world is to do.
    ///
    /// # Errors
    ///
    /// When the entry cannot follow the ones before it. Nothing more may be written to such a session.
    pub fn apply(&mut self, entry: &SessionEntry) -> Result<Vec<Command>, KernelError> {
        if entry.seq != self.next_seq {
            return Err(KernelError::Gap { expected: self.next_seq, found: entry.seq });
        }
        self.next_seq += 1;
        self.tick(entry.wall_ms);
        let mut commands = Vec::new();
        match entry.phase {
            Phase::Effect { closes, outcome } => self.settle(entry, closes, outcome, &mut commands)?,
            Phase::Note if self.is_from_outside(entry) => self.hear(entry, &mut commands)?,
            Phase::Note | Phase::Intent => {
                let due = self.expect(entry)?;
                self.follow(entry, &due, &mut commands)?;
            }
        }
        Ok(commands)
    }

    /// Returns whether a note is one that people or their programs write, and the machine does not foresee.
    fn is_from_outside(&self, entry: &SessionEntry) -> bool {
        match entry.kind {
            Kind::SESSION_START => self.state == State::Idle,
            Kind::SESSION_END => entry.payload["state"] == State::Cancelled.name(),
            Kind::TOOL_RESOLVED => true,
            _ => false,
        }
    }

    fn hear(&mut self, entry: &SessionEntry, commands: &mut Vec<Command>) -> Result<(), KernelError> {
        match entry.kind {
            Kind::SESSION_START => {
                let start = Start::from_json(entry.seq, &entry.payload)?;
                self.policy = Policy::from_json(&start.policy)
                    .map_err(|_| KernelError::Malformed { seq: entry.seq, field: "policy" })?;
                self.state = self.state.to(State::Running)?;
                self.start = Some(start);
                self.step(commands);
                Ok(())
            }
            Kind::SESSION_END => {
                if !self.open.is_empty() {
                    return Err(KernelError::Malformed { seq: entry.seq, field: "an intent is open" });
                }
                self.due.clear();
                self.finish(entry)
            }
            _ => self.resolve(entry, commands),
        }
    }

    /// Takes the entry for the one that was issued.
    fn expect(&mut self, entry: &SessionEntry) -> Result<Due, KernelError> {
        let seq = entry.seq;
        let differs = |field, expected: String, found: String| {
            Err(KernelError::Divergence { seq, field, expected, found })
        };
        let Some(due) = self.due.pop_front() else {
            return differs("kind", "nothing".to_owned(), entry.kind.to_string());
        };
        if due.kind != entry.kind {
            return differs("kind", due.kind.to_string(), entry.kind.to_string());
        }
        let phase = if due.is_intent { "intent" } else { "note" };
        if phase != entry.phase.name() {
            return differs("phase", phase.to_owned(), entry.phase.name().to_owned());
        }
        if due.payload != entry.payload {
            return differs("payload", due.payload.to_string(), entry.payload.to_string());
        }
        Ok(due)
    }

    /// Goes on from an entry that the machine has issued.
    fn follow(
        &mut self,
        entry: &SessionEntry,
        due: &Due,
        commands: &mut Vec<Command>,
    ) -> Result<(), KernelError> {
        if due.is_intent {
            self.open.insert(entry.seq, Open { kind: entry.kind, then: due.then });
            self.begun(due.then);
            return Ok(());
        }
        match entry.kind {
            Kind::SESSION_STATE => {
                let to = entry.payload["to"].as_str().and_then(State::from_name);
                let to = to.ok_or(KernelError::Malformed { seq: entry.seq, field: "to" })?;
                self.state = self.state.to(to)?;
                if to == State::Running {
                    self.step(commands);
                }
                Ok(())
            }
            Kind::SESSION_END => self.finish(entry),
            _ => Ok(()),
        }
    }

    fn settle(
        &mut self,
        entry: &SessionEntry,
        closes: u64,
        outcome: Outcome,
        commands: &mut Vec<Command>,
    ) -> Result<(), KernelError> {
        let open = self.open.remove(&closes).filter(|open| open.kind == entry.kind);
        let open = open.ok_or(KernelError::Malformed { seq: entry.seq, field: "closes" })?;
        match open.then {
            Then::Nothing => Ok(()),
            Then::Model { attempt } => self.answered(entry, outcome, attempt, commands),
            Then::Tool { position } => self.ran(entry, (closes, position), outcome, commands),
            Then::Approval { position } => self.decided(entry, (closes, position), outcome, commands),
        }
    }

    fn finish(&mut self, entry: &SessionEntry) -> Result<(), KernelError> {
        let malformed = |field| KernelError::Malformed { seq: entry.seq, field };
        let state = entry.payload["state"].as_str().and_then(State::from_name);
        let state = state.filter(|state| state.is_final()).ok_or(malformed("state"))?;
        let reason = entry.payload["reason"].as_str().ok_or(malformed("reason"))?.to_owned();
        let detail = entry.payload["detail"].as_str().map(str::to_owned);
        self.state = self.state.to(state)?;
        self.end = Some(End { state, reason, detail });
        Ok(())
    }

    /// Decides about the next step: a limit ends the session, else the model is asked.
    fn step(&mut self, commands: &mut Vec<Command>) {
        let limits = self.limits();
        for (reached, reason, limit) in [
            (self.counters.steps >= limits.steps, "step_limit", limits.steps),
            (self.counters.tokens >= limits.tokens, "token_limit", limits.tokens),
            (self.clock.active_ms >= limits.time_s * 1000, "time_limit", limits.time_s),
        ] {
            if reached {
                return self.stop_at_limit(reason, limit, commands);
            }
        }
        self.counters.steps += 1;
        self.call_model(1, 0, commands);
    }

    fn call_model(&mut self, attempt: u32, wait_ms: u64, commands: &mut Vec<Command>) {
        let request = self.request();
        let intent = json!({
            "digest": context::digest(&request),
            "through": self.next_seq - 1,
            "model": self.start.as_ref().map_or("", |start| &start.model),
            "step": self.counters.steps,
            "attempt": attempt,
        });
        let time_ms = (self.limits().time_s * 1000).saturating_sub(self.clock.active_ms);
        self.issue(Kind::MODEL_CALL, true, intent.clone(), Then::Model { attempt });
        commands.push(Command::CallModel { intent, request: Box::new(request), wait_ms, time_ms });
    }

    fn stop_at_limit(&mut self, reason: &'static str, limit: u64, commands: &mut Vec<Command>) {
        self.append(Kind::LIMIT_HIT, json!({"limit": reason, "value": limit}), commands);
        self.end_as(State::Failed, reason, None, commands);
    }

    fn end_as(&mut self, state: State, reason: &str, detail: Option<&str>, commands: &mut Vec<Command>) {
        let payload = json!({"state": state.name(), "reason": reason, "detail": detail});
        self.append(Kind::SESSION_END, payload, commands);
    }

    fn go(&mut self, to: State, reason: &str, commands: &mut Vec<Command>) {
        self.append(Kind::SESSION_STATE, json!({"to": to.name(), "reason": reason}), commands);
    }

    fn append(&mut self, kind: Kind, payload: Value, commands: &mut Vec<Command>) {
        self.issue(kind, false, payload.clone(), Then::Nothing);
        commands.push(Command::Append { kind, payload });
    }

    fn issue(&mut self, kind: Kind, is_intent: bool, payload: Value, then: Then) {
        self.due.push_back(Due { kind, is_intent, payload, then });
    }

    fn limits(&self) -> Limits {
        self.start.as_ref().map_or_else(Limits::default, |start| start.limits)
    }

    /// Counts the time since the entry before, unless a person was waited for. Clocks that go back count nothing.
    fn tick(&mut self, wall_ms: u64) {
        let waits_for_a_person = self.state == State::Waiting
            && (self.ambiguous().is_some()
                || self.open.values().any(|open| matches!(open.then, Then::Approval { .. })));
        if self.next_seq > 2 && !waits_for_a_person {
            self.clock.active_ms += wall_ms.saturating_sub(self.clock.last_ms);
        }
        self.clock.last_ms = wall_ms;
    }
}
