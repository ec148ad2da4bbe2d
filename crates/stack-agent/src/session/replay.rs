//! A record, folded: no model, no tools, no clock.

use std::collections::VecDeque;

use stack_audit::{Log, StreamId};

use super::SessionError;
use crate::entry::SessionEntry;
use crate::kernel::{Command, Session};

/// What a record made of a session.
#[derive(Debug)]
pub struct Replayed {
    /// The session.
    pub session: Session,
    /// What it would do next. Dropped where it is only looked at.
    pub commands: VecDeque<Command>,
}

/// Replays a session from its record, up to an entry or to the end.
///
/// # Errors
///
/// When there is no such session, or an entry is not the one that the machine would have written.
pub fn replay(log: &Log, stream: StreamId, until: Option<u64>) -> Result<Replayed, SessionError> {
    let mut replayed = Replayed { session: Session::new(stream), commands: VecDeque::new() };
    follow(log, &mut replayed.session, &mut replayed.commands, until)?;
    if replayed.session.start().is_none() {
        return Err(SessionError::Unknown { stream });
    }
    Ok(replayed)
}

/// Gives a session the entries of the log that it has not seen.
pub(super) fn follow(
    log: &Log,
    session: &mut Session,
    commands: &mut VecDeque<Command>,
    until: Option<u64>,
) -> Result<(), SessionError> {
    loop {
        let next = session.next_seq();
        let left = until.map_or(u64::MAX, |until| (until + 1).saturating_sub(next));
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(BATCH);
        let found = log.entries(session.stream(), next, count).map_err(SessionError::reading)?;
        if found.is_empty() {
            return Ok(());
        }
        for found in &found {
            commands.extend(session.apply(&SessionEntry::read(found)?)?);
            // Those that are in the log now need not be performed.
            while commands.len() > session.due() {
                commands.pop_front();
            }
        }
    }
}

/// Entries that are read at a time.
const BATCH: usize = 512;
