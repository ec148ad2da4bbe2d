//! For how long a process has a log to itself.

use std::time::Duration;

/// For how long a process has a log to itself. Two never write at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ownership {
    /// As long as it is open: for one process that writes much.
    #[default]
    Lasting,
    /// For as long as each commit takes: for programs that are started often, beside each other and beside one that
    /// serves. What is open in one of them is left alone by the others as long as it lives.
    Brief {
        /// How long to wait for others.
        patience: Duration,
    },
}

impl Ownership {
    pub(crate) fn is_brief(self) -> bool {
        matches!(self, Self::Brief { .. })
    }

    pub(crate) fn patience(self) -> Duration {
        match self {
            // A child of an earlier owner has the lock, too, until it becomes another program.
            Self::Lasting => Duration::from_millis(100),
            Self::Brief { patience } => patience,
        }
    }
}
