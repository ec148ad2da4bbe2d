//! An adapter while one reply is read.

use std::sync::Arc;

use serde_json::Value;
use stack_chat::{Failure, FailureKind, FinishReason, Usage};

use super::op::Scope;
use super::pointer::{STARS_MAX, TooManyMatches};
use super::stage::Notes;
use super::{Adapter, Mismatch};

/// An adapter while one reply is read.
#[derive(Debug)]
pub(in crate::provider) struct Lens {
    adapter: Arc<Adapter>,
    model: String,
    stream: bool,
    notes: Notes,
}

impl Lens {
    pub(in crate::provider) fn new(adapter: Arc<Adapter>, model: &str, stream: bool) -> Self {
        Self { adapter, model: model.to_owned(), stream, notes: Notes::default() }
    }

    pub(in crate::provider) fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// Turns a record, or a whole reply, into its canonical form, and the name of its event, too. What needs no change is
    /// not looked at.
    pub(in crate::provider) fn read(&mut self, name: &mut String, record: &mut Value) -> Result<(), Failure> {
        let Self { adapter, model, stream, notes } = self;
        let scope = Scope { model, stream: *stream };
        let stage = if *stream { &adapter.events.stage } else { &adapter.reply };
        if *stream && !adapter.events.map.is_empty() {
            rename(adapter, name, record);
        }
        if stage.ops.is_empty() {
            return Ok(());
        }
        stage.apply(record, scope, notes).map_err(|TooManyMatches| {
            let message =
                format!("{} sent a reply with more places than its adapter may look at", adapter.provider);
            Failure::new(FailureKind::StreamMalformed, message)
        })
    }

    /// Counts what a canonical record says, where the spec counts for itself.
    pub(in crate::provider) fn usage(&self, record: &Value) -> Option<Usage> {
        self.adapter.usage.as_ref()?.read(record)
    }

    /// Whether a canonical record holds one of the proofs that the spec demands.
    pub(in crate::provider) fn proves(&self, record: &Value) -> bool {
        self.adapter.end.proof.iter().any(|proof| proof.is_in(record))
    }

    /// Lists what was other than the operations expect.
    pub(in crate::provider) fn mismatches(&self) -> Vec<Mismatch> {
        let stage = if self.stream { &self.adapter.events.stage } else { &self.adapter.reply };
        stage.mismatches(&self.notes)
    }
}

impl Adapter {
    /// Whether streams must hold a proof beside that of their family.
    pub(in crate::provider) fn demands_proof(&self) -> bool {
        !self.end.proof.is_empty()
    }

    /// Returns the text after the last event.
    pub(in crate::provider) fn sentinel(&self) -> Option<&str> {
        self.end.sentinel.as_deref()
    }

    /// Returns what a word means as the reason to end, where the spec says it.
    pub(in crate::provider) fn finish(&self) -> &[(String, FinishReason)] {
        &self.finish
    }
}

/// Gives an event its canonical name, where its record says it and where its framing does.
fn rename(adapter: &Adapter, name: &mut String, record: &mut Value) {
    let canonical =
        |word: &str| adapter.events.map.iter().find(|(from, _)| from == word).map(|(_, to)| to.clone());
    if let Some(to) = canonical(name) {
        *name = to;
    }
    if let Some(pointer) = &adapter.events.name
        && let Some(Value::String(word)) = pointer.get_mut(record, &[0; STARS_MAX])
        && let Some(to) = canonical(word)
    {
        *word = to;
    }
}
