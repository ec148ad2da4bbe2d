//! When an answer is the caller's.

use std::time::{Duration, Instant};

use stack_chat::{ChatEvent, Commit, Failure};

use crate::provider::hold::{Hold, is_output, size};

/// Holds events back until the answer is the caller's: until its first output, or until it is complete.
#[derive(Debug)]
pub(super) struct CommitGate {
    commit: Commit,
    hold: Hold,
    held: Vec<ChatEvent>,
    bytes: usize,
    /// When an answer that is held back whole is let go nevertheless.
    until: Instant,
    is_open: bool,
    has_output: bool,
}

impl CommitGate {
    pub(super) fn new(commit: Commit, now: Instant) -> Self {
        Self {
            commit,
            hold: Hold::default(),
            held: Vec::new(),
            bytes: 0,
            until: now + WAIT_MAX,
            is_open: false,
            has_output: false,
        }
    }

    /// Whether the caller may have seen some of the answer.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether there was some of an answer, seen or not.
    pub(super) fn has_output(&self) -> bool {
        self.has_output
    }

    /// When to call [`give_way`](Self::give_way), if nothing else happens.
    pub(super) fn due(&self) -> Option<Instant> {
        (self.commit == Commit::Proof && !self.is_open).then_some(self.until)
    }

    /// Takes in an event, and returns those that go on to the caller.
    ///
    /// # Errors
    ///
    /// When there is much, and no output in it.
    pub(super) fn push(&mut self, event: ChatEvent) -> Result<Vec<ChatEvent>, Failure> {
        self.has_output |= is_output(&event);
        if self.is_open {
            return Ok(vec![event]);
        }
        if self.commit == Commit::FirstOutput {
            let released = self.hold.push(event)?;
            self.is_open = self.hold.is_open();
            return Ok(released);
        }
        let is_whole = matches!(event, ChatEvent::Done { .. });
        if event != ChatEvent::Alive {
            self.bytes += size(&event) + EVENT_BYTES;
            self.held.push(event);
        }
        Ok(if is_whole || self.bytes > BYTES_MAX { self.give_way() } else { Vec::new() })
    }

    /// Lets go what is held back: it is too much, or was too long.
    pub(super) fn give_way(&mut self) -> Vec<ChatEvent> {
        self.is_open = true;
        std::mem::take(&mut self.held)
    }
}

/// No more of an answer is held back, and for no longer.
const BYTES_MAX: usize = 1 << 20;
const WAIT_MAX: Duration = Duration::from_mins(2);
/// What an event takes beside its text.
const EVENT_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use stack_chat::{Delta, FinishReason, Fragment, Timings, Usage};

    use super::*;

    fn text(text: &str) -> ChatEvent {
        let fragment = Fragment::Text(text.into());
        ChatEvent::Delta(Delta { choice: 0, part: 0, fragment, tokens: Vec::new() })
    }

    fn done() -> ChatEvent {
        ChatEvent::Done { usage: Usage::default(), timings: Timings::default() }
    }

    #[test]
    fn with_proof_nothing_is_seen_before_everything_is_there() {
        let mut gate = CommitGate::new(Commit::Proof, Instant::now());
        let finished = ChatEvent::Finished { choice: 0, reason: FinishReason::Stop, stop: None };
        for event in [text("a"), ChatEvent::Alive, text("b"), finished.clone()] {
            assert_eq!(gate.push(event), Ok(Vec::new()));
        }
        assert!(gate.has_output() && !gate.is_open() && gate.due().is_some());
        assert_eq!(gate.push(done()), Ok(vec![text("a"), text("b"), finished, done()]));
        assert!(gate.is_open() && gate.due().is_none());
    }

    #[test]
    fn without_proof_the_first_output_is_enough() {
        let mut gate = CommitGate::new(Commit::FirstOutput, Instant::now());
        let started = ChatEvent::Started { prompt_tokens: 0, seed: 0, unused: Vec::new() };
        assert_eq!(gate.push(started.clone()), Ok(Vec::new()));
        assert!(!gate.has_output() && gate.due().is_none());
        assert_eq!(gate.push(text("a")), Ok(vec![started, text("a")]));
        assert!(gate.is_open());
    }

    #[test]
    fn what_is_held_back_is_bounded_in_bytes_and_time() {
        let mut gate = CommitGate::new(Commit::Proof, Instant::now());
        let long = "x".repeat(100_000);
        let mut released = Vec::new();
        let mut count = 0;
        while released.is_empty() {
            released = gate.push(text(&long)).unwrap();
            count += 1;
        }
        assert!((10..12).contains(&count) && released.len() == count);
        assert_eq!(gate.push(text("y")), Ok(vec![text("y")]), "from then on it is the caller's");
        let now = Instant::now();
        let mut gate = CommitGate::new(Commit::Proof, now);
        assert_eq!(gate.due(), Some(now + Duration::from_mins(2)));
        gate.push(text("a")).unwrap();
        assert_eq!(gate.give_way(), [text("a")]);
    }
}
