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

    /// Bytes of the WAL at which it is emptied although entries wait. So much of its file also stays when it begins anew: a
    /// commit that overwrites is durable with its data, and one that makes the file longer with a change of its length, too.
    pub(crate) fn wal_max(self) -> u64 {
        match self {
            // 4000 pages.
            Self::Lasting => 4000 * 8192,
            // Whoever opens a log reads its WAL, and processes that own it briefly open it often.
            Self::Brief { .. } => 1 << 20,
        }
    }

    pub(crate) fn patience(self) -> Duration {
        match self {
            // A child of an earlier owner has the lock, too, until it becomes another program.
            Self::Lasting => Duration::from_millis(100),
            Self::Brief { patience } => patience,
        }
    }
}
