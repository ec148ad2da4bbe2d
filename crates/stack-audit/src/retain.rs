//! What may be erased, and what must be kept. Pure decisions; the writer erases.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::entry::Entry;
use crate::identity::StreamId;
use crate::kind::Kind;

/// Which payloads are to be erased: those that meet every condition that is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only those of this stream.
    pub stream: Option<StreamId>,
    /// Only those written before this time, in milliseconds since 1970.
    pub before_ms: Option<u64>,
    /// Only those of this kind.
    pub kind: Option<Kind>,
}

impl Selection {
    /// Returns whether the payload of an entry is meant. Entries of the log itself never are: what they say about other
    /// entries is part of the evidence.
    pub fn covers(&self, entry: &Entry) -> bool {
        !entry.kind.is_of_log()
            && self.stream.is_none_or(|stream| entry.stream == stream)
            && self.before_ms.is_none_or(|before| entry.wall_ms < before)
            && self.kind.is_none_or(|kind| entry.kind == kind)
    }
}

/// Returns before when payloads are due to be erased; `None` where they are kept for ever.
pub fn due_before(now_ms: u64, payload_days: u32) -> Option<u64> {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    (payload_days > 0).then(|| now_ms.saturating_sub(u64::from(payload_days) * DAY_MS))
}

/// The streams that are on hold, each with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds(BTreeMap<StreamId, String>);

impl Holds {
    /// Takes note of an entry; the order is that of the log.
    pub fn apply(&mut self, kind: Kind, payload: &Value) {
        let Some(Ok(stream)) = payload["stream"].as_str().map(str::parse) else { return };
        match kind {
            Kind::HELD => {
                let reason = payload["reason"].as_str().unwrap_or_default();
                self.0.insert(stream, reason.to_owned());
            }
            Kind::RELEASED => drop(self.0.remove(&stream)),
            _ => {}
        }
    }

    /// Returns why a stream is on hold.
    pub fn reason(&self, stream: StreamId) -> Option<&str> {
        self.0.get(&stream).map(String::as_str)
    }

    /// Lists them.
    pub fn iter(&self) -> impl Iterator<Item = (StreamId, &str)> {
        self.0.iter().map(|(stream, reason)| (*stream, reason.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::golden::golden;

    #[test]
    fn all_conditions_must_be_met() {
        let [entry, ..] = golden();
        let all = Selection::default();
        assert!(all.covers(&entry));
        assert!(!all.covers(&Entry { kind: Kind::ERASED, ..entry.clone() }));
        for (selection, covered) in [
            (Selection { stream: Some(entry.stream), ..all }, true),
            (Selection { stream: Some(StreamId::LOG), ..all }, false),
            (Selection { before_ms: Some(entry.wall_ms), ..all }, false),
            (Selection { before_ms: Some(entry.wall_ms + 1), kind: Some(entry.kind), ..all }, true),
            (Selection { before_ms: Some(entry.wall_ms + 1), kind: Some(Kind::PULL), ..all }, false),
        ] {
            assert_eq!(selection.covers(&entry), covered, "{selection:?}");
        }
    }

    #[test]
    fn payloads_are_due_after_their_days() {
        assert_eq!(due_before(86_400_000 * 40, 30), Some(86_400_000 * 10));
        assert_eq!(due_before(1, 30), Some(0));
        assert_eq!(due_before(86_400_000, 0), None);
    }

    #[test]
    fn a_hold_lasts_until_it_is_released() {
        let mut holds = Holds::default();
        let stream = StreamId::named("registry");
        holds.apply(Kind::HELD, &json!({"stream": "registry", "reason": "a case"}));
        assert_eq!(holds.reason(stream), Some("a case"));
        holds.apply(Kind::RELEASED, &json!({"stream": "log"}));
        assert_eq!(holds.iter().count(), 1);
        holds.apply(Kind::RELEASED, &json!({"stream": "registry"}));
        assert_eq!(holds.reason(stream), None);
    }
}
