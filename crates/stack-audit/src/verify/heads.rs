//! The chains of all streams: each entry follows the one before, and each effect its intent.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use stack_seal::hex;

use super::{FaultClass, Mismatch};
use crate::entry::{Entry, Outcome, Phase};
use crate::hash::Hash;
use crate::identity::{LogId, StreamId};
use crate::kind::Kind;

/// Where all streams end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heads {
    streams: HashMap<StreamId, Head>,
    ambiguous: u64,
}

/// Where a stream ends, and what is open in it.
#[derive(Clone, Debug)]
struct Head {
    seq: u64,
    hash: Hash,
    open: HashMap<u64, Kind>,
}

impl Heads {
    pub(crate) fn streams(&self) -> impl ExactSizeIterator<Item = StreamId> {
        self.streams.keys().copied()
    }

    /// Returns the seq of the last entry of a stream.
    pub(crate) fn last(&self, stream: StreamId) -> Option<u64> {
        self.streams.get(&stream).map(|head| head.seq)
    }

    pub(crate) fn open_intents(&self) -> u64 {
        self.streams.values().map(|head| head.open.len() as u64).sum()
    }

    pub(crate) fn ambiguous(&self) -> u64 {
        self.ambiguous
    }

    /// Follows the chain of the entry's stream, and what is open in it.
    pub(crate) fn follow(&mut self, log: LogId, entry: &Entry, leaf: Hash) -> Result<(), Mismatch> {
        let head = match self.streams.entry(entry.stream) {
            Slot::Occupied(slot) => slot.into_mut(),
            Slot::Vacant(slot) => {
                slot.insert(Head { seq: 0, hash: entry.stream.origin(log), open: HashMap::new() })
            }
        };
        let seq = head.seq + 1;
        if entry.seq != seq {
            let class = if entry.seq > seq { FaultClass::Gap } else { FaultClass::Duplicate };
            return Err((class, format!("seq {seq}"), format!("seq {}", entry.seq)));
        }
        if entry.prev != head.hash {
            return Err((FaultClass::BadLink, hex::encode(&head.hash), hex::encode(&entry.prev)));
        }
        match entry.phase {
            Phase::Note => {}
            Phase::Intent => {
                head.open.insert(seq, entry.kind);
            }
            Phase::Effect { closes, outcome } => {
                let intent = head.open.remove(&closes);
                if intent != Some(entry.kind) {
                    let expected = format!("an open intent of {} at seq {closes}", entry.kind);
                    let found = intent.map_or("none".to_owned(), |kind| format!("one of {kind}"));
                    return Err((FaultClass::BadClose, expected, found));
                }
                self.ambiguous += u64::from(outcome == Outcome::Ambiguous);
            }
        }
        (head.seq, head.hash) = (seq, leaf);
        Ok(())
    }
}
