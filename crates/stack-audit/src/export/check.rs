//! Whether an exported document is what was written, without the log: what `tests/python/audit_verify.py` does, too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use stack_seal::hex;
use stack_seal::key::PublicKey;

use super::json::{self, FORMAT};
use crate::entry::{Entry, hash};
use crate::hash::Hash;
use crate::identity::StreamId;
use crate::log::{FullEntry, PayloadState, VerifyOptions};
use crate::note::{BadNote, Checkpoint, Note};
use crate::tree::is_included;
use crate::verify::{Fault, FaultClass, Heads, notes_of};

/// What an export holds, and what it was compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedExport {
    /// The checkpoint that its entries are under.
    pub checkpoint: Checkpoint,
    /// The key that signed it.
    pub key: PublicKey,
    /// Its streams.
    pub streams: Vec<StreamId>,
    /// All entries.
    pub entries: u64,
    /// Payloads that are there.
    pub payloads: u64,
    /// Intents without an effect.
    pub open_intents: u64,
    /// Effects of which nobody knows whether they happened.
    pub ambiguous: u64,
    /// Checkpoints from elsewhere that say the same.
    pub anchored: u64,
}

/// Checks a document: each entry, its place in its stream and in the tree, its payload, and the signature over the tree.
///
/// The key that the document names must be one of those given, if any are. Checkpoints from outside count where they are
/// of this log at this size; an anchor has all that there ever were, and what another key signed before says nothing here.
///
/// # Errors
///
/// Names the first thing that is wrong.
pub fn check(document: &str, options: &VerifyOptions) -> Result<CheckedExport, Fault> {
    let value = parse(document)?;
    let key: PublicKey = value["key"]
        .as_str()
        .and_then(|key| key.parse().ok())
        .ok_or_else(|| unreadable("no public key".to_owned()))?;
    if !options.keys.is_empty() && !options.keys.contains(&key) {
        let expected = "a log of a key that was given";
        return Err(Fault::new(FaultClass::UnknownKey, expected, key.to_string()));
    }
    let keys = std::slice::from_ref(&key);
    let note = Note::parse(value["checkpoint"].as_str().unwrap_or_default()).map_err(bad)?;
    let checkpoint = note.open(keys).map_err(bad)?;
    if value["log"] != checkpoint.log.to_string() {
        let expected = format!("log {}", checkpoint.log);
        return Err(Fault::new(FaultClass::Rewritten, expected, format!("log {}", value["log"])));
    }
    let anchored = compared(&checkpoint, keys, &options.checkpoints)?;
    let mut heads = Heads::default();
    let (mut entries, mut payloads, mut free) = (0, 0, 0);
    for row in value["entries"].as_array().ok_or_else(|| unreadable("no entries".to_owned()))? {
        free = check_row(row, &checkpoint, &mut heads, free)? + 1;
        entries += 1;
        payloads += u64::from(row.get("payload").is_some());
    }
    let listed = value["streams"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_whole = |row: &Value| {
        let stream = row["stream"].as_str().and_then(|stream| stream.parse().ok());
        let last = stream.and_then(|stream| heads.last(stream));
        last.is_some_and(|last| row["first"] == 1 && row["last"] == last && row["entries"] == last)
    };
    if listed.len() != heads.streams().len() || !listed.iter().all(is_whole) {
        return Err(Fault::new(FaultClass::Gap, "every entry of each stream", "fewer"));
    }
    if let Some(stream) = options.session.filter(|stream| heads.last(*stream).is_none()) {
        return Err(Fault::new(FaultClass::UnknownSession, format!("an entry of {stream}"), "none"));
    }
    if options.require_anchor && anchored == 0 {
        let expected = format!("a checkpoint from elsewhere of {} entries", checkpoint.size);
        return Err(Fault::new(FaultClass::NotAnchored, expected, "none"));
    }
    let streams = heads.streams().collect();
    let (open_intents, ambiguous) = (heads.open_intents(), heads.ambiguous());
    Ok(CheckedExport { checkpoint, key, streams, entries, payloads, open_intents, ambiguous, anchored })
}

/// Reads the JSON, in the one spelling that documents have.
fn parse(document: &str) -> Result<Value, Fault> {
    let value: Value = serde_json::from_str(document).map_err(|error| unreadable(error.to_string()))?;
    // A key that stands twice would be read by one program here and by another one there.
    if format!("{value:#}\n") != document {
        return Err(unreadable("JSON in another spelling than `stack audit export` writes".to_owned()));
    }
    if value["format"] != FORMAT {
        return Err(unreadable(format!("the format {}", value["format"])));
    }
    Ok(value)
}

/// Checks one entry, which has at least the index `free`, and returns its index.
fn check_row(row: &Value, checkpoint: &Checkpoint, heads: &mut Heads, free: u64) -> Result<u64, Fault> {
    let (found, path) = read(row).ok_or_else(|| {
        let fault = Fault::new(FaultClass::BadEntry, "an entry", "something else");
        row["index"].as_u64().map_or(fault.clone(), |index| fault.at(index))
    })?;
    let entry = &found.entry;
    let fault = |(class, expected, found)| Fault::new(class, expected, found).at(entry.index).of(entry);
    if entry.log != checkpoint.log || entry.index < free || hash(&found.body) != found.hash {
        let expected = "an entry of this log, in its order, with its hash".to_owned();
        return Err(fault((FaultClass::BadEntry, expected, "another".to_owned())));
    }
    if !is_included(&found.hash, entry.index, checkpoint.size, &path, &checkpoint.root) {
        let expected = format!("an entry under the root {}", hex::encode(&checkpoint.root));
        return Err(fault((FaultClass::Rewritten, expected, "a proof of another root".to_owned())));
    }
    heads.follow(checkpoint.log, entry, found.hash).map_err(fault)?;
    check_payload(&found).map_err(fault)?;
    // What is written out for readers is what the bytes say.
    if json::entry(&found, &path, row.get("withheld").is_some()) != *row {
        let expected = "fields that say what the bytes say".to_owned();
        return Err(fault((FaultClass::BadEntry, expected, "others".to_owned())));
    }
    Ok(entry.index)
}

/// Counts the checkpoints from elsewhere that say the same.
fn compared(checkpoint: &Checkpoint, keys: &[PublicKey], anchors: &[(String, String)]) -> Result<u64, Fault> {
    let mut anchored = 0;
    for (name, note) in notes_of(anchors)? {
        let note = Note::parse(note).map_err(bad)?;
        let claimed = note.claimed();
        if (claimed.log, claimed.size) != (checkpoint.log, checkpoint.size) {
            continue;
        }
        let other = note.open(keys).map_err(bad)?;
        if other.root != checkpoint.root {
            let expected = format!("{}, as {name} has it", hex::encode(&other.root));
            let found = hex::encode(&checkpoint.root);
            return Err(Fault::new(FaultClass::SplitView, expected, found).at(other.size));
        }
        anchored += 1;
    }
    Ok(anchored)
}

fn unreadable(found: String) -> Fault {
    Fault::new(FaultClass::Unreadable, "an export of an audit log", found)
}

fn bad(error: BadNote) -> Fault {
    Fault::new(error.into(), "a signed checkpoint", error.to_string())
}

/// Takes a row apart: the entry with what is there of its payload, and its proof.
fn read(row: &Value) -> Option<(FullEntry, Vec<Hash>)> {
    let decoded = |value: &Value| STANDARD.decode(value.as_str()?).ok();
    let body = decoded(&row["body"])?;
    let entry = Entry::decode(&body).ok()?;
    let hash = hex::decode(row["hash"].as_str()?)?;
    let payload = match row.get("payload") {
        Some(payload) => {
            let salt = hex::decode::<32>(payload["salt"].as_str()?)?.to_vec();
            let text = || payload["text"].as_str().map(|text| text.as_bytes().to_vec());
            PayloadState::Present { salt, bytes: text().or_else(|| decoded(&payload["base64"]))? }
        }
        None if row.get("erased").is_some() => PayloadState::Erased,
        // What is in it stays behind, and so does its salt.
        None if row.get("withheld").is_some() => {
            PayloadState::Present { salt: Vec::new(), bytes: Vec::new() }
        }
        None => PayloadState::None,
    };
    let path = row["proof"].as_array()?.iter().map(|step| decoded(step)?.try_into().ok());
    Some((FullEntry { entry, body, hash, payload }, path.collect::<Option<_>>()?))
}

fn check_payload(found: &FullEntry) -> Result<(), (FaultClass, String, String)> {
    let changed = |expected: &str, found: &str| {
        Err((FaultClass::PayloadChanged, expected.to_owned(), found.to_owned()))
    };
    match (&found.entry.commitment, &found.payload) {
        (None, PayloadState::None) | (Some(_), PayloadState::Erased) => Ok(()),
        (None, _) => changed("no payload", "one"),
        (Some(_), PayloadState::None) => changed("a payload, or why it is not here", "neither"),
        (Some(_), PayloadState::Present { salt, .. }) if salt.is_empty() => Ok(()),
        (Some(commitment), PayloadState::Present { salt, bytes }) => {
            if commitment.is_met_by(salt, bytes) {
                return Ok(());
            }
            changed(&hex::encode(&commitment.hash), &format!("{} bytes with another hash", bytes.len()))
        }
    }
}
