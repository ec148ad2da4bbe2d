//! Attention over the keys and values of each sequence.

use std::sync::Arc;

use candle_core::{D, DType, Result, Tensor};
use candle_nn::attention::{AttnMask, flash_attn};

use super::Caches;
use super::linear::{Linear, Stack};
use super::norm::NormLayer;
use super::rope::{Rope, Rotations};
use crate::executor::batch::Span;
use crate::spec::{AttentionSpec, GateFunction, Temperature, Window};

/// Attention of one layer.
pub(super) struct Attention {
    pub(super) spec: AttentionSpec,
    /// The matrices that make queries, keys and values.
    pub(super) projections: Stack<3>,
    pub(super) query_norm: Option<HeadNorm>,
    pub(super) key_norm: Option<HeadNorm>,
    /// Normalizes queries and keys after all else, where the model does.
    pub(super) weightless: NormLayer,
    pub(super) rope: Option<Arc<Rope>>,
    /// Makes what the heads' outputs are multiplied by, one number each or one for each of their elements.
    pub(super) gate: Option<(Linear, GateFunction)>,
    /// One extra score per head that takes weight but adds nothing, `[heads]`.
    pub(super) sinks: Option<Tensor>,
    /// Normalizes what the heads return.
    pub(super) inner_norm: Option<NormLayer>,
    pub(super) output: Linear,
}

/// A norm of queries or keys.
pub(crate) struct HeadNorm {
    pub(super) norm: NormLayer,
    /// Whether it spans all heads at once.
    pub(super) whole: bool,
}

impl Attention {
    pub(super) fn forward(
        &self,
        x: &Tensor,
        spans: &[Span],
        rotations: &Rotations,
        caches: &mut Caches<'_>,
    ) -> Result<Tensor> {
        let spec = &self.spec;
        let (query, key, value) = self.project(x)?;
        let mut query = self.place(&query, spec.heads, self.query_norm.as_ref(), rotations)?;
        let key = self.place(&key, spec.kv_heads, self.key_norm.as_ref(), rotations)?;
        let value = value.reshape((value.dim(0)?, spec.kv_heads, spec.value_length))?;
        if let Some(temperature) = spec.temperature {
            query = temperature.apply(&query, spans)?;
        }
        let mut outputs = Vec::with_capacity(spans.len());
        for span in spans.iter().filter(|span| span.len > 0) {
            let rows = |x: &Tensor| x.narrow(0, span.start, span.len);
            let (keys, values) = caches.of(span).append(&rows(&key)?, &rows(&value)?)?;
            outputs.push(self.attend(&rows(&query)?, &keys, &values, span.position)?);
        }
        let mut mixed = if outputs.len() == 1 { outputs.remove(0) } else { Tensor::cat(&outputs, 0)? };
        if let Some(norm) = &self.inner_norm {
            mixed = norm.forward(&mixed)?;
        }
        if let Some((gate, function)) = &self.gate {
            mixed = self.weigh(&mixed, &function.apply(&gate.forward(x)?)?)?;
        }
        let output = self.output.forward(&mixed)?;
        if spec.output_scale == 1.0 { Ok(output) } else { output * f64::from(spec.output_scale) }
    }

    /// Multiplies what the heads return by `weights`.
    fn weigh(&self, mixed: &Tensor, weights: &Tensor) -> Result<Tensor> {
        if weights.dim(1)? == mixed.dim(1)? {
            return mixed * weights;
        }
        let heads = mixed.reshape((mixed.dim(0)?, self.spec.heads, self.spec.value_length))?;
        heads.broadcast_mul(&weights.unsqueeze(2)?)?.flatten_from(1)
    }

    fn project(&self, x: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
        let spec = &self.spec;
        let (query, key, value) = match &self.projections {
            Stack::Joined(all) => {
                let all = all.forward(x)?;
                let (queries, keys) = (spec.heads * spec.key_length, spec.kv_heads * spec.key_length);
                let part = |start, len| all.narrow(1, start, len)?.contiguous();
                (
                    part(0, queries)?,
                    part(queries, keys)?,
                    part(queries + keys, spec.kv_heads * spec.value_length)?,
                )
            }
            Stack::Separate([query, key, value]) => (query.forward(x)?, key.forward(x)?, value.forward(x)?),
        };
        match spec.clamp {
            None => Ok((query, key, value)),
            Some(limit) => {
                let clamp = |x: Tensor| x.clamp(-limit, limit);
                Ok((clamp(query)?, clamp(key)?, clamp(value)?))
            }
        }
    }

