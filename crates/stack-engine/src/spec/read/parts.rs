//! Tensors that must be there. Many parts of a layer are optional in some architecture and known by their tensor
//! alone, so a tensor that got lost would silently be a model without that part.

use std::collections::{BTreeMap, BTreeSet};

use super::Reader;
use crate::spec::row::{ActivationRule, HeadNorms, NormPlaces};
use crate::spec::{Activation, AttentionSpec, DecoderSpec, FeedForward, LayerSpec, Mixer, Residual};
use crate::weights::LoadError;

/// The parts of a layer, without the layer's prefix.
type Parts<'a> = BTreeSet<&'a str>;

impl Reader<'_> {
    /// Refuses a model that lacks what its architecture always has, or a layer that lacks what its like have.
    pub(super) fn check_parts(&self, spec: &DecoderSpec) -> Result<(), LoadError> {
        if let Some(name) = self.row.outer_parts.iter().find(|name| self.tensors.tensor(name).is_none()) {
            return Err(self.missing(name));
        }
        // LFM2 calls its last norm what others call the norm after the embeddings, which must not stand in elsewhere.
        let has_last_norm = ["output_norm.weight", "token_embd_norm.weight"]
            .into_iter()
            .take(if self.row.last_norm_first { 2 } else { 1 })
            .any(|name| self.tensors.tensor(name).is_some());
        if self.row.norm_weights && !has_last_norm {
            return Err(self.missing("output_norm.weight"));
        }
        if self.row.norm_biases {
            for norm in ["output_norm", "token_embd_norm"] {
                let bias = format!("{norm}.bias");
                if self.tensors.tensor(&format!("{norm}.weight")).is_some()
                    && self.tensors.tensor(&bias).is_none()
                {
                    return Err(self.missing(&bias));
                }
            }
        }
        if !self.row.positions && self.tensors.tensor("position_embd.weight").is_some() {
            let problem = format!("{} has no learned positions that are known here", self.architecture);
            return Err(LoadError::new("position_embd.weight", problem));
        }
        let parts = self.parts(spec.layers.len());
        for (index, (layer, parts)) in spec.layers.iter().zip(&parts).enumerate() {
            self.check_layer(index, layer, parts)?;
        }
        compare_layers(spec, &parts)
    }

    /// The parts of every layer; scales are optional beside any matrix.
    fn parts(&self, layers: usize) -> Vec<Parts<'_>> {
        let mut all = vec![Parts::new(); layers];
        for tensor in self.tensors.tensors() {
            let split = tensor.name.strip_prefix("blk.").and_then(|rest| rest.split_once('.'));
            let Some((index, part)) = split else { continue };
            if let Some(parts) = index.parse::<usize>().ok().and_then(|index| all.get_mut(index))
                && !part.ends_with("scale")
            {
                parts.insert(part);
            }
        }
        all
    }

    fn check_layer(&self, index: usize, layer: &LayerSpec, parts: &Parts<'_>) -> Result<(), LoadError> {
        let has = |part: &str| parts.contains(part) || parts.contains(format!("{part}.weight").as_str());
        let require = |part: &str| {
            has(part).then_some(()).ok_or_else(|| self.missing(&format!("blk.{index}.{part}.weight")))
        };
        let (mixes, feeds) =
            (!matches!(layer.mixer, Mixer::None), !matches!(layer.feed_forward, FeedForward::None));
        let after_attention = layer.post_attention_norm.unwrap_or("post_attention_norm");
        match self.row.norm_places {
            _ if !self.row.norm_weights => {}
            NormPlaces::Before => {
                if mixes {
                    require("attn_norm")?;
                }
                if feeds && layer.residual == Residual::Sequential {
                    require(layer.feed_forward_norm)?;
                }
            }
            NormPlaces::After => {
                require("post_attention_norm")?;
                require("post_ffw_norm")?;
            }
            NormPlaces::Either => {
                if mixes && !has(after_attention) {
                    require("attn_norm")?;
                }
                let is_normed = has("post_ffw_norm") || has("layer_output_norm");
                if feeds && layer.residual == Residual::Sequential && !is_normed {
                    require(layer.feed_forward_norm)?;
                }
            }
        }
        if self.row.norm_biases {
            for norm in ["attn_norm", "attn_norm_2", "ffn_norm"] {
                if has(norm) && !parts.contains(format!("{norm}.bias").as_str()) {
                    return Err(self.missing(&format!("blk.{index}.{norm}.bias")));
                }
            }
        }
        if let Mixer::Attention(attention) = &layer.mixer {
            self.row.attention_parts.iter().try_for_each(|part| require(part))?;
            self.check_head_norms(index, attention)?;
        }
        // Experts are gated in every architecture.
        if parts.contains("ffn_up_exps.weight") {
            require("ffn_gate_exps")?;
        }
        if has("ffn_up_shexp") {
            require("ffn_gate_shexp")?;
        }
        if let FeedForward::Dense { .. } = layer.feed_forward {
            self.row.feed_forward_parts.iter().try_for_each(|part| require(part))?;
            // SiLU stands in gated networks only. The gate may lie above the rest, in one matrix.
            let is_silu = matches!(self.row.activation, ActivationRule::Fixed(Activation::Silu));
            if is_silu && !has("ffn_gate") && !self.is_doubled(index) {
                require("ffn_gate")?;
            }
        }
        Ok(())
    }

    /// Weights for one head and for all heads differ only in length, so the length must be what the architecture has.
    fn check_head_norms(&self, index: usize, attention: &AttentionSpec) -> Result<(), LoadError> {
        for (part, heads) in [("attn_q_norm", attention.heads), ("attn_k_norm", attention.kv_heads)] {
            let expected = match self.row.head_norms {
                HeadNorms::AsShaped => continue,
                HeadNorms::EachHead => attention.key_length,
                HeadNorms::AllHeads => heads * attention.key_length,
            };
            let name = format!("blk.{index}.{part}.weight");
            let tensor = self.tensors.tensor(&name).ok_or_else(|| self.missing(&name))?;
            if tensor.elements() != expected {
                let problem = format!("the tensor has {} elements; expected {expected}", tensor.elements());
                return Err(LoadError::new(name, problem));
            }
        }
        Ok(())
    }

    fn is_doubled(&self, index: usize) -> bool {
        let shape = |part: &str| {
            self.tensors.tensor(&format!("blk.{index}.{part}.weight")).map(|t| t.shape.as_slice())
        };
        match (shape("ffn_up"), shape("ffn_down")) {
            (Some([rows, ..]), Some([.., inner])) => *rows == inner.saturating_mul(2),
            _ => false,
        }
    }

    fn missing(&self, name: &str) -> LoadError {
        LoadError::new(name, format!("the tensor is missing, and every {} model has it", self.architecture))
    }
}

