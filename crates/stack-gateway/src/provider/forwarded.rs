//! Servers on this machine that answer with somebody else's model.
//!
//! Ollama forwards some of its models to a cloud, so that loopback is no promise there. Where a prompt must stay, the
//! server is asked about the model first, and each reply is looked at again: what it says may have changed in between.

use std::sync::Arc;

use serde_json::json;
use stack_chat::{Failure, FailureKind};
use stack_wire::provider::ModelCheck;
use tokio::time::timeout_at;

use super::attempt::Attempt;
use crate::privacy::{Denied, Refusal};

impl Attempt<'_> {
    /// Asks whether the model is forwarded. What cannot be learnt counts as yes.
    pub(super) async fn refuse_forwarded(&mut self) -> Result<(), Failure> {
        let check = ModelCheck::new(&self.call.route.model);
        let headers = ModelCheck::HEADERS.map(|(name, value)| (name.into(), value.into()));
        let request = self.call.http_request(ModelCheck::PATH, &headers, &check.body())?;
        let mut reply = self.ask(request).await?;
        let entry = reply.take_entry();
        let (status, at) = (reply.status(), self.due());
        let mut body = Vec::new();
        while body.len() <= BODY_BYTES_MAX
            && let Ok(Ok(Some(piece))) = timeout_at(at.into(), reply.chunk()).await
        {
            body.extend_from_slice(piece.as_ref());
        }
        entry.done(json!({"status": status, "bytes_received": body.len()}));
        let forwarded_to = match status {
            200 => ModelCheck::forwarded_to(&body),
            404 => {
                let message = format!("{} does not have this model", self.provider().options.name);
                return Err(Failure::new(FailureKind::ModelMissing, message));
            }
            _ => Some("nobody knows whom".to_owned()),
        };
        forwarded_to.map_or(Ok(()), |host| Err(self.forwarded(&host)))
    }

    /// Makes the failure of a model that somebody else answers for, and writes it down.
    pub(super) fn forwarded(&self, host: &str) -> Failure {
        let provider = self.provider();
        let (model, name) = (&self.call.route.model, &provider.options.name);
        let ceiling = provider.gate.policy().tier;
        let tier = self.call.tier.unwrap_or(ceiling).min(ceiling);
        let message = format!(
            "the tier {} does not allow the model {model:?}, which {name} forwards to {host}",
            tier.name()
        );
        let denied = Denied { refusal: Refusal::TierForbids, message };
        let (provider, model, asked, noted) =
            (Arc::clone(provider), model.clone(), self.call.tier, denied.clone());
        drop(tokio::task::spawn_blocking(move || {
            provider.gate.deny(&provider.request(&model, asked), &noted);
        }));
        denied.into()
    }
}

/// Models have long licences and templates.
const BODY_BYTES_MAX: usize = 8 << 20;
