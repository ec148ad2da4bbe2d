//! The database of a log, as the one process that writes has it.

mod append;
mod claims;
mod connect;
mod error;
mod files;
mod lock;
mod reserve;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use append::{Moment, Prepared, PreparedPayload};
pub(crate) use claims::{Claim, Claims};
use connect::Identity;
pub(crate) use connect::{connect, read_identity};
pub use error::StoreError;
pub(crate) use error::{doing, is_full};
pub(crate) use files::PayloadFiles;
use lock::Lock;
pub(crate) use reserve::Reserve;
use rusqlite::Connection;
use stack_seal::key::PublicKey;

use crate::entry::{Entry, Phase, hash};
use crate::hash::Hash;
use crate::identity::{LogId, StreamId};
use crate::kind::Kind;
use crate::note::Note;
use crate::ownership::Ownership;
use crate::tree::Frontier;

/// Where the parts of a log lie.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("audit.db")
    }

    pub(crate) fn wal(&self) -> PathBuf {
        self.0.join("audit.db-wal")
    }

    fn lock(&self) -> PathBuf {
        self.0.join("audit.lock")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.0.join("audit.key")
    }

    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.0.join("checkpoints.txt")
    }

    pub(crate) fn payloads(&self) -> PayloadFiles {
        PayloadFiles::new(self.0.join("payloads"))
    }

    pub(crate) fn claims(&self) -> Claims {
        Claims::new(self.0.join("open"))
    }

    pub(crate) fn reserve(&self) -> Reserve {
        Reserve::new(self.0.join("audit.reserve"))
    }
}

/// A log that is open for writing. It knows where the log and its streams end, while it has the lock.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) folder: Folder,
    pub(crate) log: LogId,
    connection: Connection,
    tree: Frontier,
    /// Ends of streams that were written to lately.
    heads: HashMap<StreamId, Head>,
    /// What entries carry that are written from here on: one more than the last entry had when the log was opened, or
    /// when it was taken again after somebody else had written.
    pub(crate) epoch: u32,
    lock: Option<Lock>,
}

/// Where a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) hash: Hash,
}

impl Store {
    /// Opens the log in a folder, or makes a new one there, and takes the lock.
    pub(crate) fn open(
        folder: Folder,
        key: &PublicKey,
        log_if_new: LogId,
        ownership: Ownership,
    ) -> Result<Self, StoreError> {
        let lock = Lock::take(&folder.lock(), ownership.patience())?;
        lock::refuse_network_file_system(folder.path())?;
        let connection = connect::connect_or_create(&folder, key, log_if_new, ownership)?;
        let identity = read_identity(&connection)?;
        require(key, &identity)?;
        let mut store = Self {
            folder,
            log: identity.log,
            connection,
            tree: Frontier::new(),
            heads: HashMap::new(),
            epoch: 1,
            lock: Some(lock),
        };
        store.tree = store.checked_frontier(key).unwrap_or_default();
        store.read_tree()?;
        store.begin_epoch()?;
        Ok(store)
    }

    /// Takes the lock again. Where somebody else has written meanwhile, it returns the size of the last checkpoint.
    pub(crate) fn take(&mut self, key: &PublicKey, patience: Duration) -> Result<Option<u64>, StoreError> {
        if self.lock.is_some() {
            return Ok(None);
        }
        let lock = Lock::take(&self.folder.lock(), patience)?;
        let known = self.tree.clone();
        // What was read before an error would look the next time as if nobody had written.
        let checkpointed = self.catch_up(key).inspect_err(|_| self.tree = known)?;
        self.lock = Some(lock);
        Ok(checkpointed)
    }

    /// Lets others write.
    pub(crate) fn let_go(&mut self) {
        self.lock = None;
    }

    /// Reads what is new, and begins an epoch if there is anything.
    fn catch_up(&mut self, key: &PublicKey) -> Result<Option<u64>, StoreError> {
        let identity = read_identity(&self.connection)?;
        if identity.log != self.log {
            return Err(StoreError::Damaged { what: "it has become another log".to_owned() });
        }
        require(key, &identity)?;
        let known = self.tree.size();
        self.read_tree()?;
        if self.tree.size() == known {
            return Ok(None);
        }
        self.begin_epoch()?;
        self.last_checkpoint().map(Some)
    }

    fn begin_epoch(&mut self) -> Result<(), StoreError> {
        self.heads.clear();
        if let Some(index) = self.tree.size().checked_sub(1) {
            self.epoch = self.entry(index)?.epoch.saturating_add(1);
        }
        Ok(())
    }

    /// Returns the right edge of the tree.
    pub(crate) fn tree(&self) -> &Frontier {
        &self.tree
    }

    /// Returns the size of the last checkpoint, 0 where there is none.
    pub(crate) fn last_checkpoint(&self) -> Result<u64, StoreError> {
        let select = "SELECT coalesce(max(size), 0) FROM checkpoint";
        let size = self.connection.query_one(select, [], |row| row.get::<_, i64>(0));
        size.map(|size| size as u64).map_err(doing("finding the last checkpoint"))
    }

    /// Lists the intents without an effect.
    pub(crate) fn open_intents(&self) -> Result<Vec<Entry>, StoreError> {
        let attempt = "listing open intents";
        let mut select =
            self.connection.prepare("SELECT idx FROM open_intent ORDER BY idx").map_err(doing(attempt))?;
        let indices = select.query_map([], |row| row.get::<_, i64>(0)).map_err(doing(attempt))?;
        let indices: Vec<i64> = indices.collect::<Result<_, _>>().map_err(doing(attempt))?;
        let entries = indices.into_iter().map(|index| self.entry(index as u64));
        let entries: Vec<Entry> = entries.collect::<Result<_, _>>()?;
        match entries.iter().find(|entry| entry.phase != Phase::Intent) {
            Some(entry) => Err(StoreError::Damaged { what: format!("entry {} is no intent", entry.index) }),
            None => Ok(entries),
        }
    }

