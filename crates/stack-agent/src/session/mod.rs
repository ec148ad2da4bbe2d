//! A session on the log: performs the machine's commands, writes each act before and after, and gives the machine what
//! the log then holds, and nothing else.

mod error;
mod replay;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stack_audit::{Actor, Audit, Draft, Kind, Log, OpenEntry, StreamId};
use stack_chat::{ChatModel, ChatRequest};

use crate::approval::{Answer, ApprovedCall, Question, StartedCall};
use crate::call::Proposal;
use crate::kernel::{AmbiguousEffect, Command, Session, Start};
use crate::model::{self, NoReply};
use crate::state::State;
use crate::tool_failure::ToolFailure;
use crate::tools::ToolWorld;
pub use error::SessionError;
pub use replay::{Replayed, replay};

/// Whoever is asked.
pub trait Approver {
    /// Decides about a call.
    fn decide(&mut self, question: &Question) -> Answer;

    /// Says what became of an act that was under way when the process ended; nothing leaves the session as it is.
    fn resolve(&mut self, effect: &AmbiguousEffect) -> Option<Resolution>;
}

/// What a person says about an act of which nobody knows whether it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It is done again.
    Retry,
    /// It happened.
    Happened,
    /// It did not, and is not done.
    DidNot,
    /// The session ends.
    Fail,
}

impl Resolution {
    /// Returns its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Happened => "happened",
            Self::DidNot => "did_not",
            Self::Fail => "fail",
        }
    }
}

/// Whoever watches.
pub trait Observer {
    /// Sees what happens, as it happens.
    fn see(&mut self, progress: &Progress<'_>);
}

/// What happens in a session.
#[derive(Debug)]
pub enum Progress<'a> {
    /// The model said more.
    Said(&'a str),
    /// A call of the model ended.
    Replied,
    /// A tool begins.
    Begun(&'a Proposal),
    /// A tool ended.
    Ended(&'a Proposal, &'a Result<Value, ToolFailure>),
    /// A call was refused before anybody was asked.
    Refused(&'a Value),
}

/// What a session works with.
pub struct SessionWorld<'a> {
    /// The log.
    pub audit: &'a Audit,
    /// Who runs it.
    pub actor: Actor,
    /// Who answers.
    pub model: &'a dyn ChatModel,
    /// What tools work with.
    pub tools: ToolWorld<'a>,
    /// Whoever is asked.
    pub approver: &'a mut dyn Approver,
    /// Whoever watches.
    pub observer: &'a mut dyn Observer,
    /// Set by whoever wants it to end.
    pub cancel: &'a AtomicBool,
}

/// Runs one session.
pub struct SessionRunner<'a> {
    world: SessionWorld<'a>,
    log: Log,
    session: Session,
    commands: VecDeque<Command>,
    /// Questions whose intent is in the log.
    asked: VecDeque<(Question, OpenEntry)>,
}

impl<'a> SessionRunner<'a> {
    /// Begins a session in a stream of its own.
    ///
    /// # Errors
    ///
    /// When the log refuses, or the task is too long.
    pub fn start(world: SessionWorld<'a>, stream: StreamId, start: &Start) -> Result<Self, SessionError> {
        if start.task.len() > crate::limits::TASK_BYTES {
            return Err(SessionError::TaskTooLong);
        }
        let log = world.audit.reader().map_err(SessionError::reading)?;
        let (commands, asked) = (VecDeque::new(), VecDeque::new());
        let mut runner = Self { world, log, session: Session::new(stream), commands, asked };
        runner.note(Kind::SESSION_START, start.to_json())?;
        Ok(runner)
    }

    /// Goes on with a session whose process has ended.
    ///
    /// # Errors
    ///
    /// When there is no such session, it has ended, another process has it, or its record makes no sense.
    pub fn resume(world: SessionWorld<'a>, stream: StreamId) -> Result<Self, SessionError> {
        let log = world.audit.reader().map_err(SessionError::reading)?;
        let Replayed { session, commands } = replay(&log, stream, None)?;
        if let Some(end) = session.end() {
            return Err(SessionError::Ended { stream, state: end.state });
        }
        // What ended processes left open was settled when the log was opened.
        if session.open_intents().next().is_some() {
            return Err(SessionError::Busy { stream });
        }
        Ok(Self { world, log, session, commands, asked: VecDeque::new() })
    }

    /// Runs it to its end, or until a person has to say what became of an act and does not.
    ///
    /// # Errors
    ///
    /// When the log refuses, or the record diverges. Nothing more is written then.
    pub fn run(mut self) -> Result<Session, SessionError> {
        while self.session.end().is_none() {
            if self.is_cancelled() {
                self.cancel()?;
                break;
            }
            if let Some(command) = self.commands.pop_front() {
                self.perform(command)?;
            } else if let Some((question, entry)) = self.asked.pop_front() {
                self.decide(&question, entry)?;
            } else if let Some(effect) = self.session.ambiguous() {
                let Some(resolution) = self.world.approver.resolve(&effect) else { break };
                let payload = json!({
                    "seq": effect.seq,
                    "decision": resolution.name(),
                    "proposal_hash": effect.proposal_hash,
                });
                self.note(Kind::TOOL_RESOLVED, payload)?;
            } else {
                return Err(SessionError::Stuck { stream: self.session.stream() });
            }
        }
        Ok(self.session)
    }

