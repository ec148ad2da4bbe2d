//! The document that a second verifier reads. `docs/formats/audit.md` has its fields.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use stack_seal::hex;
use stack_seal::key::PublicKey;
use stack_seal::time::UnixTime;

use crate::entry::{Format, Phase};
use crate::hash::Hash;
use crate::identity::StreamId;
use crate::log::{FullEntry, PayloadState};
use crate::note::Checkpoint;
use crate::tree::Tree;

pub(super) fn document(
    key: &PublicKey,
    (checkpoint, note): (&Checkpoint, &str),
    entries: &[FullEntry],
    levels: &Tree,
    withhold: bool,
) -> String {
    let mut streams: Vec<(StreamId, u64, u64)> = Vec::new();
    for FullEntry { entry, .. } in entries {
        match streams.iter_mut().find(|(stream, ..)| *stream == entry.stream) {
            Some((_, _, last)) => *last = entry.seq,
            None => streams.push((entry.stream, entry.seq, entry.seq)),
        }
    }
    let streams: Vec<Value> = streams
        .into_iter()
        .map(|(stream, first, last)| {
            json!({"stream": stream.to_string(), "first": first, "last": last, "entries": last - first + 1})
        })
        .collect();
    let path = |index| levels.inclusion(index, checkpoint.size).unwrap_or_default();
    let entries = entries.iter().map(|found| entry(found, &path(found.entry.index), withhold));
    let entries: Vec<Value> = entries.collect();
    let document = json!({
        "format": FORMAT,
        "log": checkpoint.log.to_string(),
        "key": key.to_string(),
        "checkpoint": note,
        "streams": streams,
        "entries": entries,
    });
    format!("{document:#}\n")
}

/// Writes an entry, with the proof that it is in the tree.
pub(super) fn entry(found: &FullEntry, path: &[Hash], withhold: bool) -> Value {
    let FullEntry { entry, body, hash, payload } = found;
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    put("index", entry.index.into());
    put("seq", entry.seq.into());
    put("hash", hex::encode(hash).into());
    put("body", STANDARD.encode(body).into());
    put("stream", entry.stream.to_string().into());
    put("kind", entry.kind.to_string().into());
    put("phase", entry.phase.name().into());
    if let Phase::Effect { outcome, .. } = entry.phase {
        put("outcome", outcome.name().into());
    }
    put("at", UnixTime::from_seconds(entry.wall_ms / 1000).to_string().into());
    put("actor", entry.actor.as_str().into());
    match payload {
        PayloadState::None => {}
        PayloadState::Erased => put("erased", true.into()),
        PayloadState::Present { .. } if withhold => put("withheld", true.into()),
        PayloadState::Present { salt, bytes } => {
            let is_text = entry.commitment.is_some_and(|commitment| commitment.format != Format::Bytes);
            let salt = hex::encode(salt);
            put(
                "payload",
                match std::str::from_utf8(bytes) {
                    Ok(text) if is_text => json!({"salt": salt, "text": text}),
                    _ => json!({"salt": salt, "base64": STANDARD.encode(bytes)}),
                },
            );
        }
    }
    put("proof", path.iter().map(|hash| STANDARD.encode(hash)).collect());
    Value::Object(fields)
}

pub(super) const FORMAT: &str = "stack-audit/v1";
