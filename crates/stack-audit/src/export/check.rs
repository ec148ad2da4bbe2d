//! Whether an exported document is what was written, without the log: what `tests/python/audit_verify.py` does, too.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use stack_seal::hex;
use stack_seal::key::PublicKey;

use super::json::{self, FORMAT};
use crate::entry::{Commitment, Entry, hash};
use crate::hash::Hash;
use crate::identity::StreamId;
use crate::log::{FullEntry, PayloadState};
use crate::note::{BadNote, Checkpoint, Note, notes_in};
use crate::tree::is_included;
use crate::verify::{Fault, FaultClass, Heads};

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
/// The key that the document names must be one of `keys`. Without any, it is believed, which proves that the document is
/// consistent, not who made it.
/// `anchors` are texts of checkpoints from elsewhere, each with the name of the place.
///
/// # Errors
///
/// Names the first thing that is wrong.
pub fn check(
    document: &str,
    keys: &[PublicKey],
    anchors: &[(String, String)],
) -> Result<CheckedExport, Fault> {
    let unreadable = |found: String| Fault::new(FaultClass::Unreadable, "an export of an audit log", found);
    let value: Value = serde_json::from_str(document).map_err(|error| unreadable(error.to_string()))?;
    // A key that stands twice would be read by one program here and by another one there.
    if format!("{value:#}\n") != document {
        return Err(unreadable("JSON in another spelling than `stack audit export` writes".to_owned()));
    }
    if value["format"] != FORMAT {
        return Err(unreadable(format!("the format {}", value["format"])));
    }
    let named: PublicKey = value["key"]
        .as_str()
        .and_then(|key| key.parse().ok())
        .ok_or_else(|| unreadable("no public key".to_owned()))?;
    if !keys.is_empty() && !keys.contains(&named) {
        let expected = "a log of a key that was given";
        return Err(Fault::new(FaultClass::UnknownKey, expected, named.to_string()));
    }
    let keys = std::slice::from_ref(&named);
    let checkpoint = open(value["checkpoint"].as_str().unwrap_or_default(), keys)?;
    if value["log"] != checkpoint.log.to_string() {
        let expected = format!("log {}", checkpoint.log);
        return Err(Fault::new(FaultClass::Rewritten, expected, format!("log {}", value["log"])));
    }
    let mut checked = CheckedExport {
        checkpoint,
        key: named.clone(),
        streams: Vec::new(),
        entries: 0,
        payloads: 0,
        open_intents: 0,
        ambiguous: 0,
        anchored: compared(&checkpoint, keys, anchors)?,
    };
    let mut heads = Heads::default();
    let mut ends = HashMap::new();
    let mut free = 0;
    for row in value["entries"].as_array().ok_or_else(|| unreadable("no entries".to_owned()))? {
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
        free = entry.index + 1;
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
        checked.entries += 1;
        checked.payloads += u64::from(row.get("payload").is_some());
        ends.insert(entry.stream, entry.seq);
    }
    let streams = value["streams"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_whole = |row: &Value| {
        let stream = row["stream"].as_str().and_then(|stream| stream.parse().ok());
        let last = stream.and_then(|stream| ends.get(&stream)).copied();
        last.is_some_and(|last| row["first"] == 1 && row["last"] == last && row["entries"] == last)
    };
    if streams.len() != ends.len() || !streams.iter().all(is_whole) {
        return Err(Fault::new(FaultClass::Gap, "every entry of each stream", "fewer"));
    }
    checked.streams = ends.into_keys().collect();
    (checked.open_intents, checked.ambiguous) = (heads.open_intents(), heads.ambiguous());
    Ok(checked)
}

fn open(note: &str, keys: &[PublicKey]) -> Result<Checkpoint, Fault> {
    Note::parse(note).and_then(|note| note.open(keys)).map_err(|error| {
        let class = match error {
            BadNote::UnknownKey => FaultClass::UnknownKey,
            BadNote::Signature | BadNote::Form => FaultClass::BadSignature,
        };
        Fault::new(class, "a signed checkpoint", error.to_string())
    })
}

/// Counts the checkpoints from elsewhere that say the same. Those of another size say nothing about this document.
fn compared(checkpoint: &Checkpoint, keys: &[PublicKey], anchors: &[(String, String)]) -> Result<u64, Fault> {
    let mut anchored = 0;
    for (name, text) in anchors {
        for note in notes_in(text) {
            let other = open(note, keys)?;
            if other.log == checkpoint.log && other.size == checkpoint.size {
                if other.root != checkpoint.root {
                    let expected = format!("{}, as {name} has it", hex::encode(&other.root));
                    let found = hex::encode(&checkpoint.root);
                    return Err(Fault::new(FaultClass::SplitView, expected, found).at(other.size));
                }
                anchored += 1;
            }
        }
    }
    Ok(anchored)
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
            let salt = salt.as_slice().try_into().ok();
            let meets = |salt| Commitment::new(commitment.format, salt, bytes) == *commitment;
            if salt.is_some_and(meets) {
                return Ok(());
            }
            changed(&hex::encode(&commitment.hash), &format!("{} bytes with another hash", bytes.len()))
        }
    }
}
