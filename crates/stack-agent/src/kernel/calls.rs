//! The calls of a reply: all of them are read, decided about, asked about at once, run in order, and answered in order.

use serde_json::{Value, json};
use stack_audit::{Kind, Outcome};

use super::{Command, KernelError, Session, Then, Turn};
use crate::approval::{Answer, ApprovedCall, Question};
use crate::call::{CallId, Proposal, likeness};
use crate::entry::SessionEntry;
use crate::limits::{CALLS_IN_A_REPLY, DENIED_IN_A_ROW, FAILED_IN_A_ROW, SAME_MAX};
use crate::policy::{Decision, Verdict};
use crate::state::State;
use crate::tool_failure::{ToolFailure, ToolFailureKind};
use crate::toolbox::Rank;

/// A call of the last reply.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: CallId,
    tool: String,
    pub(super) stage: Stage,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// A person is asked.
    Asked(Proposal, Verdict),
    /// It may run.
    Approved(Option<ApprovedCall>),
    /// It runs.
    Running(Proposal),
    /// Nobody knows whether it happened.
    Ambiguous(Proposal, u64),
    /// It is over.
    Ended { text: String, is_error: bool },
}

/// What the model is told of a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CallResult {
    pub(super) call: CallId,
    pub(super) tool: String,
    pub(super) text: String,
    pub(super) is_error: bool,
}

impl Session {
    /// Decides about all calls of a reply.
    pub(super) fn called(&mut self, seq: u64, commands: &mut Vec<Command>) {
        let Some(Turn::Reply { reply, .. }) = self.turns.last() else { return };
        let wanted: Vec<(String, String)> =
            reply.calls().map(|(name, arguments)| (name.to_owned(), arguments.to_owned())).collect();
        let is_too_much = wanted.len() > CALLS_IN_A_REPLY;
        self.calls.clear();
        for (position, (name, arguments)) in wanted.into_iter().enumerate() {
            let id = CallId::derive(self.stream, seq, position as u64);
            let stage = if is_too_much {
                let message = format!(
                    "a reply may make {CALLS_IN_A_REPLY} calls, and this one makes more; none was made"
                );
                Err(ToolFailure::new(ToolFailureKind::ReplyInvalid, message))
            } else {
                match self.judge(id.clone(), &name, &arguments) {
                    Err(Judged::Loop) => return self.end_as(State::Failed, "loop_detected", None, commands),
                    Err(Judged::Refused(failure)) => Err(failure),
                    Ok(stage) => Ok(stage),
                }
            };
            let tool: String = name.chars().take(64).collect();
            let stage = match stage {
                Ok(stage) => stage,
                Err(failure) => {
                    let payload = json!({"call": id.as_str(), "tool": tool, "error": failure.to_json()});
                    self.append(Kind::CALL_DENIED, payload, commands);
                    self.count(Some(failure.kind));
                    ended(&failure)
                }
            };
            self.calls.push(Call { id, tool, stage });
        }
        self.ask_or_run(commands);
    }

    /// Reads one call and decides about it.
    fn judge(&mut self, id: CallId, name: &str, arguments: &str) -> Result<Stage, Judged> {
        let Some(start) = &self.start else { return Err(Judged::Loop) };
        let (mode, is_offered) = (start.mode, start.tools.iter().any(|tool| tool == name));
        let repeats_of = serde_json::from_str(arguments).map(|arguments: Value| likeness(name, &arguments));
        if let Ok(likeness) = repeats_of
            && let Some(times) = self.repeats.refuse(&likeness)
        {
            if times >= SAME_MAX {
                return Err(Judged::Loop);
            }
            let message = "the same call has had the same result twice; it is not run again. Do something else, or answer";
            return Err(Judged::Refused(ToolFailure::new(ToolFailureKind::Repeated, message)));
        }
        if !is_offered {
            let message = format!("there is no tool {:?}", name.chars().take(64).collect::<String>());
            return Err(Judged::Refused(ToolFailure::new(ToolFailureKind::UnknownTool, message)));
        }
        let proposal = Proposal::read(id, name, arguments, mode).map_err(Judged::Refused)?;
        let verdict = self.policy.decide(&proposal, self.taint);
        let is_granted = verdict.decision == Decision::AskOnce && self.granted.contains(proposal.tool().name);
        let verdict = if is_granted { Verdict { decision: Decision::Allow, ..verdict } } else { verdict };
        if verdict.decision == Decision::Deny {
            let rule = verdict.rule.as_deref().unwrap_or("the rank of the tool");
            let message = format!("the policy denies this call ({rule})");
            return Err(Judged::Refused(ToolFailure::new(ToolFailureKind::PolicyDenied, message)));
        }
        Ok(match ApprovedCall::by_verdict(proposal.clone(), &verdict) {
            Some(approved) => Stage::Approved(Some(approved)),
            None => Stage::Asked(proposal, verdict),
        })
    }