/// Layers that mix alike have the same parts for it, and so have layers that feed forward alike.
fn compare_layers(spec: &DecoderSpec, parts: &[Parts<'_>]) -> Result<(), LoadError> {
    let mut first_of: BTreeMap<(Group, u8), usize> = BTreeMap::new();
    for (index, layer) in spec.layers.iter().enumerate() {
        let kinds = [
            (Group::Mixer, mixer_kind(&layer.mixer)),
            (Group::Sinks, u8::from(layer.mixer.window().is_some())),
            (Group::FeedForward, feed_forward_kind(layer)),
        ];
        for (group, kind) in kinds {
            let first = *first_of.entry((group, kind)).or_insert(index);
            let of_group = |index: usize| parts[index].iter().filter(move |part| group_of(part) == group);
            for (with, without) in [(first, index), (index, first)] {
                let Some(part) = of_group(with).find(|part| !parts[without].contains(*part)) else {
                    continue;
                };
                let part = part.escape_debug();
                let problem = format!(
                    "is there, but layer {without}, which is of the same kind, has no blk.{without}.{part}"
                );
                return Err(LoadError::new(format!("blk.{with}.{part}"), problem));
            }
        }
    }
    Ok(())
}

/// Parts that layers have together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Mixer,
    /// Some architectures have them in layers with a window only.
    Sinks,
    FeedForward,
}

fn group_of(part: &str) -> Group {
    if part.starts_with("attn_sinks") {
        Group::Sinks
    } else if ["ffn", "exp_probs", "post_ffw", "layer_output"].iter().any(|prefix| part.starts_with(prefix)) {
        Group::FeedForward
    } else {
        Group::Mixer
    }
}

fn mixer_kind(mixer: &Mixer) -> u8 {
    match mixer {
        Mixer::None => 0,
        Mixer::Linear => 1,
        Mixer::Attention(_) => 2,
        Mixer::Latent(_) => 3,
        Mixer::ShortConvolution { .. } => 4,
    }
}

fn feed_forward_kind(layer: &LayerSpec) -> u8 {
    let kind = match layer.feed_forward {
        FeedForward::None => 0,
        FeedForward::Dense { .. } => 1,
        FeedForward::Experts(_) => 2,
    };
    kind + 3 * u8::from(layer.side_experts.is_some())
}
