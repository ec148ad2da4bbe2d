//! Plain data as JSON.

use serde::Serialize;

/// Writes plain data.
pub(crate) fn to_bytes(data: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(data).expect("maps with text keys, lists, texts and integers always become JSON")
}

/// Writes plain data for people to read, too.
pub(crate) fn to_pretty_bytes(data: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(data)
        .expect("maps with text keys, lists, texts and integers always become JSON");
    bytes.push(b'\n');
    bytes
}
