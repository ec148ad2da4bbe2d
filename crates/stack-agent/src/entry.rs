//! An entry of the log as a session reads it.

use serde_json::Value;
use stack_audit::payload::parse_canonical;
use stack_audit::{FullEntry, Kind, PayloadState, Phase};

use crate::kernel::KernelError;

/// An entry of a session, with its payload: the only thing that changes one.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionEntry {
    /// Its place in the stream, from 1.
    pub seq: u64,
    /// What it is about.
    pub kind: Kind,
    /// Whether it stands before or after its act.
    pub phase: Phase,
    /// When it was written, in milliseconds since 1970.
    pub wall_ms: u64,
    /// What it carries; null where there is nothing.
    pub payload: Value,
}

impl SessionEntry {
    /// Reads what the log holds.
    ///
    /// # Errors
    ///
    /// When the payload was erased, or is not what sessions write.
    pub fn read(found: &FullEntry) -> Result<Self, KernelError> {
        let seq = found.entry.seq;
        let payload = match &found.payload {
            PayloadState::None => Value::Null,
            PayloadState::Erased => return Err(KernelError::CannotReplay { seq }),
            PayloadState::Present { bytes, .. } => {
                parse_canonical(bytes).map_err(|_| KernelError::Malformed { seq, field: "payload" })?
            }
        };
        let (kind, phase, wall_ms) = (found.entry.kind, found.entry.phase, found.entry.wall_ms);
        Ok(Self { seq, kind, phase, wall_ms, payload })
    }
}
