//! A whole log from a stranger, as rows and checkpoints: it verifies or is at fault, and never harms the verifier.
//!
//! The input is cut into rows: two bytes say how long the body is, two how long the payload is, and one what is to be
//! repaired, so that the fuzzer gets past hashes and links that it cannot guess.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stack_audit::entry::{Commitment, hash};
use stack_audit::verify::{Evidence, Source, StoredEntry, StoredPayload, Verifier};
use stack_audit::{Entry, LogId};

fuzz_target!(|bytes: &[u8]| {
    let evidence = vec![Evidence { source: Source::Beside, note: String::from_utf8_lossy(bytes).into_owned() }];
    let mut verifier = Verifier::new(LogId(std::array::from_fn(|at| at as u8)), Vec::new(), evidence);
    let mut rest = bytes;
    let mut heads = std::collections::HashMap::new();
    let mut index = 0;
    while let Some((&[body_high, body_low, payload_high, payload_low, repair], after)) = rest.split_first_chunk() {
        let length = |high, low| usize::from(u16::from_be_bytes([high, low]));
        let (body_length, payload_length) = (length(body_high, body_low), length(payload_high, payload_low));
        if body_length + payload_length > after.len() {
            break;
        }
        let (body, after) = after.split_at(body_length);
        let (payload, after) = after.split_at(payload_length);
        rest = after;
        let (mut body, salt) = (body.to_vec(), [7; 32]);
        if repair & 1 != 0 && let Ok(mut entry) = Entry::decode(&body) {
            let (seq, prev) = heads.get(&entry.stream).copied().unwrap_or((0, entry.stream.origin(entry.log)));
            (entry.index, entry.seq, entry.prev) = (index, seq + 1, prev);
            let format = entry.commitment.map(|commitment| commitment.format);
            entry.commitment = format.map(|format| Commitment::new(format, &salt, payload));
            body = entry.encode();
            heads.insert(entry.stream, (entry.seq, hash(&body)));
        }
        let hash = hash(&body);
        let payload = (repair & 2 != 0).then_some(StoredPayload { salt: &salt, bytes: payload });
        if verifier.push(StoredEntry { index, body: &body, hash: &hash, payload }).is_err() {
            return;
        }
        index += 1;
    }
    let _ = verifier.finish();
});
