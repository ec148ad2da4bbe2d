//! What may be known of a session.

use stack_audit::{Hash, StreamId, Taint};

use super::{Counters, End, Session, Spent, Start, Turn};
use crate::state::State;

impl Session {
    /// Returns the stream that its entries stand in.
    pub fn stream(&self) -> StreamId {
        self.stream
    }

    /// Returns the place of the next entry.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Counts the entries that it has issued and not seen.
    pub(crate) fn due(&self) -> usize {
        self.due.len()
    }

    /// Returns where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Returns what it was started with; nothing before that.
    pub fn start(&self) -> Option<&Start> {
        self.start.as_ref()
    }

    /// Returns how it ended, if it has.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Returns what the model said last, where that is text.
    pub fn answer(&self) -> Option<String> {
        self.turns.iter().rev().find_map(|turn| match turn {
            Turn::Reply { reply, .. } => Some(reply.text()),
            _ => None,
        })
    }

    /// Returns what it has taken.
    pub fn spent(&self) -> Spent {
        let Counters { steps, tool_calls, tokens, .. } = self.counters;
        Spent { steps, tool_calls, tokens, active_ms: self.clock.active_ms }
    }

    /// Returns what its acts may have been influenced by.
    pub fn taint(&self) -> Taint {
        self.taint
    }

    /// Returns the digest of the rules in force.
    pub fn policy_digest(&self) -> Hash {
        self.policy.digest()
    }

    /// Returns the intents that lack their effect.
    pub fn open_intents(&self) -> impl Iterator<Item = u64> {
        self.open.keys().copied()
    }
}
