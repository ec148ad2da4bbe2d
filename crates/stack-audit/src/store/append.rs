//! A commit: entries are numbered, linked, hashed and inserted, all of them or none.

use std::collections::{HashMap, HashSet};

use rusqlite::{Statement, Transaction};

use super::{Head, PayloadFiles, Store, StoreError, doing};
use crate::entry::{Actor, Circumstances, Commitment, Entry, Phase, hash};
use crate::hash::Hash;
use crate::identity::StreamId;
use crate::kind::Kind;
use crate::ranges::Ranges;
use crate::tree::Frontier;

/// An entry that lacks only its place.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) stream: StreamId,
    pub(crate) kind: Kind,
    pub(crate) actor: Actor,
    pub(crate) circumstances: Circumstances,
    pub(crate) scrubbed: u32,
    pub(crate) payload: Option<PreparedPayload>,
}

/// A payload that is committed to.
#[derive(Clone, Debug)]
pub(crate) struct PreparedPayload {
    pub(crate) commitment: Commitment,
    pub(crate) salt: [u8; 32],
    pub(crate) bytes: Vec<u8>,
}

/// When something happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) wall_ms: u64,
    pub(crate) mono_us: u64,
}

/// What is committed at once. Dropped before its end, it leaves nothing behind but files that no entry names.
pub(crate) struct Batch<'a> {
    store: &'a Store,
    transaction: Transaction<'a>,
    insert_entry: Statement<'a>,
    insert_payload: Statement<'a>,
    open_intent: Statement<'a>,
    close_intent: Statement<'a>,
    tree: Frontier,
    moved: HashMap<StreamId, Head>,
}

/// What a commit changed.
pub(crate) struct Committed {
    tree: Frontier,
    moved: HashMap<StreamId, Head>,
}

impl Store {
    /// Begins a commit.
    pub(crate) fn begin(&self) -> Result<Batch<'_>, StoreError> {
        let attempt = "beginning a commit";
        let prepare = |sql| self.connection.prepare(sql).map_err(doing(attempt));
        Ok(Batch {
            store: self,
            transaction: self.connection.unchecked_transaction().map_err(doing(attempt))?,
            insert_entry: prepare("INSERT INTO entry(idx, body, hash) VALUES (?1, ?2, ?3)")?,
            insert_payload: prepare("INSERT INTO payload(idx, salt, bytes) VALUES (?1, ?2, ?3)")?,
            open_intent: prepare("INSERT INTO open_intent(idx) VALUES (?1)")?,
            close_intent: prepare(
                "DELETE FROM open_intent WHERE idx = (SELECT idx FROM entry WHERE substr(body, 33, 24) = ?1)",
            )?,
            tree: self.tree.clone(),
            moved: HashMap::new(),
        })
    }

    /// Takes over what a commit changed.
    pub(crate) fn advance(&mut self, committed: Committed) {
        // Sessions come and go; those that are still there are found again in the database.
        if self.heads.len() > HEADS_MAX {
            self.heads.clear();
        }
        self.tree = committed.tree;
        self.heads.extend(committed.moved);
    }
}