    /// Splits queries or keys into heads, normalizes and rotates them.
    fn place(
        &self,
        x: &Tensor,
        heads: usize,
        norm: Option<&HeadNorm>,
        rotations: &Rotations,
    ) -> Result<Tensor> {
        let shape = (x.dim(0)?, heads, self.spec.key_length);
        let normalize = |x: Tensor| match norm {
            None => Ok(x),
            Some(HeadNorm { norm, whole: true }) => norm.forward(&x.flatten_from(1)?)?.reshape(shape),
            Some(HeadNorm { norm, whole: false }) => norm.forward(&x),
        };
        let rotate = |x: Tensor| match &self.rope {
            None => Ok(x),
            Some(rope) => rotations.table(rope)?.rotate(&x),
        };
        let x = x.reshape(shape)?;
        let placed = if self.spec.qk_norm_last { normalize(rotate(x)?) } else { rotate(normalize(x)?) }?;
        if self.spec.qk_norm_weightless { self.weightless.forward(&placed) } else { Ok(placed) }
    }

    /// Attends with the last `query.dim(0)` tokens of a sequence to all of it: `[tokens, heads · value length]`.
    fn attend(&self, query: &Tensor, keys: &Tensor, values: &Tensor, position: usize) -> Result<Tensor> {
        let spec = &self.spec;
        let (tokens, total) = (query.dim(0)?, keys.dim(0)?);
        // What the first token cannot see, none can; if the last one sees as far back, no mask is needed.
        let first_seen = |position| spec.window.map_or(0, |window| window.first_seen(position));
        let hidden = first_seen(position);
        let (keys, values) =
            (keys.narrow(0, hidden, total - hidden)?, values.narrow(0, hidden, total - hidden)?);
        let masked = first_seen(total - 1) > hidden;
        // candle's fused kernel adds an ALiBi bias of slope 1 when it is given a soft cap and no ALiBi.
        let fused = query.device().is_cpu()
            && query.dtype() == DType::F32
            && !masked
            && self.sinks.is_none()
            && spec.alibi_max == 0.0
            && spec.softcap.is_none()
            && spec.key_length == spec.value_length;
        if fused {
            let mask = AttnMask::causal_with_offset(position - hidden);
            let lifted = (query.unsqueeze(0)?, keys.unsqueeze(0)?, values.unsqueeze(0)?);
            let mixed = flash_attn::<f32>(&lifted.0, &lifted.1, &lifted.2, spec.scale, mask, None, None)?;
            return mixed.squeeze(0)?.transpose(0, 1)?.contiguous()?.flatten_from(1);
        }
        let mask = Mask { tokens, first_key: hidden, keys: keys.dim(0)?, position, window: spec.window };
        let scores = ScoreRules { scale: spec.scale, softcap: spec.softcap, slopes: spec.slopes() };
        attend_with_mask(query, &keys, &values, &mask, &scores, self.sinks.as_ref())
    }
}

/// Which keys each of some tokens may see.
pub(super) struct Mask {
    pub(super) tokens: usize,
    /// The position of the first key.
    pub(super) first_key: usize,
    pub(super) keys: usize,
    /// The position of the first token.
    pub(super) position: usize,
    pub(super) window: Option<Window>,
}

/// What happens to scores before the softmax.
pub(super) struct ScoreRules {
    pub(super) scale: f32,
    pub(super) softcap: Option<f32>,
    /// One for each head.
    pub(super) slopes: Option<Vec<f32>>,
}

impl Mask {
    /// Minus infinity where a token may not look, `[tokens, keys]`; `None` if every token sees every key.
    fn additive(&self) -> Option<Vec<f32>> {
        let hides = |token: usize, key: usize| {
            let (token, key) = (self.position + token, self.first_key + key);
            key > token || self.window.is_some_and(|window| key < window.first_seen(token))
        };
        let everything = self.tokens == 1
            && self.window.is_none_or(|window| window.first_seen(self.position) <= self.first_key);
        (!everything).then(|| {
            (0..self.tokens)
                .flat_map(|token| (0..self.keys).map(move |key| (token, key)))
                .map(|(token, key)| if hides(token, key) { f32::NEG_INFINITY } else { 0.0 })
                .collect()
        })
    }

    /// The distance from each token to each key, negated, `[tokens, keys]`.
    fn distances(&self) -> Vec<f32> {
        (0..self.tokens)
            .flat_map(|token| (0..self.keys).map(move |key| (token, key)))
            .map(|(token, key)| -((self.position + token).abs_diff(self.first_key + key) as f32))
            .collect()
    }
}

