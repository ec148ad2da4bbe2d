//! What goes wrong with sessions of agents, as a command tells it.

use stack_agent::kernel::KernelError;
use stack_agent::session::SessionError;
use stack_audit::AuditError;

use super::{CommandError, Kind};

impl From<SessionError> for CommandError {
    fn from(error: SessionError) -> Self {
        let message = error.to_string();
        match error {
            SessionError::Write(AuditError::SequenceMismatch { .. } | AuditError::NoIntent)
            | SessionError::Busy { .. } => Self::new(Kind::Busy, message)
                .reason("session-busy")
                .hint("wait until the other process has ended, or end it"),
            SessionError::Write(error) => error.into(),
            SessionError::Read(error) => error.into(),
            SessionError::Kernel(error) => error.into(),
            SessionError::Unknown { .. } => Self::new(Kind::Missing, message)
                .reason("unknown-session")
                .hint("`stack agent list` shows what there is"),
            SessionError::Ended { .. } => Self::new(Kind::Refused, message)
                .reason("session-ended")
                .hint("begin another one with `stack agent run`"),
            SessionError::Stuck { .. } => Self::new(Kind::Bug, message).reason("session-stuck"),
            SessionError::TaskTooLong => Self::new(Kind::Limit, message).reason("task-too-long"),
        }
    }
}

impl From<KernelError> for CommandError {
    fn from(error: KernelError) -> Self {
        let message = error.to_string();
        match error {
            KernelError::Divergence { .. } | KernelError::Gap { .. } | KernelError::InvalidTransition(_) => {
                Self::new(Kind::Differs, message)
                    .reason("divergence")
                    .hint("`stack audit verify` says whether the log is as it was written")
            }
            KernelError::CannotReplay { .. } => Self::new(Kind::Missing, message)
                .reason("erased")
                .hint("`stack audit show` shows what is left of it"),
            KernelError::UnsupportedKernel { .. } => Self::new(Kind::Malformed, message)
                .reason("unsupported-kernel")
                .hint("use the version of the program that began it"),
            KernelError::Malformed { .. } => Self::new(Kind::Malformed, message)
                .reason("bad-session")
                .hint("only `stack agent` writes sessions; `stack audit verify` checks the log"),
        }
    }
}
