//! From a draft to what is hashed: secrets are replaced, JSON gets its one form, a salt is drawn.

use serde_json::Value;

use crate::draft::Draft;
use crate::entry::{Actor, Commitment};
use crate::error::AuditError;
use crate::identity::StreamId;
use crate::kind::Kind;
use crate::scrub::Scrubber;
use crate::store::{Prepared, PreparedPayload};

/// A source of random bytes that several threads may ask.
pub type Random = dyn Fn(&mut [u8]) + Send + Sync;

/// Prepares drafts on the threads of those who wrote them, so that the writer has little left to do.
pub(crate) struct Preparer {
    pub(crate) scrubber: Scrubber,
    pub(crate) random: Box<Random>,
}

impl Preparer {
    pub(crate) fn prepare(&self, draft: Draft) -> Result<Prepared, AuditError> {
        let Draft { stream, kind, actor, circumstances, payload, .. } = draft;
        let (payload, scrubbed) = self.scrubber.payload(payload);
        let payload = payload.encode().map_err(AuditError::Payload)?.map(|(format, bytes)| {
            let mut salt = [0; 32];
            (self.random)(&mut salt);
            PreparedPayload { commitment: Commitment::new(format, &salt, &bytes), salt, bytes }
        });
        Ok(Prepared { stream, kind, actor, circumstances, scrubbed, payload })
    }

    /// Prepares an entry of the log itself.
    pub(crate) fn own(&self, stream: StreamId, kind: Kind, payload: Value) -> Prepared {
        let actor = Actor::new("log").expect("it is a short word");
        self.prepare(Draft::new(stream, kind, actor).with(payload))
            .expect("it is a short object without floats")
    }
}
