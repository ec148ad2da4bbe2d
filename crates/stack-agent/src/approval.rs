//! The witness that a call may run, and who makes it: a rule or a person.

use serde_json::{Value, json};
use stack_audit::{Actor, Audit, AuditError, Draft, Durability, Hash, Kind, OpenEntry, StreamId, Taint};

use crate::call::Proposal;
use crate::policy::{Decision, Verdict};
use crate::toolbox::Rank;

/// A call that may run, once.
///
/// It is a witness: [`ApprovedCall::by_verdict`] and [`ApprovedCall::by_answer`] alone make it, it cannot be cloned, and what
/// it holds is what was hashed. [`ApprovedCall::begin`] uses it up.
#[derive(Debug)]
pub struct ApprovedCall {
    proposal: Proposal,
    basis: String,
}

/// What a person said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This call may run.
    AllowOnce,
    /// This call, and every later one of the same tool about which a person is asked once.
    AllowSession,
    /// It may not, and why, for the model.
    Deny {
        /// Why.
        note: String,
    },
}

/// What a person is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The call.
    pub proposal: Proposal,
    /// What was decided about it, and by what.
    pub verdict: Verdict,
}

impl ApprovedCall {
    /// Takes a call that the policy allows.
    pub(crate) fn by_verdict(proposal: Proposal, verdict: &Verdict) -> Option<Self> {
        let basis = verdict.rule.as_ref().map_or_else(|| "rank".to_owned(), |rule| format!("rule:{rule}"));
        (verdict.decision == Decision::Allow).then_some(Self { proposal, basis })
    }

    /// Takes a call that a person has allowed: the answer counts for the proposal that was hashed, and for no other.
    pub(crate) fn by_answer(proposal: Proposal, hash: &str, answer: &Answer, asked: u64) -> Option<Self> {
        let allows = matches!(answer, Answer::AllowOnce | Answer::AllowSession);
        (allows && proposal.hash() == hash).then(|| Self { proposal, basis: format!("approval:{asked}") })
    }

    /// Returns the call.
    pub fn proposal(&self) -> &Proposal {
        &self.proposal
    }

    /// Returns what the intent says.
    pub(crate) fn intent(&self) -> Value {
        json!({
            "call": self.proposal.call().as_str(),
            "tool": self.proposal.tool().name,
            "rank": self.proposal.tool().rank.name(),
            "args": self.proposal.arguments(),
            "basis": self.basis,
        })
    }

    /// Writes down that it begins. What only reads need not be flushed first.
    pub(crate) fn begin(
        self,
        audit: &Audit,
        place: (StreamId, u64),
        actor: Actor,
        (policy, taint): (Hash, Taint),
    ) -> Result<StartedCall, AuditError> {
        let (stream, seq) = place;
        let tool = self.proposal.tool();
        let durability = if tool.rank == Rank::Restricted { Durability::Batched } else { Durability::Before };
        let mut draft = Draft::new(stream, Kind::TOOL_CALL, actor).with(self.intent()).flushed(durability);
        draft.circumstances.policy = policy;
        draft.circumstances.taint = taint;
        let entry = audit.begin(draft.expecting(seq))?;
        Ok(StartedCall { proposal: self.proposal, entry })
    }
}

/// A call that has begun in the log, and must be ended there.
#[derive(Debug)]
pub struct StartedCall {
    pub(crate) proposal: Proposal,
    pub(crate) entry: OpenEntry,
}

impl Question {
    /// Returns what the intent of the approval says.
    pub(crate) fn intent(&self) -> Value {
        json!({
            "call": self.proposal.call().as_str(),
            "tool": self.proposal.tool().name,
            "rank": self.proposal.tool().rank.name(),
            "args": self.proposal.arguments(),
            "proposal_hash": self.proposal.hash(),
            "decision": self.verdict.decision.name(),
            "rule": self.verdict.rule,
            "tainted": self.verdict.is_tainted,
        })
    }
}

impl Answer {
    /// Returns what the effect says.
    pub(crate) fn to_json(&self, hash: &str) -> Value {
        match self {
            Self::AllowOnce => json!({"answer": "allow_once", "proposal_hash": hash}),
            Self::AllowSession => json!({"answer": "allow_session", "proposal_hash": hash}),
            Self::Deny { note } => json!({"answer": "deny", "proposal_hash": hash, "note": note}),
        }
    }

    /// Reads what the effect says: the hash and the answer.
    pub(crate) fn from_json(value: &Value) -> Option<(String, Self)> {
        let answer = match value.get("answer")?.as_str()? {
            "allow_once" => Self::AllowOnce,
            "allow_session" => Self::AllowSession,
            "deny" => Self::Deny { note: value.get("note")?.as_str()?.to_owned() },
            _ => return None,
        };
        Some((value.get("proposal_hash")?.as_str()?.to_owned(), answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::CallId;
    use crate::policy::Mode;

    fn proposal(path: &str) -> Proposal {
        let arguments = json!({"path": path}).to_string();
        Proposal::read(CallId::derive(StreamId([1; 16]), 2, 0), "delete_file", &arguments, Mode::Agent)
            .unwrap()
    }

    #[test]
    fn only_a_rule_or_an_answer_to_this_proposal_makes_a_witness() {
        let verdict = |decision| Verdict { decision, rule: Some("r".to_owned()), is_tainted: false };
        for decision in [Decision::AskOnce, Decision::Ask, Decision::Deny] {
            assert!(ApprovedCall::by_verdict(proposal("a"), &verdict(decision)).is_none());
        }
        let allowed = ApprovedCall::by_verdict(proposal("a"), &verdict(Decision::Allow)).unwrap();
        assert_eq!(allowed.intent()["basis"], "rule:r");
        let hash = proposal("a").hash();
        let deny = Answer::Deny { note: "no".to_owned() };
        assert!(ApprovedCall::by_answer(proposal("a"), &hash, &deny, 7).is_none());
        assert!(ApprovedCall::by_answer(proposal("b"), &hash, &Answer::AllowOnce, 7).is_none());
        assert!(ApprovedCall::by_answer(proposal("a"), &hash, &Answer::AllowOnce, 7).is_some());
    }

    #[test]
    fn answers_are_read_as_they_were_written() {
        for answer in [Answer::AllowOnce, Answer::AllowSession, Answer::Deny { note: "no".to_owned() }] {
            assert_eq!(Answer::from_json(&answer.to_json("h")), Some(("h".to_owned(), answer)));
        }
        assert_eq!(Answer::from_json(&json!({"answer": "allow_always", "proposal_hash": "h"})), None);
    }
}
