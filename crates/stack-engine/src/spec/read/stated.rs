//! What a file states although the architecture alone decides it: it may agree, but not contradict.
//!
//! Some writers put every key that they know into a file, whether the architecture uses it or not. A value that says
//! what is computed anyway is welcome; one that says something else asks for another model.

use super::Reader;
use crate::spec::row::{
    AttentionScale, EmbeddingScale, LogitScale, ResidualScale, RoutingKeys, Softcap, TemperatureRule,
    WindowBase, Windows,
};
use crate::spec::{AttentionSpec, DecoderSpec, FeedForward, Mixer, irrelevant};
use crate::weights::{LoadError, Value};

impl Reader<'_> {
    /// Refuses statements that contradict the spec.
    pub(super) fn check_stated(&self, spec: &DecoderSpec) -> Result<(), LoadError> {
        if !matches!(self.row.embedding_scale, EmbeddingScale::KeyOr(_)) {
            self.agree("embedding_scale", &[1.0, spec.embedding_scale])?;
        }
        if matches!(self.row.residual_scale, ResidualScale::One) {
            self.agree("residual_scale", &[1.0])?;
        }
        if matches!(self.row.logit_scale, LogitScale::One) {
            self.agree("logit_scale", &[1.0])?;
        }
        // Where an architecture has no caps, llama.cpp's own writer leaves its defaults.
        if matches!(self.row.attention_softcap, Softcap::Never) {
            self.agree("attn_logit_softcapping", &[50.0])?;
        }
        if matches!(self.row.final_softcap, Softcap::Never) {
            self.agree("final_logit_softcapping", &[30.0])?;
        }
        self.check_attention(spec)?;
        self.check_latent(spec)?;
        self.check_windows(spec)?;
        self.check_experts(spec)
    }

    fn check_attention(&self, spec: &DecoderSpec) -> Result<(), LoadError> {
        let layers = || spec.layers.iter().filter_map(|layer| attention(&layer.mixer));
        let scales: Vec<f32> = layers().map(|attention| attention.scale).collect();
        if !matches!(self.row.attention_scale, AttentionScale::Key) {
            self.agree("attention.scale", &scales)?;
        }
        if !matches!(self.row.attention_scale, AttentionScale::OutputKeyOr(_)) {
            self.agree("attention.output_scale", &[1.0])?;
        }
        if !self.row.value_scale {
            self.agree("attention.value_scale", &[1.0])?;
        }
        if let Some(attention) = layers().next() {
            self.agree("attention.max_alibi_bias", &[attention.alibi_max])?;
        }
        if let TemperatureRule::Unrotated { scale, floor, .. } = self.row.temperature {
            self.agree("attention.temperature_scale", &[scale])?;
            self.agree("attention.temperature_length", &[floor as f32])?;
        }
        Ok(())
    }

    /// With latent attention, the plain lengths are those of what the cache holds.
    fn check_latent(&self, spec: &DecoderSpec) -> Result<(), LoadError> {
        let latent = spec.layers.iter().find_map(|layer| match &layer.mixer {
            Mixer::Latent(latent) => Some(latent),
            _ => None,
        });
        let Some(latent) = latent else { return Ok(()) };
        let cached = (latent.kv_rank + latent.rope.dimensions) as f32;
        self.agree("attention.key_length", &[cached, latent.key_length as f32])?;
        self.agree("attention.value_length", &[latent.kv_rank as f32, latent.value_length as f32])
    }

    /// What concerns layers with a window may say anything where there are none.
    fn check_windows(&self, spec: &DecoderSpec) -> Result<(), LoadError> {
        let has_windows =
            spec.layers.iter().filter_map(|layer| attention(&layer.mixer)).any(|a| a.window.is_some());
        let is_own_base = match self.row.windows {
            Windows::Pattern { rope, .. } => !matches!(rope.base, WindowBase::Same),
            Windows::Never | Windows::Every => false,
        };
        for name in WINDOW_KEYS {
            let plain = name.strip_suffix("_swa").unwrap_or(name);
            if !has_windows {
                self.ledger.ask(&self.key(name));
            } else if (*name != "rope.freq_base_swa" || !is_own_base)
                && let Some(shared) = self.number(plain)?
            {
                self.agree(name, &[shared])?;
            }
        }
        Ok(())
    }

    fn check_experts(&self, spec: &DecoderSpec) -> Result<(), LoadError> {
        let experts = spec.layers.iter().find_map(|layer| match &layer.feed_forward {
            FeedForward::Experts(experts) => Some(experts),
            _ => layer.side_experts.as_ref(),
        });
        let Some(experts) = experts else { return Ok(()) };
        if self.row.routing_keys != RoutingKeys::GatingAndScale {
            self.agree("expert_weights_scale", &[1.0])?;
        }
        // A file that says false may mean that it says nothing.
        if self.row.normalize_experts == Some(false) && self.flag("expert_weights_norm")? == Some(true) {
            let problem = format!("is true, but {} does not normalize them", self.architecture);
            return Err(self.wrong("expert_weights_norm", problem));
        }
        if experts.normalize {
            self.ledger.ask(&self.key("expert_weights_norm"));
        }
        Ok(())
    }

    /// Refuses a number that is neither one of these nor zero, which says nothing.
    fn agree(&self, name: &str, expected: &[f32]) -> Result<(), LoadError> {
        let Some(found) = self.number(name)? else { return Ok(()) };
        let agrees = |&expected: &f32| (found - expected).abs() <= 1e-5 * expected.abs();
        if found == 0.0 || expected.iter().any(agrees) {
            return Ok(());
        }
        Err(self.wrong(name, format!("{found} is not what {} computes with here", self.architecture)))
    }

    /// Refuses keys that nothing asked for, unless they are known not to matter.
    pub(super) fn refuse_unasked(&self, spec: &DecoderSpec) -> Result<(), LoadError> {
        let own = format!("{}.", self.architecture);
        for (key, value) in self.ledger.unasked() {
            let name = match key.strip_prefix(&own) {
                Some(name) => name,
                None if irrelevant::is_foreign(key) => key,
                None => continue,
            };
            if irrelevant::key(name, value, spec).is_none() {
                let problem = format!(
                    "{}this program does not know what it does to {}, and will not guess",
                    shown(value),
                    self.architecture
                );
                return Err(LoadError::new(format!("metadata key {}", key.escape_debug()), problem));
            }
        }
        Ok(())
    }
}

fn attention(mixer: &Mixer) -> Option<&AttentionSpec> {
    match mixer {
        Mixer::Attention(attention) => Some(attention),
        _ => None,
    }
}

/// A value for a message, where it is short.
fn shown(value: &Value) -> String {
    match value {
        Value::Unsigned(number) => format!("is {number}; "),
        Value::Signed(number) => format!("is {number}; "),
        Value::Float(number) => format!("is {number}; "),
        Value::Bool(flag) => format!("is {flag}; "),
        Value::String(text) if text.len() <= 64 => format!("is {:?}; ", String::from_utf8_lossy(text)),
        _ => String::new(),
    }
}

/// Keys of which the plain ones, without `_swa`, count for all layers unless these say otherwise.
const WINDOW_KEYS: &[&str] = &[
    "attention.key_length_swa",
    "attention.value_length_swa",
    "rope.dimension_count_swa",
    "rope.freq_base_swa",
];