    /// Asks about all calls that need it, or lets the first one run where nobody has to be asked.
    fn ask_or_run(&mut self, commands: &mut Vec<Command>) {
        let is_over = |call: &Call| matches!(call.stage, Stage::Ended { .. });
        if self.calls.iter().all(is_over) {
            return self.answer_calls(commands);
        }
        self.go(State::Waiting, "calls", commands);
        let asked: Vec<usize> =
            (0..self.calls.len()).filter(|at| matches!(self.calls[*at].stage, Stage::Asked(..))).collect();
        for position in &asked {
            self.ask(*position, commands);
        }
        if asked.is_empty() {
            self.run_next(commands);
        }
    }

    fn ask(&mut self, position: usize, commands: &mut Vec<Command>) {
        let Stage::Asked(proposal, verdict) = &self.calls[position].stage else { return };
        let question = Question { proposal: proposal.clone(), verdict: verdict.clone() };
        self.issue(Kind::APPROVAL, true, question.intent(), Then::Approval { position });
        commands.push(Command::Ask(Box::new(question)));
    }

    /// Lets the next approved call run; after the last, the model is told.
    pub(super) fn run_next(&mut self, commands: &mut Vec<Command>) {
        let next = self.calls.iter_mut().enumerate().find_map(|(position, call)| match &mut call.stage {
            Stage::Approved(approved) => Some((position, approved.take()?)),
            _ => None,
        });
        match next {
            Some(_) if self.counters.tool_calls >= self.limits().tool_calls => {
                self.stop_at_limit("tool_call_limit", self.limits().tool_calls, commands);
            }
            Some((position, approved)) => {
                self.calls[position].stage = Stage::Running(approved.proposal().clone());
                self.issue(Kind::TOOL_CALL, true, approved.intent(), Then::Tool { position });
                commands.push(Command::RunTool(approved));
            }
            None if self.calls.iter().all(|call| matches!(call.stage, Stage::Ended { .. })) => {
                if let Some(reason) = self.has_had_enough() {
                    return self.end_as(State::Failed, reason, None, commands);
                }
                self.take_results();
                self.go(State::Running, "results", commands);
            }
            None => {}
        }
    }

    /// Tells the model what came of calls of which none ran.
    fn answer_calls(&mut self, commands: &mut Vec<Command>) {
        if let Some(reason) = self.has_had_enough() {
            return self.end_as(State::Failed, reason, None, commands);
        }
        self.take_results();
        self.step(commands);
    }

    fn take_results(&mut self) {
        let results = self.calls.drain(..).filter_map(|call| match call.stage {
            Stage::Ended { text, is_error } => {
                Some(CallResult { call: call.id, tool: call.tool, text, is_error })
            }
            _ => None,
        });
        let results = results.collect();
        self.turns.push(Turn::Results(results));
    }

    /// Counts a call that ended well, or the kind of its failure.
    fn count(&mut self, failure: Option<ToolFailureKind>) {
        let counters = &mut self.counters;
        match failure {
            None => (counters.failed_in_a_row, counters.denied_in_a_row) = (0, 0),
            Some(kind) if kind.is_denial() => counters.denied_in_a_row += 1,
            // Calls that are repeated have a limit of their own.
            Some(ToolFailureKind::Repeated) => {}
            Some(_) => counters.failed_in_a_row += 1,
        }
    }

