//! A log as its readers see it: nothing is written, no server is asked.

mod latest;
mod rows;
mod verify;

use std::path::Path;

use rusqlite::Connection;
use stack_seal::key::PublicKey;
pub use verify::VerifyOptions;

use crate::entry::Entry;
use crate::export::{self, ExportOptions};
use crate::hash::Hash;
use crate::identity::{LogId, StreamId};
use crate::kind::Kind;
use crate::note::Note;
use crate::payload::parse_canonical;
use crate::ranges::Ranges;
use crate::retain::Holds;
use crate::store::{Folder, StoreError, connect, doing, read_identity};
use crate::tree::Tree;

/// A log that is open for reading.
#[derive(Debug)]
pub struct Log {
    folder: Folder,
    connection: Connection,
    id: LogId,
    keys: Vec<PublicKey>,
}

/// An entry with all that the log still has of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullEntry {
    /// What is hashed.
    pub entry: Entry,
    /// Its bytes.
    pub body: Vec<u8>,
    /// Their hash, as it is stored.
    pub hash: Hash,
    /// Its payload.
    pub payload: PayloadState,
}

/// What became of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadState {
    /// There never was one.
    None,
    /// It is there.
    Present {
        /// The salt of its commitment.
        salt: Vec<u8>,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// It is gone.
    Erased,
}

/// A stream at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSummary {
    /// The stream.
    pub stream: StreamId,
    /// The number of its entries.
    pub entries: u64,
    /// When it began, in milliseconds since 1970.
    pub first_ms: u64,
    /// Its last entry.
    pub last: Entry,
    /// The hash of that.
    pub head: Hash,
    /// Intents without an effect.
    pub open_intents: u64,
}

/// That an entry is in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// The entry.
    pub index: u64,
    /// Its hash.
    pub leaf: Hash,
    /// The number of entries of the tree.
    pub size: u64,
    /// The root of the tree.
    pub root: Hash,
    /// Hashes from the leaf up.
    pub path: Vec<Hash>,
}

/// That a log continues an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// The size and the root of the earlier one.
    pub old: (u64, Hash),
    /// The size and the root of the later one.
    pub new: (u64, Hash),
    /// The hashes that connect them.
    pub path: Vec<Hash>,
}

