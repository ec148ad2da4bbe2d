//! Acts whose process ended between intent and effect: a person says what became of them, and nobody repeats them silently.

use serde_json::json;

use super::calls::{Stage, failure_text};
use super::{Command, KernelError, Session};
use crate::approval::{Answer, ApprovedCall};
use crate::call::CallId;
use crate::entry::SessionEntry;
use crate::state::State;
use crate::tool_failure::{ToolFailure, ToolFailureKind};

/// An act of which nobody knows whether it happened: the process ended between intent and effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmbiguousEffect {
    /// The place of the intent.
    pub seq: u64,
    /// The call.
    pub call: CallId,
    /// The tool.
    pub tool: &'static str,
    /// Its arguments.
    pub arguments: String,
    /// The digest of the call, which an answer names.
    pub proposal_hash: String,
}

impl Session {
    /// Returns the act of which nobody knows whether it happened, if there is one.
    pub fn ambiguous(&self) -> Option<AmbiguousEffect> {
        self.calls.iter().find_map(|call| match &call.stage {
            Stage::Ambiguous(proposal, seq) => Some(AmbiguousEffect {
                seq: *seq,
                call: call.id.clone(),
                tool: proposal.tool().name,
                arguments: proposal.arguments().to_string(),
                proposal_hash: proposal.hash(),
            }),
            _ => None,
        })
    }

    /// Goes on from what a person said about an ambiguous effect.
    pub(super) fn resolve(
        &mut self,
        entry: &SessionEntry,
        commands: &mut Vec<Command>,
    ) -> Result<(), KernelError> {
        let malformed = |field| KernelError::Malformed { seq: entry.seq, field };
        let about = entry.payload["seq"].as_u64().ok_or(malformed("seq"))?;
        let found = self
            .calls
            .iter()
            .position(|call| matches!(&call.stage, Stage::Ambiguous(_, seq) if *seq == about));
        let position = found.ok_or(malformed("seq"))?;
        let Stage::Ambiguous(proposal, _) = &self.calls[position].stage else {
            return Err(malformed("stage"));
        };
        match entry.payload["decision"].as_str() {
            Some("retry") => {
                let hash = entry.payload["proposal_hash"].as_str().ok_or(malformed("proposal_hash"))?;
                let again = ApprovedCall::by_answer(proposal.clone(), hash, &Answer::AllowOnce, entry.seq);
                self.calls[position].stage = Stage::Approved(Some(again.ok_or(malformed("proposal_hash"))?));
                self.run_next(commands);
            }
            Some("happened") => {
                let text = json!({"note": "a person says that it was done"}).to_string();
                self.close(position, text, None, commands);
            }
            Some("did_not") => {
                let failure =
                    ToolFailure::new(ToolFailureKind::NotDone, "a person says that it was not done");
                self.close(position, failure_text(&failure), Some(failure.kind), commands);
            }
            Some("fail") => self.end_as(State::Failed, "ambiguous", None, commands),
            _ => return Err(malformed("decision")),
        }
        Ok(())
    }
}
