//! The states of a session, and which may follow which.

use std::error::Error;
use std::fmt;

/// Where a session stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Nothing has happened.
    #[default]
    Idle,
    /// The session decides what comes next, or a model answers.
    Running,
    /// Tools run, or a person is asked.
    Waiting,
    /// The task is done.
    Done,
    /// The session gave up.
    Failed,
    /// A person ended it.
    Cancelled,
}

impl State {
    /// All states.
    pub const ALL: [Self; 6] =
        [Self::Idle, Self::Running, Self::Waiting, Self::Done, Self::Failed, Self::Cancelled];

    /// Returns its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Finds the state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Returns whether nothing may follow.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }

    /// Goes to another state.
    ///
    /// # Errors
    ///
    /// For the 27 of 36 pairs that do not exist.
    pub fn to(self, to: Self) -> Result<Self, InvalidTransition> {
        if TRANSITIONS.contains(&(self, to)) { Ok(to) } else { Err(InvalidTransition { from: self, to }) }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The error for a pair of states that do not follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTransition {
    /// Where the session stands.
    pub from: State,
    /// Where it was to go.
    pub to: State,
}

impl fmt::Display for InvalidTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a session that is {} cannot become {}", self.from, self.to)
    }
}

impl Error for InvalidTransition {}

/// An end is always decided by a step, so that nothing becomes done while it waits.
const TRANSITIONS: [(State, State); 9] = [
    (State::Idle, State::Running),
    (State::Idle, State::Cancelled),
    (State::Running, State::Waiting),
    (State::Running, State::Done),
    (State::Running, State::Failed),
    (State::Running, State::Cancelled),
    (State::Waiting, State::Running),
    (State::Waiting, State::Failed),
    (State::Waiting, State::Cancelled),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_of_36_pairs_exist_and_the_others_name_both() {
        let mut legal = 0;
        for from in State::ALL {
            assert_eq!(State::from_name(from.name()), Some(from));
            for to in State::ALL {
                match from.to(to) {
                    Ok(reached) => {
                        assert_eq!(reached, to);
                        assert!(!from.is_final(), "{from} is final");
                        legal += 1;
                    }
                    Err(error) => {
                        assert_eq!(error, InvalidTransition { from, to });
                        let text = error.to_string();
                        assert!(text.contains(from.name()) && text.contains(to.name()), "{text}");
                    }
                }
            }
        }
        assert_eq!(legal, 9);
        for (from, to) in
            [(State::Idle, State::Done), (State::Done, State::Running), (State::Waiting, State::Done)]
        {
            assert!(from.to(to).is_err());
        }
    }
}