impl Log {
    /// Opens the log in a folder.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be read.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let folder = Folder::new(folder);
        let connection = connect(&folder)?;
        let identity = read_identity(&connection)?;
        Ok(Self { folder, connection, id: identity.log, keys: identity.keys })
    }

    /// Returns the name of the log.
    pub fn id(&self) -> LogId {
        self.id
    }

    /// Returns the keys that the log says it was signed with, one after the other; the last signs now. Only somebody
    /// else can confirm the first; each of them has confirmed the next.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// Returns the number of entries.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn size(&self) -> Result<u64, StoreError> {
        let select = "SELECT coalesce(max(idx) + 1, 0) FROM entry";
        let size = self.connection.query_one(select, [], |row| row.get::<_, i64>(0));
        size.map(|size| size as u64).map_err(doing("counting entries"))
    }

    /// Lists the streams that were written to last, the last first.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn streams(&self, count: usize) -> Result<Vec<StreamSummary>, StoreError> {
        let mut summaries = Vec::new();
        let mut after = None;
        while let Some(stream) = self.next_stream(after)? {
            summaries.extend(self.summary(stream)?);
            after = Some(stream);
        }
        summaries.sort_by_key(|summary| std::cmp::Reverse(summary.last.index));
        summaries.truncate(count);
        Ok(summaries)
    }

    /// Returns whether a stream has an entry.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn has(&self, stream: StreamId) -> Result<bool, StoreError> {
        Ok(!self.entries(stream, 1, 1)?.is_empty())
    }

    /// Returns up to `count` entries of a stream, from `seq` on.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn entries(&self, stream: StreamId, seq: u64, count: usize) -> Result<Vec<FullEntry>, StoreError> {
        let bounds = [position(stream, seq), position(stream, u64::MAX)];
        let select = "SELECT idx, body, hash FROM entry WHERE substr(body, 33, 24) BETWEEN ?1 AND ?2 \
                      ORDER BY substr(body, 33, 24) LIMIT ?3";
        let [from, to] = bounds;
        self.full_entries(select, (from, to, i64::try_from(count).unwrap_or(i64::MAX)))
    }

    /// Returns all checkpoints of the log, the oldest first.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn checkpoints(&self) -> Result<Vec<(u64, String)>, StoreError> {
        let attempt = "listing checkpoints";
        let mut select = self
            .connection
            .prepare("SELECT size, note FROM checkpoint ORDER BY size")
            .map_err(doing(attempt))?;
        let notes = select.query_map([], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)));
        notes.map_err(doing(attempt))?.collect::<Result<_, _>>().map_err(doing(attempt))
    }

    /// Returns which streams are on hold.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn holds(&self) -> Result<Holds, StoreError> {
        let mut holds = Holds::default();
        for found in self.of_kinds(Kind::HELD, Kind::RELEASED)? {
            if let PayloadState::Present { bytes, .. } = &found.payload
                && let Ok(payload) = parse_canonical(bytes)
            {
                holds.apply(found.entry.kind, &payload);
            }
        }
        Ok(holds)
    }

    /// Proves that an entry is in the tree of the first `size` entries, or of all; `None` where it is not.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn prove_inclusion(
        &self,
        index: u64,
        size: Option<u64>,
    ) -> Result<Option<InclusionProof>, StoreError> {
        let leaves = self.leaves()?;
        let size = size.unwrap_or(leaves.len() as u64);
        let leaf = leaves.get(index as usize).copied();
        let levels = Tree::new(leaves);
        let prove = || Some((leaf?, levels.inclusion(index, size)?, levels.root(size)?));
        Ok(prove().map(|(leaf, path, root)| InclusionProof { index, leaf, size, root, path }))
    }

    /// Proves that the log of `new` entries, or of all, continues that of `old`; `None` where it never had so many.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn prove_consistency(
        &self,
        old: u64,
        new: Option<u64>,
    ) -> Result<Option<ConsistencyProof>, StoreError> {
        let levels = Tree::new(self.leaves()?);
        let new = new.unwrap_or(levels.size());
        let prove = || Some((levels.consistency(old, new)?, levels.root(old)?, levels.root(new)?));
        Ok(prove().map(|(path, old_root, new_root)| ConsistencyProof {
            old: (old, old_root),
            new: (new, new_root),
            path,
        }))
    }

    /// Exports a stream as a document that is checked without the log. `checkpoint` is a signed note of this log;
    /// entries behind it are left out. [`crate::Audit::export`] also writes down that it was done.
    ///
    /// # Errors
    ///
    /// When the note is no checkpoint of this log, or the log cannot be read.
    pub fn export(
        &self,
        stream: StreamId,
        checkpoint: &str,
        options: ExportOptions,
    ) -> Result<String, StoreError> {
        let damaged = || StoreError::Damaged { what: "the checkpoint to export with".to_owned() };
        let key = self.keys.last().ok_or_else(damaged)?;
        let opened = Note::parse(checkpoint).and_then(|note| note.open(std::slice::from_ref(key)));
        let opened = opened.map_err(|_| damaged())?;
        let mut entries = self.entries(stream, 1, usize::MAX)?;
        entries.retain(|found| found.entry.index < opened.size);
        let levels = Tree::new(self.leaves()?);
        if levels.root(opened.size) != Some(opened.root) {
            return Err(damaged());
        }
        Ok(export::document(key, (&opened, checkpoint), &entries, &levels, options))
    }

    /// Returns the indices of payloads that are there and whose entries are wanted.
    pub(crate) fn payloads(&self, wanted: impl Fn(&Entry) -> bool) -> Result<Ranges, StoreError> {
        let attempt = "choosing payloads";
        let mut select = self
            .connection
            .prepare("SELECT body FROM payload JOIN entry USING (idx) ORDER BY idx")
            .map_err(doing(attempt))?;
        let mut rows = select.query([]).map_err(doing(attempt))?;
        let mut ranges = Ranges::default();
        while let Some(row) = rows.next().map_err(doing(attempt))? {
            let body = row.get_ref(0).map_err(doing(attempt))?;
            let entry = decode(body.as_blob().unwrap_or_default())?;
            if wanted(&entry) {
                ranges.insert(entry.index);
            }
        }
        Ok(ranges)
    }

    /// Returns all entries whose kinds lie between two, in the order of the log.
    fn of_kinds(&self, first: Kind, last: Kind) -> Result<Vec<FullEntry>, StoreError> {
        let select =
            "SELECT idx, body, hash FROM entry WHERE substr(body, 97, 2) BETWEEN ?1 AND ?2 ORDER BY idx";
        self.full_entries(select, [first, last].map(|kind| kind.0.to_be_bytes().to_vec()))
    }

    fn full_entries(
        &self,
        select: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<Vec<FullEntry>, StoreError> {
        let attempt = "reading entries";
        let mut select = self.connection.prepare(select).map_err(doing(attempt))?;
        let rows = select.query_map(parameters, full_entry).map_err(doing(attempt))?;
        rows.map(|row| self.with_payload(row.map_err(doing(attempt))?)).collect()
    }

    fn with_payload(&self, (index, body, hash): (i64, Vec<u8>, Hash)) -> Result<FullEntry, StoreError> {
        let entry = decode(&body)?;
        let payload = self.payload_state(index, &entry)?;
        Ok(FullEntry { entry, body, hash, payload })
    }

    fn summary(&self, stream: StreamId) -> Result<Option<StreamSummary>, StoreError> {
        let attempt = "reading the end of a stream";
        let first = self.entries(stream, 1, 1)?.into_iter().next();
        let last = "SELECT idx, body, hash FROM entry WHERE substr(body, 33, 24) BETWEEN ?1 AND ?2 \
                    ORDER BY substr(body, 33, 24) DESC LIMIT 1";
        let last =
            self.full_entries(last, [position(stream, 0), position(stream, u64::MAX)])?.into_iter().next();
        let (Some(first), Some(last)) = (first, last) else { return Ok(None) };
        let open = "SELECT count(*) FROM open_intent JOIN entry USING (idx) WHERE substr(body, 33, 16) = ?1";
        let open = self.connection.query_one(open, [&stream.0[..]], |row| row.get::<_, i64>(0));
        Ok(Some(StreamSummary {
            stream,
            entries: last.entry.seq,
            first_ms: first.entry.wall_ms,
            last: last.entry,
            head: last.hash,
            open_intents: open.map_err(doing(attempt))? as u64,
        }))
    }

    fn next_stream(&self, after: Option<StreamId>) -> Result<Option<StreamId>, StoreError> {
        let after = after.map_or_else(Vec::new, |stream| position(stream, u64::MAX));
        let select = "SELECT min(substr(body, 33, 24)) FROM entry WHERE substr(body, 33, 24) > ?1";
        let next = self.connection.query_one(select, [after], |row| row.get::<_, Option<Vec<u8>>>(0));
        let next = next.map_err(doing("listing streams"))?;
        Ok(next.and_then(|position| position.first_chunk().copied()).map(StreamId))
    }

    fn leaves(&self) -> Result<Vec<Hash>, StoreError> {
        let attempt = "reading hashes";
        let mut select =
            self.connection.prepare("SELECT hash FROM entry ORDER BY idx").map_err(doing(attempt))?;
        let leaves = select.query_map([], |row| row.get(0)).map_err(doing(attempt))?;
        leaves.collect::<Result<_, _>>().map_err(doing(attempt))
    }
}

/// Reads a row of index, body and hash.
fn full_entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, Vec<u8>, Hash)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn decode(body: &[u8]) -> Result<Entry, StoreError> {
    Entry::decode(body).map_err(|error| StoreError::Damaged { what: error.to_string() })
}

/// Returns the key under which a place of a stream is found.
fn position(stream: StreamId, seq: u64) -> Vec<u8> {
    [&stream.0[..], &seq.to_be_bytes()].concat()
}
