//! How long a provider may be silent. A machine: what came and the present go in, when to give up comes out.

use std::time::{Duration, Instant};

use stack_chat::FailureKind;

/// How long a provider may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamTimeouts {
    /// Until the first output.
    pub first_output: Duration,
    /// Between two pieces of the answer, whatever they hold.
    pub idle: Duration,
    /// Between two outputs, however many signs of life come between.
    pub stall: Duration,
    /// For all of it.
    pub total: Duration,
    /// After the proof that the answer is complete, for what it cost.
    pub linger: Duration,
}

impl Default for StreamTimeouts {
    fn default() -> Self {
        Self {
            first_output: Duration::from_mins(1),
            idle: Duration::from_secs(20),
            stall: Duration::from_mins(1),
            total: Duration::from_mins(10),
            linger: Duration::from_secs(2),
        }
    }
}

/// Watches one attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamTimer {
    timeouts: StreamTimeouts,
    begun: Instant,
    ends: Instant,
    heard: Option<Instant>,
    output: Option<Instant>,
    proven: Option<Instant>,
}

/// What has taken too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// The answer: it has failed like that.
    Answer(FailureKind),
    /// Only what comes behind a complete answer.
    Rest,
}

impl StreamTimer {
    /// Begins an attempt of a request that must be over at `ends`.
    pub(super) fn start(timeouts: StreamTimeouts, ends: Instant, now: Instant) -> Self {
        Self { timeouts, begun: now, ends, heard: None, output: None, proven: None }
    }

    /// Takes in that something came.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    /// Takes in that the caller got something.
    pub(super) fn output(&mut self, now: Instant) {
        self.output = Some(now);
    }

    /// Takes in that the answer is complete.
    pub(super) fn proven(&mut self, now: Instant) {
        self.proven.get_or_insert(now);
    }

    /// Says when to give up, and for what.
    pub(super) fn due(&self) -> (Instant, Overdue) {
        let Self { timeouts, begun, ends, heard, output, proven } = *self;
        if let Some(proven) = proven {
            return (ends.min(proven + timeouts.linger), Overdue::Rest);
        }
        let answer = |at, kind| (at, Overdue::Answer(kind));
        let silence = match (output, heard) {
            (None, _) => answer(begun + timeouts.first_output, FailureKind::Timeout),
            (Some(output), heard) => {
                let idle = heard.unwrap_or(output).max(output) + timeouts.idle;
                answer(idle.min(output + timeouts.stall), FailureKind::StreamStalled)
            }
        };
        if ends < silence.0 { answer(ends, FailureKind::Timeout) } else { silence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn timer(ends_s: u32) -> (StreamTimer, Instant) {
        let now = Instant::now();
        let timeouts = StreamTimeouts {
            first_output: 10 * SECOND,
            idle: 4 * SECOND,
            stall: 6 * SECOND,
            total: 99 * SECOND,
            linger: 2 * SECOND,
        };
        (StreamTimer::start(timeouts, now + ends_s * SECOND, now), now)
    }

    #[test]
    fn signs_of_life_are_no_output() {
        let (mut timer, now) = timer(60);
        assert_eq!(timer.due(), (now + 10 * SECOND, Overdue::Answer(FailureKind::Timeout)));
        timer.heard(now + 9 * SECOND);
        assert_eq!(timer.due().0, now + 10 * SECOND, "nothing of it is an answer");
        timer.output(now + 9 * SECOND);
        assert_eq!(timer.due(), (now + 13 * SECOND, Overdue::Answer(FailureKind::StreamStalled)));
        timer.heard(now + 12 * SECOND);
        assert_eq!(timer.due().0, now + 15 * SECOND, "it lives, and says nothing");
    }

    #[test]
    fn the_whole_has_an_end_and_a_proof_is_waited_behind_for_a_moment() {
        let (mut timer, now) = timer(5);
        assert_eq!(timer.due(), (now + 5 * SECOND, Overdue::Answer(FailureKind::Timeout)));
        timer.proven(now + SECOND);
        timer.proven(now + 2 * SECOND);
        assert_eq!(timer.due(), (now + 3 * SECOND, Overdue::Rest));
    }
}
