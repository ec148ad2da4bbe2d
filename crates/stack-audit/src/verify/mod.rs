//! Whether a log is what was written: one pass over its entries, which names the first that is not.
//!
//! The verifier is a pure machine. Whoever has a log feeds it, entry by entry, from a database, an export or a test; it
//! holds a head for each stream, the right edge of the tree, and what has to be compared later.

mod evidence;
mod fault;
mod heads;

pub(crate) use evidence::notes_of;
pub use evidence::{Evidence, Source};
pub use fault::{Fault, FaultClass};
pub(crate) use heads::Heads;
use stack_seal::hex;
use stack_seal::key::PublicKey;

use crate::entry::{Entry, Phase, hash};
use crate::hash::Hash;
use crate::identity::LogId;
use crate::kind::Kind;
use crate::payload::parse_canonical;
use crate::ranges::Ranges;
use crate::tree::Frontier;
use evidence::Witnesses;

/// One entry as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct StoredEntry<'a> {
    /// The place that it is stored under.
    pub index: u64,
    /// Its bytes.
    pub body: &'a [u8],
    /// Its stored hash.
    pub hash: &'a [u8],
    /// Its payload, if that is there.
    pub payload: Option<StoredPayload<'a>>,
}

/// A payload as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct StoredPayload<'a> {
    /// The salt of its commitment.
    pub salt: &'a [u8],
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// What a log that verifies holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The root of the tree over all entries.
    pub root: Hash,
    /// All entries.
    pub entries: u64,
    /// All streams.
    pub streams: u64,
    /// Intents without an effect.
    pub open_intents: u64,
    /// Effects of which nobody knows whether they happened.
    pub ambiguous: u64,
    /// Payloads that are gone, and covered by an erasure.
    pub erased_payloads: u64,
    /// Checkpoints that were compared.
    pub checkpoints: u64,
    /// Those among them that came from outside the log.
    pub anchored: u64,
}

/// Checks a log entry by entry.
#[derive(Clone, Debug)]
pub struct Verifier {
    log: LogId,
    heads: Heads,
    tree: Frontier,
    witnesses: Witnesses,
    missing: Ranges,
    erased: Ranges,
}

impl Verifier {
    /// Begins with what is known: the log, keys that sign for it, and checkpoints to compare with.
    pub fn new(log: LogId, keys: Vec<PublicKey>, evidence: Vec<Evidence>) -> Self {
        Self {
            log,
            heads: Heads::default(),
            tree: Frontier::new(),
            witnesses: Witnesses::new(log, keys, evidence),
            missing: Ranges::default(),
            erased: Ranges::default(),
        }
    }

    /// Checks the next entry.
    ///
    /// # Errors
    ///
    /// When the log is not what was written. Nothing after that can be judged.
    pub fn push(&mut self, row: StoredEntry<'_>) -> Result<Entry, Fault> {
        let index = self.tree.size();
        if index == 0 {
            self.witnesses.compare(&self.tree)?;
        }
        let place = |class, expected: String, found: String| Fault::new(class, expected, found).at(index);
        if row.index != index {
            let class = if row.index > index { FaultClass::Gap } else { FaultClass::Duplicate };
            return Err(place(class, format!("index {index}"), format!("index {}", row.index)));
        }
        let entry = Entry::decode(row.body)
            .map_err(|error| place(FaultClass::BadEntry, "an entry".to_owned(), error.to_string()))?;
        let fault = |class, expected: String, found: String| place(class, expected, found).of(&entry);
        if entry.log != self.log {
            return Err(fault(
                FaultClass::BadEntry,
                format!("log {}", self.log),
                format!("log {}", entry.log),
            ));
        }
        if entry.index != index {
            return Err(fault(
                FaultClass::BadEntry,
                format!("index {index}"),
                format!("index {}", entry.index),
            ));
        }
        let leaf = hash(row.body);
        if leaf != row.hash {
            return Err(fault(FaultClass::BadEntry, hex::encode(row.hash), hex::encode(&leaf)));
        }
        self.heads
            .follow(self.log, &entry, leaf)
            .map_err(|(class, expected, found)| fault(class, expected, found))?;
        self.check_payload(&entry, row.payload)
            .map_err(|(class, expected, found)| fault(class, expected, found))?;
        self.tree.push(leaf);
        self.note_meaning(&entry, row.payload)
            .map_err(|(class, expected, found)| fault(class, expected, found))?;
        self.witnesses.compare(&self.tree)?;
        Ok(entry)
    }

    /// Returns the number of entries so far.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Ends: everything that had to wait for the last entry is compared now.
    ///
    /// # Errors
    ///
    /// When payloads are gone without an erasure, or a checkpoint speaks of more entries.
    pub fn finish(mut self) -> Result<Report, Fault> {
        if self.tree.size() == 0 {
            self.witnesses.compare(&self.tree)?;
        }
        if let Some(index) = self.missing.first_outside(&self.erased) {
            let expected = "its payload, or an entry that erases it";
            return Err(Fault::new(FaultClass::PayloadMissing, expected, "neither").at(index));
        }
        self.witnesses.finish(self.tree.size())?;
        Ok(Report {
            root: self.tree.root(),
            entries: self.tree.size(),
            streams: self.heads.streams().len() as u64,
            open_intents: self.heads.open_intents(),
            ambiguous: self.heads.ambiguous(),
            erased_payloads: self.missing.count(),
            checkpoints: self.witnesses.compared,
            anchored: self.witnesses.anchored,
        })
    }

    fn check_payload(&mut self, entry: &Entry, stored: Option<StoredPayload<'_>>) -> Result<(), Mismatch> {
        match (entry.commitment, stored) {
            (None, None) => {}
            (None, Some(stored)) => {
                let found = format!("{} bytes", stored.bytes.len());
                return Err((FaultClass::PayloadChanged, "no payload".to_owned(), found));
            }
            // An erasure may come later, so this is judged at the end.
            (Some(_), None) if !entry.kind.is_of_log() => self.missing.insert(entry.index),
            (Some(_), None) => {
                let expected = "its payload, which is never erased".to_owned();
                return Err((FaultClass::PayloadMissing, expected, "none".to_owned()));
            }
            (Some(commitment), Some(stored)) => {
                if !commitment.is_met_by(stored.salt, stored.bytes) {
                    let expected = hex::encode(&commitment.hash);
                    let found = format!("{} bytes with another hash", stored.bytes.len());
                    return Err((FaultClass::PayloadChanged, expected, found));
                }
            }
        }
        Ok(())
    }

    /// Takes note of what the log says about itself: what was erased, and which key signs from here on.
    fn note_meaning(&mut self, entry: &Entry, stored: Option<StoredPayload<'_>>) -> Result<(), Mismatch> {
        let bad = |what: &str| (FaultClass::BadEntry, what.to_owned(), "something else".to_owned());
        let json = || stored.and_then(|stored| parse_canonical(stored.bytes).ok());
        match (entry.kind, entry.phase) {
            (Kind::ERASED, Phase::Intent) => {
                let ranges = json().and_then(|payload| Ranges::from_json(&payload["ranges"]));
                self.erased.extend(&ranges.ok_or(bad("ranges of indices"))?);
            }
            (Kind::KEY_CHANGED, _) => {
                let key = json().and_then(|payload| payload["new"].as_str()?.parse().ok());
                self.witnesses.expect_key(self.tree.size(), key.ok_or(bad("a key"))?);
            }
            _ => {}
        }
        Ok(())
    }
}

/// A class, what was expected, what was found.
pub(crate) type Mismatch = (FaultClass, String, String);