/// Attention as its definition says, for any device, mask and pair of lengths: `[tokens, heads · value length]`.
pub(super) fn attend_with_mask(
    query: &Tensor,
    keys: &Tensor,
    values: &Tensor,
    mask: &Mask,
    rules: &ScoreRules,
    sinks: Option<&Tensor>,
) -> Result<Tensor> {
    let (tokens, heads, key_length) = query.dims3()?;
    let (total, kv_heads, value_length) = values.dims3()?;
    let grouped = (kv_heads, heads / kv_heads * tokens, key_length);
    let query = query.transpose(0, 1)?.contiguous()?.reshape(grouped)?;
    let keys = keys.permute((1, 2, 0))?.contiguous()?;
    let mut scores = (query.matmul(&keys)? * f64::from(rules.scale))?;
    if let Some(cap) = rules.softcap {
        let cap = f64::from(cap);
        scores = ((scores / cap)?.tanh()? * cap)?;
    }
    let mut scores = scores.reshape((heads, tokens, total))?;
    if let Some(slopes) = &rules.slopes {
        let slopes = Tensor::from_slice(slopes, (heads, 1, 1), scores.device())?;
        let distances = Tensor::from_vec(mask.distances(), (1, tokens, total), scores.device())?;
        scores = (scores + slopes.broadcast_mul(&distances)?)?;
    }
    if let Some(additive) = mask.additive() {
        scores = scores.broadcast_add(&Tensor::from_vec(additive, (1, tokens, total), scores.device())?)?;
    }
    let weights = match sinks {
        None => candle_nn::ops::softmax_last_dim(&scores)?,
        Some(sinks) => {
            let sinks = sinks.reshape((heads, 1, 1))?.broadcast_as((heads, tokens, 1))?;
            let widened = Tensor::cat(&[&scores, &sinks.contiguous()?], D::Minus1)?;
            candle_nn::ops::softmax_last_dim(&widened)?.narrow(2, 0, total)?.contiguous()?
        }
    };
    let values = values.transpose(0, 1)?.contiguous()?;
    weights
        .reshape((kv_heads, heads / kv_heads * tokens, total))?
        .matmul(&values)?
        .reshape((heads, tokens, value_length))?
        .transpose(0, 1)?
        .contiguous()?
        .flatten_from(1)
}

impl GateFunction {
    fn apply(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Sigmoid => candle_nn::ops::sigmoid(x),
            // ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|), which does not overflow.
            Self::Softplus => x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?,
        }
    }
}

impl Temperature {
    /// Scales queries, `[tokens, …]`, by their positions.
    pub(super) fn apply(self, query: &Tensor, spans: &[Span]) -> Result<Tensor> {
        let factors: Vec<f32> =
            spans.iter().flat_map(Span::positions).map(|position| self.factor(position)).collect();
        let mut shape = vec![1; query.rank()];
        shape[0] = factors.len();
        query.broadcast_mul(&Tensor::from_vec(factors, shape, query.device())?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn the_fused_and_the_plain_path_agree() -> Result<()> {
        let device = Device::Cpu;
        let query = Tensor::randn(0f32, 1.0, (5, 4, 8), &device)?;
        let keys = Tensor::randn(0f32, 1.0, (9, 2, 8), &device)?;
        let values = Tensor::randn(0f32, 1.0, (9, 2, 8), &device)?;
        let mask = Mask { tokens: 5, first_key: 0, keys: 9, position: 4, window: None };
        let rules = ScoreRules { scale: 0.3, softcap: None, slopes: None };
        let plain = attend_with_mask(&query, &keys, &values, &mask, &rules, None)?;
        let lifted = (query.unsqueeze(0)?, keys.unsqueeze(0)?, values.unsqueeze(0)?);
        let causal = AttnMask::causal_with_offset(4);
        let fused = flash_attn::<f32>(&lifted.0, &lifted.1, &lifted.2, 0.3, causal, None, None)?;
        let fused = fused.squeeze(0)?.transpose(0, 1)?.contiguous()?.flatten_from(1)?;
        let difference = (plain - fused)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(difference < 1e-5, "differs by {difference}");
        Ok(())
    }

    #[test]
    fn a_window_hides_everything_older() {
        let mask = Mask { tokens: 2, first_key: 0, keys: 4, position: 2, window: Some(Window::Sliding(2)) };
        let hidden: Vec<bool> = mask.additive().unwrap().iter().map(|x| *x != 0.0).collect();
        assert_eq!(hidden, [true, false, false, true, true, true, false, false]);
    }
}
