//! What the writer does when nobody waits for it: checkpoints, the WAL, erasures, the end.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use stack_seal::key::SigningKey;

use super::{Append, Erasure, Step, Ticket, Writer};
use crate::draft::Draft;
use crate::entry::{Actor, Outcome, Phase};
use crate::error::AuditError;
use crate::identity::StreamId;
use crate::kind::Kind;
use crate::note::Checkpoint;
use crate::ranges::Ranges;
use crate::store::{Prepared, StoreError};
use crate::tree::Frontier;

/// What is due.
#[derive(Debug)]
pub(super) struct Upkeep {
    /// The size of the last checkpoint.
    signed: u64,
    /// Since when there are entries behind it.
    changed: Option<Instant>,
    /// Whether a session has ended since.
    session_ended: bool,
    /// Whether the WAL holds what the database lacks.
    wal_filled: bool,
}

impl Upkeep {
    pub(super) fn new(checkpointed: u64) -> Self {
        Self { signed: checkpointed, changed: None, session_ended: false, wal_filled: true }
    }

    /// Starts over: everything is signed.
    fn checkpointed(&mut self, size: u64) {
        (self.signed, self.changed, self.session_ended) = (size, None, false);
    }

    /// Takes note of what others have signed, of a log of this size.
    pub(super) fn follow(&mut self, checkpointed: u64, size: u64) {
        self.signed = self.signed.max(checkpointed);
        if self.signed >= size {
            self.changed = None;
        }
    }

    /// Returns for how long entries have waited for a checkpoint.
    fn waited(&self) -> Duration {
        self.changed.map_or(Duration::ZERO, |since| since.elapsed())
    }

    pub(super) fn changed(&mut self, ends_session: bool) {
        self.changed.get_or_insert_with(Instant::now);
        self.session_ended |= ends_session;
        self.wal_filled = true;
    }
}

impl Writer {
    /// Does what is due after a while in which nobody has asked for anything.
    pub(super) fn idle(&mut self) {
        // The log may be another's now: it is taken for what cannot wait, and for nothing else.
        let is_due = self.unsaved.is_some() || self.upkeep.waited() >= self.interval.after;
        if !self.ownership.is_brief() || is_due && self.take().is_ok() {
            self.look_after(true);
        }
    }

    /// Does what is due; `idle` says that nobody has asked for anything for a while.
    pub(super) fn look_after(&mut self, idle: bool) {
        if self.health.is_poisoned() {
            return;
        }
        let size = self.store.tree().size();
        let behind = size.saturating_sub(self.upkeep.signed);
        let is_due = behind >= self.interval.entries
            || self.upkeep.waited() >= self.interval.after
            || self.upkeep.session_ended;
        if behind > 0 && is_due {
            self.sign();
        }
        let wal_bytes = fs::metadata(self.store.folder.wal()).map_or(0, |found| found.len());
        if idle
            && self.unsaved.is_some()
            && let Err(error) = self.commit(&[])
        {
            // A checkpoint is a help; on a full disk it can wait.
            let _remembered = self.judge(error);
            return;
        }
        if self.upkeep.wal_filled && (idle || wal_bytes > self.ownership.wal_max()) {
            // Readers may hold it back; then the next time will do. Entries are durable in the WAL as they are.
            match self.store.empty_wal(false) {
                Ok(()) => self.upkeep.wal_filled = false,
                Err(error) if self.health.is_full_disk(&error) => {}
                Err(error) => drop(self.health.poison(error)),
            }
        }
        if idle {
            self.health.recover(&self.store.folder.reserve());
        }
    }

    /// Signs what is durable, and hands it to the anchors. It gets into the table with the next commit.
    fn sign(&mut self) -> String {
        let tree = self.store.tree().clone();
        let note = self.signed(&tree, &[&self.key]);
        self.publish(&note);
        self.unsaved = Some((tree, note.clone()));
        note
    }

    /// Returns the checkpoint of a tree, signed with these keys.
    pub(super) fn signed(&self, tree: &Frontier, keys: &[&SigningKey]) -> String {
        Checkpoint { log: self.store.log, size: tree.size(), root: tree.root() }.sign(keys)
    }

    /// Hands the checkpoint of all that is durable to the anchors.
    pub(super) fn publish(&mut self, note: &str) {
        self.publisher.publish(note);
        self.upkeep.checkpointed(self.store.tree().size());
    }

