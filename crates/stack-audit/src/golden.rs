//! The entries of the page on the format, for tests.

use stack_seal::statement::Tier;

use crate::entry::{Actor, Circumstances, Commitment, Entry, Format, Outcome, Phase, hash};
use crate::identity::{LogId, StreamId};
use crate::kind::Kind;

/// Returns the three entries.
pub(crate) fn golden() -> [Entry; 3] {
    let counting = |from: u8| std::array::from_fn(|at| from + at as u8);
    let (log, stream) = (LogId(counting(0)), StreamId(counting(0x10)));
    let first = Entry {
        log,
        stream,
        seq: 1,
        prev: stream.origin(log),
        index: 0,
        kind: Kind::SESSION_START,
        phase: Phase::Note,
        wall_ms: 1_700_000_000_000,
        epoch: 1,
        mono_us: 42,
        circumstances: Circumstances { tier: Some(Tier::Sovereign), ..Circumstances::default() },
        scrubbed: 0,
        commitment: Some(Commitment::new(Format::Json, &[0xaa; 32], br#"{"task":"2+2"}"#)),
        actor: Actor::new("user:alice").unwrap(),
    };
    let second = Entry {
        seq: 2,
        prev: hash(&first.encode()),
        index: 1,
        kind: Kind::MODEL_CALL,
        phase: Phase::Intent,
        wall_ms: first.wall_ms + 5,
        mono_us: 5042,
        commitment: None,
        actor: Actor::new("session").unwrap(),
        ..first.clone()
    };
    let third = Entry {
        seq: 3,
        prev: hash(&second.encode()),
        index: 2,
        phase: Phase::Effect { closes: 2, outcome: Outcome::Done },
        wall_ms: first.wall_ms + 305,
        mono_us: 305_042,
        commitment: Some(Commitment::new(Format::Json, &[0xbb; 32], br#"{"text":"4"}"#)),
        ..second.clone()
    };
    [first, second, third]
}
