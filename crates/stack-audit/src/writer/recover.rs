//! What an earlier epoch has left open, settled before anybody writes.

use serde_json::{Value, json};

use super::Writer;
use crate::entry::{Entry, Outcome, Phase};
use crate::identity::StreamId;
use crate::kind::Kind;
use crate::payload::parse_canonical;
use crate::ranges::Ranges;
use crate::store::StoreError;

/// What became of intents that an earlier epoch has left open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Acts that only computed or read, and are simply gone.
    pub abandoned: u64,
    /// Acts of which nobody knows whether they happened. They are never repeated silently.
    pub ambiguous: u64,
    /// Erasures that were finished.
    pub resumed: u64,
}

impl Recovery {
    fn to_json(self) -> Value {
        json!({"abandoned": self.abandoned, "ambiguous": self.ambiguous, "resumed": self.resumed})
    }
}

/// What an open intent needs.
#[derive(Debug, PartialEq, Eq)]
enum Settlement {
    /// An effect with this outcome.
    Close(Outcome),
    /// The log's own erasure, to be done again from the beginning.
    Erase(Ranges),
}

/// Decides what an open intent needs.
fn settle(intent: &Entry, payload: &[u8]) -> Settlement {
    let field = |name: &str| {
        parse_canonical(payload).ok().and_then(|mut payload| Some(payload.get_mut(name)?.take()))
    };
    match intent.kind {
        Kind::MODEL_CALL | Kind::LOAD | Kind::SERVE => Settlement::Close(Outcome::Abandoned),
        Kind::TOOL_CALL if field("rank").is_some_and(|rank| rank == "restricted") => {
            Settlement::Close(Outcome::Abandoned)
        }
        Kind::ERASED => match field("ranges").and_then(|ranges| Ranges::from_json(&ranges)) {
            Some(ranges) => Settlement::Erase(ranges),
            None => Settlement::Close(Outcome::Ambiguous),
        },
        _ => Settlement::Close(Outcome::Ambiguous),
    }
}

impl Writer {
    /// Writes that the log is open, and an effect for each intent whose process has ended. Those that take the log often
    /// say that it is open where that is news: another key, or another version.
    pub(crate) fn recover(&mut self, version: &str) -> Result<Recovery, StoreError> {
        match self.try_recover(version) {
            Err(error) if self.health.is_full_disk(&error) => {
                self.health.fill(&self.store.folder.reserve());
                self.try_recover(version)
            }
            Ok(recovery) => {
                // Without a reserve the log works, too, until the disk is full.
                let _taken = self.store.folder.reserve().take();
                Ok(recovery)
            }
            failed => failed,
        }
    }

    fn try_recover(&mut self, version: &str) -> Result<Recovery, StoreError> {
        let claims = self.store.folder.claims();
        let mut open = Vec::new();
        for intent in self.store.open_intents()? {
            if !claims.is_held(intent.index)? {
                open.push(intent);
            }
        }
        let opened = json!({"key": self.key.public().to_string(), "version": version});
        let opened = self.preparer.own(StreamId::LOG, Kind::OPENED, opened);
        let is_known = || {
            let last = self.store.last_payload(Kind::OPENED)?;
            Ok(last.is_some() && last.as_ref() == opened.payload.as_ref().map(|payload| &payload.bytes))
        };
        if self.ownership.is_brief() && open.is_empty() && is_known()? {
            return Ok(Recovery::default());
        }
        let mut recovery = Recovery::default();
        let mut erasures = Vec::new();
        let mut batch = self.store.begin()?;
        batch.append(&opened, Phase::Note, self.now())?;
        for intent in open {
            let payload = self.store.payload(intent.index)?.unwrap_or_default();
            let outcome = match settle(&intent, &payload) {
                Settlement::Close(outcome) => outcome,
                Settlement::Erase(ranges) => {
                    recovery.resumed += 1;
                    erasures.push((intent.seq, ranges));
                    continue;
                }
            };
            match outcome {
                Outcome::Ambiguous => recovery.ambiguous += 1,
                _ => recovery.abandoned += 1,
            }
            let reason = json!({"reason": "the process ended before the act did"});
            let mut effect = self.preparer.own(intent.stream, intent.kind, reason);
            effect.circumstances = intent.circumstances;
            batch.append(&effect, Phase::Effect { closes: intent.seq, outcome }, self.now())?;
        }
        if recovery != Recovery::default() {
            let note = self.preparer.own(StreamId::LOG, Kind::RECOVERED, recovery.to_json());
            batch.append(&note, Phase::Note, self.now())?;
        }
        let committed = batch.commit()?;
        self.store.advance(committed);
        for (closes, ranges) in erasures {
            let payloads = self.remove_payloads(&ranges)?;
            let effect = self.preparer.own(StreamId::LOG, Kind::ERASED, json!({"payloads": payloads}));
            let mut batch = self.store.begin()?;
            batch.append(&effect, Phase::Effect { closes, outcome: Outcome::Done }, self.now())?;
            let committed = batch.commit()?;
            self.store.advance(committed);
        }
        self.upkeep.changed(false);
        Ok(recovery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::golden;

    #[test]
    fn only_what_computes_or_reads_is_abandoned() {
        let [_, intent, _] = golden();
        let of = |kind, payload: &str| settle(&Entry { kind, ..intent.clone() }, payload.as_bytes());
        let (abandoned, ambiguous) =
            (Settlement::Close(Outcome::Abandoned), Settlement::Close(Outcome::Ambiguous));
        for kind in [Kind::MODEL_CALL, Kind::LOAD, Kind::SERVE] {
            assert_eq!(of(kind, ""), abandoned, "{kind}");
        }
        assert_eq!(of(Kind::TOOL_CALL, r#"{"rank":"restricted"}"#), abandoned);
        for (kind, payload) in [
            (Kind::TOOL_CALL, r#"{"rank":"standard"}"#),
            (Kind::TOOL_CALL, r#"{"rank": "restricted"}"#),
            (Kind::TOOL_CALL, ""),
            (Kind::PUSH, ""),
            (Kind(0x7f01), r#"{"rank":"restricted"}"#),
        ] {
            assert_eq!(of(kind, payload), ambiguous, "{kind} {payload}");
        }
        let mut ranges = Ranges::default();
        ranges.insert(4);
        assert_eq!(of(Kind::ERASED, r#"{"ranges":[[4,4]]}"#), Settlement::Erase(ranges));
    }
}