    /// Makes a checkpoint of all that was written, and saves it.
    pub(super) fn checkpoint_now(&mut self) -> Result<String, AuditError> {
        if self.health.is_poisoned() {
            return Err(self.health.refusal());
        }
        let note = self.sign();
        self.commit(&[]).map_err(|error| self.judge(error))?;
        Ok(note)
    }

    /// Goes on with another key. The entry that says so and the checkpoint that both keys sign are one commit: later
    /// checkpoints are believed because of it.
    pub(super) fn change_key(&mut self, (new, actor): (SigningKey, Actor)) -> Result<String, AuditError> {
        if !self.health.admits(Kind::KEY_CHANGED) {
            return Err(self.health.refusal());
        }
        let payload = json!({"old": self.key.public().to_string(), "new": new.public().to_string()});
        let change = Draft::new(StreamId::LOG, Kind::KEY_CHANGED, actor).with(payload);
        let change = self.preparer.prepare(change)?;
        let note = self.try_change_key(&change, &new).map_err(|error| self.judge(error))?;
        self.publish(&note);
        (self.key, self.unsaved) = (new, None);
        Ok(note)
    }

    fn try_change_key(&mut self, change: &Prepared, new: &SigningKey) -> Result<String, StoreError> {
        let mut batch = self.store.begin()?;
        batch.append(change, Phase::Note, self.now())?;
        if let Some((tree, note)) = &self.unsaved {
            batch.checkpoint(tree, note)?;
        }
        let note = self.signed(batch.tree(), &[&self.key, new]);
        batch.checkpoint(batch.tree(), &note)?;
        let committed = batch.commit()?;
        self.store.advance(committed);
        Ok(note)
    }

    /// Erases payloads: says so, does it, and says that it is done.
    pub(super) fn erase(&mut self, erasure: &Erasure) -> Result<u64, AuditError> {
        if !self.health.admits(Kind::ERASED) {
            return Err(self.health.refusal());
        }
        let mut erased = 0;
        for ranges in erasure.ranges.pieces() {
            let intent = json!({"ranges": ranges.to_json(), "reason": erasure.reason});
            let intent = Draft::new(StreamId::LOG, Kind::ERASED, erasure.actor.clone()).with(intent);
            self.write_own(self.preparer.prepare(intent)?, Step::Intent(ERASING))?;
            let payloads = self.remove_payloads(&ranges).map_err(|error| self.judge(error))?;
            let effect = self.preparer.own(StreamId::LOG, Kind::ERASED, json!({"payloads": payloads}));
            self.write_own(effect, Step::Effect(ERASING, Outcome::Done))?;
            erased += payloads;
        }
        Ok(erased)
    }

    /// Deletes payloads, with all copies of them.
    pub(super) fn remove_payloads(&mut self, ranges: &Ranges) -> Result<u64, StoreError> {
        let batch = self.store.begin()?;
        let erased = batch.erase(ranges)?;
        let committed = batch.commit()?;
        self.store.advance(committed);
        // Old pages still lie in the WAL, and behind its end in the file.
        self.store.empty_wal(true)?;
        Ok(erased)
    }

    /// Makes the last checkpoint, and leaves one file.
    pub(super) fn close(&mut self) -> Result<(), AuditError> {
        if self.health.is_poisoned() {
            return Err(self.health.refusal());
        }
        if self.store.tree().size() > self.upkeep.signed || self.unsaved.is_some() {
            self.take()?;
            self.checkpoint_now()?;
        }
        self.publisher.finish();
        if self.ownership.is_brief() {
            return Ok(());
        }
        // A reader may still be there; then the WAL stays, and says the same.
        match self.store.empty_wal(true) {
            Ok(()) | Err(StoreError::Busy) => Ok(()),
            Err(error) => Err(self.judge(error)),
        }
    }

    fn write_own(&mut self, prepared: Prepared, step: Step) -> Result<(), AuditError> {
        let append = Append { prepared, step, expected_seq: None, reply: None };
        self.commit(&[append]).map(drop).map_err(|error| self.judge(error))
    }

    /// Turns an error into what the caller hears, and remembers it if nothing can be written any more.
    fn judge(&mut self, error: StoreError) -> AuditError {
        match error {
            error if self.health.is_full_disk(&error) => AuditError::DiskFull,
            // Nothing was lost: the intent is there, and the next opening finishes what it says.
            StoreError::Busy => AuditError::ReadFailed(Arc::new(StoreError::Busy)),
            error => self.health.poison(error),
        }
    }
}

/// The writer's own intents are closed before it does anything else, so one ticket, which callers never get, serves all.
const ERASING: Ticket = Ticket(0);
