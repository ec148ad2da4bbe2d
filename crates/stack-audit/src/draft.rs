//! What callers write down, before it has a place in the log.

use stack_seal::statement::Tier;

use crate::entry::{Actor, Circumstances};
use crate::hash::Hash;
use crate::identity::StreamId;
use crate::kind::Kind;
use crate::payload::Payload;

/// An entry that is to be written.
///
/// ```
/// use serde_json::json;
/// use stack_audit::{Actor, Draft, Kind, StreamId};
///
/// let pull = Draft::new(StreamId::named("registry"), Kind::PULL, Actor::new("user:alice")?)
///     .with(json!({"model": "qwen/qwen3-4b"}));
/// # Ok::<(), stack_audit::BadEntry>(())
/// ```
#[derive(Clone, Debug)]
pub struct Draft {
    /// The stream that it goes to.
    pub stream: StreamId,
    /// What it is about.
    pub kind: Kind,
    /// Who acts.
    pub actor: Actor,
    /// Under which rules.
    pub circumstances: Circumstances,
    /// What it carries.
    pub payload: Payload,
    /// Whether an intent is flushed before its act may begin.
    pub durability: Durability,
    /// The place that it must get in its stream, where somebody else may have written to that.
    pub expected_seq: Option<u64>,
}

/// When an intent has to be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Before its act begins: what leaves the machine, writes or decides.
    Before,
    /// With the next commit, in order: what only computes or reads. Losing it loses only work.
    Batched,
}

impl Draft {
    /// Begins a draft without a payload. Calls of models are batched, everything else is flushed before it happens.
    pub fn new(stream: StreamId, kind: Kind, actor: Actor) -> Self {
        let durability = if kind == Kind::MODEL_CALL { Durability::Batched } else { Durability::Before };
        let circumstances = Circumstances::default();
        Self { stream, kind, actor, circumstances, payload: Payload::None, durability, expected_seq: None }
    }

    /// Begins the draft of what comes of an act: all but the payload is that of the intent.
    pub(crate) fn effect(&self) -> Self {
        let effect = Self::new(self.stream, self.kind, self.actor.clone());
        Self { circumstances: self.circumstances, ..effect }
    }

    /// Sets what it carries.
    #[must_use]
    pub fn with(self, payload: impl Into<Payload>) -> Self {
        Self { payload: payload.into(), ..self }
    }

    /// Sets how far the request could reach.
    #[must_use]
    pub fn at_tier(mut self, tier: Tier) -> Self {
        self.circumstances.tier = Some(tier);
        self
    }

    /// Sets when it is flushed.
    #[must_use]
    pub fn flushed(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// Demands a place in the stream.
    #[must_use]
    pub fn expecting(self, seq: u64) -> Self {
        Self { expected_seq: Some(seq), ..self }
    }
}

/// What whoever wrote an entry gets: it is durable, and this is its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The stream.
    pub stream: StreamId,
    /// The place in the stream.
    pub seq: u64,
    /// The place in the log.
    pub index: u64,
    /// The hash of the entry.
    pub hash: Hash,
}