    fn has_had_enough(&self) -> Option<&'static str> {
        let is_strict = self.start.as_ref().is_some_and(|start| start.strict);
        let (failed, denied) = (self.counters.failed_in_a_row, self.counters.denied_in_a_row);
        match () {
            () if denied >= DENIED_IN_A_ROW || is_strict && denied > 0 => Some("denied"),
            () if failed >= FAILED_IN_A_ROW || is_strict && failed > 0 => Some("tool_failed"),
            () => None,
        }
    }

    /// Takes note of an intent that is in the log.
    pub(super) fn begun(&mut self, then: Then) {
        if matches!(then, Then::Tool { .. }) {
            self.counters.tool_calls += 1;
        }
    }

    /// Goes on from what a person said.
    pub(super) fn decided(
        &mut self,
        entry: &SessionEntry,
        (asked, position): (u64, usize),
        outcome: Outcome,
        commands: &mut Vec<Command>,
    ) -> Result<(), KernelError> {
        let malformed = |field| KernelError::Malformed { seq: entry.seq, field };
        if !matches!(outcome, Outcome::Done | Outcome::Denied) {
            // Nobody answered before the process ended; the question is asked again.
            self.ask(position, commands);
            return Ok(());
        }
        let (hash, answer) = Answer::from_json(&entry.payload).ok_or(malformed("answer"))?;
        let call = self.calls.get_mut(position).ok_or(malformed("position"))?;
        let Stage::Asked(proposal, verdict) = &call.stage else { return Err(malformed("stage")) };
        if let Answer::Deny { note } = &answer {
            let failure =
                ToolFailure::new(ToolFailureKind::ApprovalDenied, format!("a person said no: {note}"));
            call.stage = ended(&failure);
            self.count(Some(failure.kind));
        } else {
            let tool = proposal.tool().name;
            let grants = answer == Answer::AllowSession && verdict.decision == Decision::AskOnce;
            let approved = ApprovedCall::by_answer(proposal.clone(), &hash, &answer, asked);
            // The answer is to another proposal.
            call.stage = Stage::Approved(Some(approved.ok_or(malformed("proposal_hash"))?));
            if grants {
                self.granted.insert(tool);
            }
        }
        if !self.calls.iter().any(|call| matches!(call.stage, Stage::Asked(..))) {
            self.run_next(commands);
        }
        Ok(())
    }

    /// Goes on from what came of a tool.
    pub(super) fn ran(
        &mut self,
        entry: &SessionEntry,
        (begun, position): (u64, usize),
        outcome: Outcome,
        commands: &mut Vec<Command>,
    ) -> Result<(), KernelError> {
        let malformed = |field| KernelError::Malformed { seq: entry.seq, field };
        let call = self.calls.get_mut(position).ok_or(malformed("position"))?;
        let Stage::Running(proposal) = &call.stage else { return Err(malformed("stage")) };
        let proposal = proposal.clone();
        match outcome {
            Outcome::Done => {
                let output = entry.payload.get("output").ok_or(malformed("output"))?.to_string();
                self.repeats.note(proposal.likeness(), &output);
                self.raise_taint(&proposal);
                self.close(position, output, None, commands);
            }
            Outcome::Ambiguous => call.stage = Stage::Ambiguous(proposal, begun),
            Outcome::Abandoned => {
                // It only read, and the process ended before it did. It is decided about again.
                let verdict = self.policy.decide(&proposal, self.taint);
                if let Some(approved) = ApprovedCall::by_verdict(proposal.clone(), &verdict) {
                    call.stage = Stage::Approved(Some(approved));
                    self.run_next(commands);
                } else {
                    call.stage = Stage::Asked(proposal, verdict);
                    self.ask(position, commands);
                }
            }
            Outcome::Failed | Outcome::Denied => {
                let failure = entry.payload.get("error").and_then(ToolFailure::from_json);
                let failure = failure.ok_or(malformed("error"))?;
                self.repeats.note(proposal.likeness(), &failure.to_json().to_string());
                self.close(position, failure_text(&failure), Some(failure.kind), commands);
            }
        }
        Ok(())
    }

    pub(super) fn close(
        &mut self,
        position: usize,
        text: String,
        failure: Option<ToolFailureKind>,
        commands: &mut Vec<Command>,
    ) {
        self.count(failure);
        self.calls[position].stage = Stage::Ended { text, is_error: failure.is_some() };
        self.run_next(commands);
    }

    /// What a tool returned is the text of strangers, unless the workspace is trusted and nothing else came in.
    fn raise_taint(&mut self, proposal: &Proposal) {
        let trusts = self.start.as_ref().is_some_and(|start| start.trusts_workspace);
        self.taint.untrusted |= proposal.tool().rank == Rank::Restricted && !trusts;
    }
}

/// Why a call is not even asked about.
enum Judged {
    Refused(ToolFailure),
    Loop,
}

fn ended(failure: &ToolFailure) -> Stage {
    Stage::Ended { text: failure_text(failure), is_error: true }
}

pub(super) fn failure_text(failure: &ToolFailure) -> String {
    json!({"error": failure.to_json()}).to_string()
}