    /// Returns the last payload of a kind, if there is one.
    pub(crate) fn last_payload(&self, kind: Kind) -> Result<Option<Vec<u8>>, StoreError> {
        let select = "SELECT bytes FROM payload JOIN entry USING (idx) WHERE substr(body, 97, 2) = ?1 \
                      ORDER BY idx DESC LIMIT 1";
        let found = self.connection.query_one(select, [&kind.0.to_be_bytes()[..]], |row| row.get(0));
        match found {
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
            found => found.map(Some).map_err(doing("finding the last entry of a kind")),
        }
    }

    /// Returns the payload of an entry, if it is there.
    pub(crate) fn payload(&self, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let select = "SELECT bytes FROM payload WHERE idx = ?1";
        let found = self.connection.query_one(select, [index as i64], |row| row.get(0));
        match found {
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
            found => found.map(Some).map_err(doing("reading a payload")),
        }
    }

    /// Empties the WAL into the database. `truncate` also removes what is left of it in the file.
    pub(crate) fn empty_wal(&self, truncate: bool) -> Result<(), StoreError> {
        let mode = if truncate { "TRUNCATE" } else { "PASSIVE" };
        let pragma = format!("PRAGMA wal_checkpoint({mode})");
        let busy = self.connection.query_one(&pragma, [], |row| row.get::<_, i64>(0));
        let busy = busy.map_err(doing("emptying the WAL"))? != 0;
        if truncate && busy { Err(StoreError::Busy) } else { Ok(()) }
    }

    fn entry(&self, index: u64) -> Result<Entry, StoreError> {
        let select = "SELECT body, hash FROM entry WHERE idx = ?1";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?));
        let (body, stored) =
            self.connection.query_one(select, [index as i64], row).map_err(doing("reading an entry"))?;
        let entry = Entry::decode(&body).ok().filter(|_| hash(&body)[..] == stored[..]);
        entry.ok_or_else(|| StoreError::Damaged { what: format!("entry {index}") })
    }

    /// Finds where a stream ends.
    fn head(&self, stream: StreamId) -> Result<Head, StoreError> {
        if let Some(head) = self.heads.get(&stream) {
            return Ok(*head);
        }
        let select = "SELECT body, hash FROM entry WHERE substr(body, 33, 24) BETWEEN ?1 AND ?2 \
                      ORDER BY substr(body, 33, 24) DESC LIMIT 1";
        let bounds = [[&stream.0[..], &[0; 8]].concat(), [&stream.0[..], &[0xff; 8]].concat()];
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, [u8; 32]>(1)?));
        match self.connection.query_one(select, bounds, row) {
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(Head { seq: 0, hash: stream.origin(self.log) }),
            Err(error) => Err(doing("finding the end of a stream")(error)),
            Ok((body, hash)) => {
                let entry = Entry::decode(&body);
                let entry = entry.map_err(|_| StoreError::Damaged { what: format!("stream {stream}") })?;
                Ok(Head { seq: entry.seq, hash })
            }
        }
    }

    /// Moves the right edge of the tree to the end of the log.
    fn read_tree(&mut self) -> Result<(), StoreError> {
        let attempt = "reading the tree";
        let mut select = self
            .connection
            .prepare("SELECT idx, hash FROM entry WHERE idx >= ?1 ORDER BY idx")
            .map_err(doing(attempt))?;
        let mut rows = select.query([self.tree.size() as i64]).map_err(doing(attempt))?;
        while let Some(row) = rows.next().map_err(doing(attempt))? {
            let (index, hash) = (row.get::<_, i64>(0), row.get::<_, Hash>(1));
            let (index, hash) = (index.map_err(doing(attempt))?, hash.map_err(doing(attempt))?);
            if index as u64 != self.tree.size() {
                return Err(StoreError::Damaged { what: format!("entry {} is missing", self.tree.size()) });
            }
            self.tree.push(hash);
        }
        Ok(())
    }

    /// Returns the stored edge, if it yields the root of the checkpoint that it was stored with.
    fn checked_frontier(&self, key: &PublicKey) -> Option<Frontier> {
        let select = "SELECT size, nodes, note FROM frontier JOIN checkpoint USING (size)";
        let row = |row: &rusqlite::Row<'_>| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, String>(2)?))
        };
        let (size, nodes, note) = self.connection.query_one(select, [], row).ok()?;
        let (roots, rest) = nodes.as_chunks::<32>();
        let frontier = Frontier::from_roots(size as u64, roots.to_vec()).filter(|_| rest.is_empty())?;
        let checkpoint = Note::parse(&note).ok()?.open(std::slice::from_ref(key)).ok()?;
        (checkpoint.log == self.log
            && checkpoint.size == frontier.size()
            && checkpoint.root == frontier.root())
        .then_some(frontier)
    }
}

/// Refuses a key that is not the one that signs now.
fn require(key: &PublicKey, identity: &Identity) -> Result<(), StoreError> {
    let expected = identity.current_key();
    if expected == key {
        return Ok(());
    }
    Err(StoreError::WrongKey { expected: expected.clone(), found: key.clone() })
}