    fn perform(&mut self, command: Command) -> Result<(), SessionError> {
        match command {
            Command::Append { kind, payload } => {
                if kind == Kind::CALL_DENIED {
                    self.world.observer.see(&Progress::Refused(&payload));
                }
                self.note(kind, payload)
            }
            Command::CallModel { intent, request, wait_ms, time_ms } => {
                if self.wait(wait_ms) {
                    self.call_model(intent, *request, time_ms)
                } else {
                    Ok(())
                }
            }
            Command::RunTool(approved) => self.run_tool(approved),
            Command::Ask(question) => {
                let draft = self.draft(Kind::APPROVAL).with(question.intent());
                let entry = self.world.audit.begin(draft).map_err(SessionError::writing)?;
                self.asked.push_back((*question, entry));
                self.catch_up()
            }
        }
    }

    fn call_model(
        &mut self,
        intent: Value,
        mut request: ChatRequest,
        time_ms: u64,
    ) -> Result<(), SessionError> {
        request.deadline = Some(Duration::from_millis(time_ms.max(1)));
        let draft = self.draft(Kind::MODEL_CALL).with(intent);
        let entry = self.world.audit.begin(draft).map_err(SessionError::writing)?;
        let observer = &mut *self.world.observer;
        let mut hear = |text: &str| observer.see(&Progress::Said(text));
        let written = match model::ask(self.world.model, request, self.world.cancel, &mut hear) {
            Ok(reply) => entry.done(reply.to_json()),
            Err(NoReply::Failed(failure)) => entry.failed(model::failure_json(&failure)),
            Err(NoReply::Cancelled) => entry.abandoned(json!({"reason": "cancelled"})),
        };
        self.world.observer.see(&Progress::Replied);
        written.map_err(SessionError::writing)?;
        self.catch_up()
    }

    fn run_tool(&mut self, approved: ApprovedCall) -> Result<(), SessionError> {
        self.world.observer.see(&Progress::Begun(approved.proposal()));
        let place = (self.session.stream(), self.session.next_seq());
        let rules = (self.session.policy_digest(), self.session.taint());
        let begun = approved.begin(self.world.audit, place, self.world.actor.clone(), rules);
        let call = begun.map_err(SessionError::writing)?;
        let result = self.world.tools.run(&call);
        self.world.observer.see(&Progress::Ended(&call.proposal, &result));
        let StartedCall { entry, .. } = call;
        let written = match result {
            Ok(output) => entry.done(json!({"output": output})),
            Err(failure) => {
                let payload = json!({"error": failure.to_json()});
                if failure.kind.is_denial() { entry.denied(payload) } else { entry.failed(payload) }
            }
        };
        written.map_err(SessionError::writing)?;
        self.catch_up()
    }

    fn decide(&mut self, question: &Question, entry: OpenEntry) -> Result<(), SessionError> {
        let answer = self.world.approver.decide(question);
        let written = if self.is_cancelled() {
            entry.abandoned(json!({"reason": "cancelled"}))
        } else {
            let payload = answer.to_json(&question.proposal.hash());
            if matches!(answer, Answer::Deny { .. }) { entry.denied(payload) } else { entry.done(payload) }
        };
        written.map_err(SessionError::writing)?;
        self.catch_up()
    }

    /// Ends it for a person: what is open is abandoned, and that it has ended is the last entry.
    fn cancel(&mut self) -> Result<(), SessionError> {
        for (_, entry) in std::mem::take(&mut self.asked) {
            entry.abandoned(json!({"reason": "cancelled"})).map_err(SessionError::writing)?;
        }
        self.catch_up()?;
        self.note(
            Kind::SESSION_END,
            json!({"state": State::Cancelled.name(), "reason": "cancelled", "detail": null}),
        )
    }

    fn is_cancelled(&self) -> bool {
        self.world.cancel.load(Ordering::Relaxed)
    }

    /// Waits, and returns whether it was let to.
    fn wait(&self, wait_ms: u64) -> bool {
        let until = Instant::now() + Duration::from_millis(wait_ms);
        while !self.is_cancelled() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(Duration::from_millis(50)));
        }
        false
    }

    fn note(&mut self, kind: Kind, payload: Value) -> Result<(), SessionError> {
        self.world.audit.note(self.draft(kind).with(payload)).map_err(SessionError::writing)?;
        self.catch_up()
    }

    /// An entry at the next place of the stream: if another process has written there, this one stops.
    fn draft(&self, kind: Kind) -> Draft {
        let mut draft = Draft::new(self.session.stream(), kind, self.world.actor.clone());
        draft.circumstances.policy = self.session.policy_digest();
        draft.circumstances.taint = self.session.taint();
        draft.expecting(self.session.next_seq())
    }

    /// Gives the machine what the log has and it has not seen, as the log has it: with secrets replaced.
    fn catch_up(&mut self) -> Result<(), SessionError> {
        replay::follow(&self.log, &mut self.session, &mut self.commands, None)
    }
}