impl Batch<'_> {
    /// Returns the right edge of the tree, the entries of this batch included.
    pub(crate) fn tree(&self) -> &Frontier {
        &self.tree
    }

    /// Returns where a stream ends, the entries of this batch included.
    pub(crate) fn head(&self, stream: StreamId) -> Result<Head, StoreError> {
        self.moved.get(&stream).map_or_else(|| self.store.head(stream), |head| Ok(*head))
    }

    /// Appends an entry.
    pub(crate) fn append(&mut self, new: &Prepared, phase: Phase, at: Moment) -> Result<Entry, StoreError> {
        let attempt = "appending an entry";
        let head = self.head(new.stream)?;
        let entry = Entry {
            log: self.store.log,
            stream: new.stream,
            seq: head.seq + 1,
            prev: head.hash,
            index: self.tree.size(),
            kind: new.kind,
            phase,
            wall_ms: at.wall_ms,
            epoch: self.store.epoch,
            mono_us: at.mono_us,
            circumstances: new.circumstances,
            scrubbed: new.scrubbed,
            commitment: new.payload.as_ref().map(|payload| payload.commitment),
            actor: new.actor.clone(),
        };
        let body = entry.encode();
        let hash = hash(&body);
        let index = entry.index as i64;
        self.insert_entry.execute((index, &body, &hash[..])).map_err(doing(attempt))?;
        if let Some(payload) = &new.payload {
            let is_file = PayloadFiles::hold(&payload.commitment);
            if is_file {
                self.store.folder.payloads().write(&payload.commitment.hash, &payload.bytes)?;
            }
            let bytes = if is_file { &[] } else { &payload.bytes[..] };
            self.insert_payload.execute((index, &payload.salt[..], bytes)).map_err(doing(attempt))?;
        }
        match phase {
            Phase::Note => {}
            Phase::Intent => {
                self.open_intent.execute([index]).map_err(doing(attempt))?;
            }
            Phase::Effect { closes, .. } => {
                let position = [&entry.stream.0[..], &closes.to_be_bytes()].concat();
                self.close_intent.execute([position]).map_err(doing(attempt))?;
            }
        }
        self.tree.push(hash);
        self.moved.insert(entry.stream, Head { seq: entry.seq, hash });
        Ok(entry)
    }

    /// Adds a checkpoint, and the edge of the tree that it was made of.
    pub(crate) fn checkpoint(&self, tree: &Frontier, note: &str) -> Result<(), StoreError> {
        let attempt = "adding a checkpoint";
        let size = tree.size() as i64;
        let insert = "INSERT OR IGNORE INTO checkpoint(size, note) VALUES (?1, ?2)";
        self.transaction.execute(insert, (size, note)).map_err(doing(attempt))?;
        let replace = "REPLACE INTO frontier(id, size, nodes) VALUES (1, ?1, ?2)";
        self.transaction.execute(replace, (size, tree.roots().concat())).map_err(doing(attempt))?;
        Ok(())
    }

    /// Removes the payloads of these entries, those in files included, and returns how many there were.
    ///
    /// Files go first: if the commit fails, their rows are still there and say what an erasure has to finish. With them
    /// go files that no entry names, which a crash has left between the writing of a file and the commit of its entry.
    pub(crate) fn erase(&self, ranges: &Ranges) -> Result<u64, StoreError> {
        let attempt = "erasing payloads";
        let mut large = self
            .transaction
            .prepare("SELECT entry.body FROM payload JOIN entry USING (idx) WHERE idx BETWEEN ?1 AND ?2 AND length(bytes) = 0")
            .map_err(doing(attempt))?;
        let mut delete = self
            .transaction
            .prepare("DELETE FROM payload WHERE idx BETWEEN ?1 AND ?2")
            .map_err(doing(attempt))?;
        let files = self.store.folder.payloads();
        let mut erased = 0;
        for (first, last) in ranges.iter() {
            let bounds = (first as i64, last as i64);
            let bodies = large.query_map(bounds, |row| row.get::<_, Vec<u8>>(0)).map_err(doing(attempt))?;
            for body in bodies {
                let entry = Entry::decode(&body.map_err(doing(attempt))?);
                let commitment = entry.ok().and_then(|entry| entry.commitment);
                if let Some(commitment) = commitment.filter(PayloadFiles::hold) {
                    files.remove(&commitment.hash)?;
                }
            }
            erased += delete.execute(bounds).map_err(doing(attempt))? as u64;
        }
        files.keep_only(|| self.named_files())?;
        Ok(erased)
    }

    /// Returns the commitments of all payloads that are files.
    fn named_files(&self) -> Result<HashSet<Hash>, StoreError> {
        let attempt = "listing large payloads";
        let select =
            "SELECT substr(body, 177, 32) FROM payload JOIN entry USING (idx) WHERE length(bytes) = 0";
        let mut select = self.transaction.prepare(select).map_err(doing(attempt))?;
        let found = select.query_map([], |row| row.get::<_, Hash>(0)).map_err(doing(attempt))?;
        found.collect::<Result<_, _>>().map_err(doing(attempt))
    }

    /// Makes it all durable.
    pub(crate) fn commit(self) -> Result<Committed, StoreError> {
        let Self {
            transaction, insert_entry, insert_payload, open_intent, close_intent, tree, moved, ..
        } = self;
        drop((insert_entry, insert_payload, open_intent, close_intent));
        transaction.commit().map_err(doing("committing entries"))?;
        Ok(Committed { tree, moved })
    }
}

/// Ends of streams that are kept in memory.
const HEADS_MAX: usize = 16_384;
