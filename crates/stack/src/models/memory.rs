//! The memory that a model takes.

use serde::Serialize;
use stack_engine::engine::{cache_bytes_per_token, weight_bytes};
use stack_engine::executor::{DeviceKind, Placement};
use stack_engine::spec::DecoderSpec;
use stack_engine::weights::LoadError;

use super::path::OpenModel;

/// The memory that a model will take.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) weights_bytes: u64,
    pub(crate) cache_bytes_per_token: u64,
    /// The tokens that `total_bytes` is for.
    pub(crate) context: u64,
    pub(crate) total_bytes: u64,
}

impl Memory {
    /// Says what memory a model takes where it is placed so, with a context of so many tokens, if it can be run.
    pub(crate) fn of(
        model: &OpenModel,
        placement: &Placement,
        context: Option<u32>,
    ) -> Result<Self, LoadError> {
        // Encoders are computed by candle wherever they run.
        let device = if model.is_encoder() { DeviceKind::Candle } else { placement.device };
        let weights_bytes = weight_bytes(&*model.source, device);
        // An encoder keeps nothing from one text to the next.
        let (context_trained, cache_bytes_per_token) = if model.is_encoder() {
            (0, 0)
        } else {
            let spec = DecoderSpec::read(&*model.source)?;
            (spec.context_trained as u64, cache_bytes_per_token(&spec, placement))
        };
        let context = context.map_or(context_trained, u64::from);
        let total_bytes = weights_bytes.saturating_add(cache_bytes_per_token.saturating_mul(context));
        Ok(Self { weights_bytes, cache_bytes_per_token, context, total_bytes })
    }

    /// What a model takes together with a smaller one that guesses for it, whose caches hold the same tokens.
    pub(crate) fn with_draft(self, draft: Self) -> Self {
        let cache_bytes_per_token = self.cache_bytes_per_token.saturating_add(draft.cache_bytes_per_token);
        let weights_bytes = self.weights_bytes.saturating_add(draft.weights_bytes);
        let total_bytes = weights_bytes.saturating_add(cache_bytes_per_token.saturating_mul(self.context));
        Self { weights_bytes, cache_bytes_per_token, total_bytes, ..self }
    }

    /// What the caches of a server may take: a few conversations, whatever the model was trained for, and at least one
    /// of so many tokens as the operator wants.
    pub(crate) fn serving_cache_bytes(&self, wanted: Option<u32>) -> u64 {
        let most = SERVING_TOKENS_MAX.max(wanted.map_or(0, u64::from));
        self.cache_bytes_per_token.saturating_mul(self.context.saturating_mul(2).min(most))
    }
}

const SERVING_TOKENS_MAX: u64 = 32_768;
