//! What goes wrong with the audit log, as a command tells it.

use stack_audit::{AuditError, Fault, FaultClass, StoreError};

use super::{CommandError, Kind};

/// What ends a command that needs the log of a home, where there is no home.
pub(crate) fn homeless() -> CommandError {
    CommandError::new(Kind::Usage, "no home folder, so there is no audit log")
        .hint("set STACK_HOME, or give --home DIR")
}

/// What ends a command that needs the log, where the operator does not want one.
pub(crate) fn off() -> CommandError {
    CommandError::new(Kind::Refused, "the audit log is switched off")
        .reason("audit-off")
        .hint("remove `enabled = false` under [audit] in stack.toml")
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        let (kind, code, hint) = explained(&error);
        let new = Self::new(kind, error.to_string()).reason(code).hint(hint);
        match error {
            StoreError::Database { source, .. } => new.caused(source),
            StoreError::Io { source, .. } => new.caused(source),
            StoreError::Locked { .. }
            | StoreError::Busy
            | StoreError::NetworkFileSystem { .. }
            | StoreError::Missing { .. }
            | StoreError::NotALog { .. }
            | StoreError::OldSqlite
            | StoreError::WrongKey { .. }
            | StoreError::KeyFile { .. }
            | StoreError::Damaged { .. } => new,
        }
    }
}

impl From<AuditError> for CommandError {
    fn from(error: AuditError) -> Self {
        let message = error.to_string();
        match error {
            AuditError::Unavailable(error)
            | AuditError::WriteFailed(error)
            | AuditError::ReadFailed(error) => {
                let (kind, code, hint) = explained(&error);
                Self::new(kind, message).reason(code).caused(error).hint(hint)
            }
            AuditError::DiskFull => Self::new(Kind::Machine, message).reason("disk-full"),
            AuditError::Held { .. } => Self::new(Kind::Refused, message).reason("on-hold"),
            AuditError::UnknownStream(_) => Self::new(Kind::Missing, message)
                .reason("unknown-session")
                .hint("`stack audit list` shows what there is"),
            AuditError::Payload(_)
            | AuditError::SequenceMismatch { .. }
            | AuditError::NoIntent
            | AuditError::Closed => Self::new(Kind::Bug, message).reason("audit-log"),
        }
    }
}

impl From<Fault> for CommandError {
    fn from(fault: Fault) -> Self {
        let (kind, hint) = match fault.class {
            FaultClass::UnknownSession => (Kind::Missing, "`stack audit list` shows what there is"),
            FaultClass::Unreadable => (Kind::Malformed, "give the folder of a log, or an export of one"),
            FaultClass::UnknownKey => (Kind::Untrusted, "give the key of the log with --key"),
            FaultClass::NotAnchored => (Kind::Untrusted, "give a copy of its checkpoints with --anchor"),
            FaultClass::Truncated | FaultClass::Rewritten | FaultClass::SplitView => {
                (Kind::Differs, "keep this log and the checkpoint as they are; a backup may have the entries")
            }
            FaultClass::BadEntry
            | FaultClass::BadLink
            | FaultClass::Gap
            | FaultClass::Duplicate
            | FaultClass::BadClose
            | FaultClass::PayloadChanged
            | FaultClass::PayloadMissing
            | FaultClass::BadSignature => (
                Kind::Differs,
                "what stands before this is as it was written; nothing from here on is proved",
            ),
        };
        Self::new(kind, fault.to_string()).reason(fault.class.name()).hint(hint)
    }
}

/// Says of what kind an error is, its code, and what to do.
fn explained(error: &StoreError) -> (Kind, &'static str, &'static str) {
    const UNUSABLE: &str = "audit-log";
    const LOOK: &str = "check the disk and the permissions of `audit` in the home folder";
    const DAMAGED: &str =
        "`stack audit verify` says what is wrong; to begin a new log, move the old folder away as a whole";
    if error.is_damage() {
        return (Kind::Malformed, "bad-audit-log", DAMAGED);
    }
    match error {
        StoreError::Database { .. } | StoreError::Io { .. } | StoreError::OldSqlite => {
            (Kind::Machine, UNUSABLE, LOOK)
        }
        StoreError::Locked { .. } | StoreError::Busy => {
            (Kind::Busy, "audit-log-busy", "try again when the other process has finished")
        }
        StoreError::NetworkFileSystem { .. } => {
            (Kind::Machine, UNUSABLE, "put the home folder on a local disk: STACK_HOME")
        }
        StoreError::Missing { .. } => {
            (Kind::Missing, "no-audit-log", "the first command that has an effect makes it")
        }
        StoreError::NotALog { .. } | StoreError::KeyFile { .. } | StoreError::Damaged { .. } => {
            (Kind::Malformed, "bad-audit-log", DAMAGED)
        }
        StoreError::WrongKey { .. } => {
            (Kind::Untrusted, "unknown-key", "put the log's own audit.key back, from a backup")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_the_exit_codes_of_the_format() {
        for class in [
            FaultClass::BadEntry,
            FaultClass::BadLink,
            FaultClass::Gap,
            FaultClass::Duplicate,
            FaultClass::BadClose,
            FaultClass::PayloadChanged,
            FaultClass::PayloadMissing,
            FaultClass::Truncated,
            FaultClass::Rewritten,
            FaultClass::SplitView,
            FaultClass::BadSignature,
            FaultClass::UnknownKey,
            FaultClass::UnknownSession,
            FaultClass::NotAnchored,
            FaultClass::Unreadable,
        ] {
            let error = CommandError::from(Fault::new(class, "a", "b"));
            assert_eq!(error.kind().exit_code(), class.exit_code(), "{class:?}");
            assert_eq!(error.code(), Some(class.name()));
        }
    }
}
