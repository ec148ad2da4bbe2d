//! Checkpoints that a log is compared with while it is read.

use stack_seal::hex;
use stack_seal::key::PublicKey;

use super::{Fault, FaultClass};
use crate::identity::LogId;
use crate::note::{Checkpoint, Note, notes_in};
use crate::tree::Frontier;

/// A signed checkpoint, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Where it was found.
    pub source: Source,
    /// The text of the note.
    pub note: String,
}

/// Where a checkpoint was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the log's own table, for this many entries: whoever can change the one can change the other.
    Table(u64),
    /// In the file beside the log.
    Beside,
    /// In this place outside of it.
    Anchor(String),
}

/// Cuts texts from outside into notes, each with the name of its place. A place that has none confirms nothing, and
/// whoever names it expects otherwise.
pub(crate) fn notes_of(places: &[(String, String)]) -> Result<Vec<(&str, &str)>, Fault> {
    let mut found = Vec::new();
    for (name, text) in places {
        let mut notes = notes_in(text).map(|note| (name.as_str(), note)).peekable();
        if notes.peek().is_none() {
            let expected = format!("a signed checkpoint in {name}");
            return Err(Fault::new(FaultClass::BadSignature, expected, "none"));
        }
        found.extend(notes);
    }
    Ok(found)
}

/// All checkpoints in the order of their sizes, and the keys that may sign them.
#[derive(Clone, Debug)]
pub(super) struct Witnesses {
    keys: Vec<PublicKey>,
    /// A key that counts as soon as the checkpoint of this size is signed by it and by a known one.
    announced: Option<(u64, PublicKey)>,
    notes: Vec<(Source, Note)>,
    /// How many of them were compared.
    next: usize,
    /// What is wrong with one of them, whatever the entries are.
    malformed: Option<Fault>,
    pub(super) compared: u64,
    pub(super) anchored: u64,
}

impl Witnesses {
    pub(super) fn new(log: LogId, keys: Vec<PublicKey>, evidence: Vec<Evidence>) -> Self {
        let mut malformed = None;
        let mut notes = Vec::new();
        for Evidence { source, note } in evidence {
            match read(log, &source, &note) {
                Ok(note) => notes.push((source, note)),
                Err(fault) => malformed = malformed.or(Some(fault)),
            }
        }
        notes.sort_by_key(|(_, note)| note.claimed().size);
        Self { keys, announced: None, notes, next: 0, malformed, compared: 0, anchored: 0 }
    }

    /// A key that the log itself says will sign from `size` on.
    pub(super) fn expect_key(&mut self, size: u64, key: PublicKey) {
        self.announced = Some((size, key));
    }

    /// Compares the tree with the checkpoints of its size.
    pub(super) fn compare(&mut self, tree: &Frontier) -> Result<(), Fault> {
        while let Some((source, note)) =
            self.notes.get(self.next).filter(|(_, note)| note.claimed().size <= tree.size())
        {
            let checkpoint = open(note, &self.keys)?;
            if let Some((_, key)) = self.announced.take_if(|(size, _)| *size == checkpoint.size) {
                open(note, std::slice::from_ref(&key))?;
                self.keys.push(key);
            }
            let found = tree.root();
            if checkpoint.root != found {
                let class = if self.is_contradicted(&checkpoint) {
                    FaultClass::SplitView
                } else {
                    FaultClass::Rewritten
                };
                let fault = Fault::new(class, hex::encode(&checkpoint.root), hex::encode(&found));
                return Err(fault.at(checkpoint.size));
            }
            self.compared += 1;
            self.anchored += u64::from(matches!(source, Source::Anchor(_)));
            self.next += 1;
        }
        Ok(())
    }

    /// Reports what no entry was needed for.
    pub(super) fn finish(&mut self, size: u64) -> Result<(), Fault> {
        if let Some(fault) = self.malformed.take() {
            return Err(fault);
        }
        let Some((_, note)) = self.notes.last().filter(|_| self.next < self.notes.len()) else {
            return Ok(());
        };
        let checkpoint = open(note, &self.keys)?;
        let fault =
            Fault::new(FaultClass::Truncated, format!("{} entries", checkpoint.size), size.to_string());
        Err(fault.at(size))
    }

    /// Returns whether another checkpoint of the same size is signed, too, and names another root.
    fn is_contradicted(&self, checkpoint: &Checkpoint) -> bool {
        self.notes.iter().any(|(_, note)| {
            let other = note.claimed();
            other.size == checkpoint.size && other.root != checkpoint.root && note.open(&self.keys).is_ok()
        })
    }
}

fn read(log: LogId, source: &Source, note: &str) -> Result<Note, Fault> {
    let at = |fault: Fault| if let Source::Table(size) = source { fault.at(*size) } else { fault };
    let note = Note::parse(note)
        .map_err(|error| at(Fault::new(error.into(), "a signed checkpoint", error.to_string())))?;
    let claimed = note.claimed();
    if claimed.log != log {
        let (expected, found) = (format!("log {}", claimed.log), format!("log {log}"));
        return Err(Fault::new(FaultClass::Rewritten, expected, found).at(claimed.size));
    }
    match source {
        Source::Table(size) if *size != claimed.size => {
            let (expected, found) = (format!("size {size}"), format!("size {}", claimed.size));
            Err(Fault::new(FaultClass::BadSignature, expected, found).at(*size))
        }
        _ => Ok(note),
    }
}

fn open(note: &Note, keys: &[PublicKey]) -> Result<Checkpoint, Fault> {
    note.open(keys).map_err(|error| {
        let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
        Fault::new(error.into(), format!("a signature of {}", names.join(" or ")), error.to_string())
            .at(note.claimed().size)
    })
}
