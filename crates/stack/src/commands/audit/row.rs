//! An entry, for programs.

use serde_json::{Value, json};
use stack_audit::{FullEntry, PayloadState, Phase};
use stack_seal::hex;
use stack_seal::time::UnixTime;

/// Returns what an entry says, with its payload as far as that is text.
pub(super) fn json(found: &FullEntry) -> Value {
    let FullEntry { entry, hash, payload, .. } = found;
    let (closes, outcome) = match entry.phase {
        Phase::Effect { closes, outcome } => (Some(closes), Some(outcome.name())),
        Phase::Note | Phase::Intent => (None, None),
    };
    let (state, payload) = match payload {
        PayloadState::None => ("none", Value::Null),
        PayloadState::Erased => ("erased", Value::Null),
        PayloadState::Present { bytes, .. } => {
            let text = String::from_utf8_lossy(bytes);
            ("present", serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned())))
        }
    };
    json!({
        "index": entry.index,
        "stream": entry.stream.to_string(),
        "seq": entry.seq,
        "kind": entry.kind.to_string(),
        "phase": entry.phase.name(),
        "closes": closes,
        "outcome": outcome,
        "at": UnixTime::from_seconds(entry.wall_ms / 1000).to_string(),
        "actor": entry.actor.as_str(),
        "tier": entry.circumstances.tier.map(stack_seal::statement::Tier::name),
        "scrubbed": entry.scrubbed,
        "hash": hex::encode(hash),
        "payload_state": state,
        "payload": payload,
    })
}
