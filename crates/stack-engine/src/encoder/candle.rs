//! BERT on candle's tensors: for other devices than the processor, and to compare with.

use candle_core::{DType, Device, Result, Tensor};

use super::family::Family;
use super::load::{Added, EncoderWeights, LayerWeights, Up, encoder};
use super::network::{Input, Network};
use super::spec::{Activation, EncoderSpec};
use crate::executor::candle::{Embedding, Linear, NormLayer, Placer, Stack};
use crate::executor::load::{Tensors, missing};
use crate::executor::{DeviceKind, Rows};
use crate::weights::{LoadError, LoadErrorKind};

/// A BERT encoder's weights on a device.
pub(super) struct CandleNetwork {
    device: Device,
    width: usize,
    embedding: Embedding,
    added: Added,
    norm: NormLayer,
    layers: Vec<Layer>,
}

/// One layer.
struct Layer {
    heads: usize,
    projections: Stack<3>,
    output: Linear,
    attention_norm: NormLayer,
    up: Linear,
    activation: Activation,
    down: Linear,
    output_norm: NormLayer,
}

impl CandleNetwork {
    /// Loads the weights, and cuts the context of `spec` to the positions that there are.
    pub(super) fn load(
        tensors: &Tensors<'_>,
        spec: &mut EncoderSpec,
        kind: DeviceKind,
    ) -> std::result::Result<Self, LoadError> {
        let refused = |problem: String| LoadError::new(format!("device {kind}"), problem);
        if Some(spec.family) != Family::named("bert") {
            let problem = format!("computes no {}; give the device cpu", spec.family.name);
            return Err(refused(problem).of_kind(LoadErrorKind::Device));
        }
        let device = kind.open().map_err(|error| {
            LoadError::caused(format!("device {kind}"), "cannot be used", error)
                .of_kind(LoadErrorKind::Device)
        })?;
        let weights = encoder(&Placer { device: &device }, tensors, spec)?;
        let norm = weights.embedding_norm.ok_or_else(|| missing("token_embd_norm.weight"))?;
        let layers = weights.layers.into_iter().map(|weights| Layer::new(weights, spec));
        let layers = layers.collect::<Option<_>>().ok_or_else(|| {
            refused("computes no encoder whose layers are not those of BERT; give the device cpu".to_owned())
        })?;
        let EncoderWeights { embedding, added, .. } = weights;
        Ok(Self { width: spec.width, embedding, added, norm, layers, device })
    }
}

impl Network for CandleNetwork {
    /// One input after the other.
    fn forward(&mut self, inputs: &[&Input]) -> Result<Rows> {
        let mut all = Vec::new();
        for input in inputs {
            let (count, tokens) = (input.tokens.len(), input.tokens.as_slice());
            let mut added = vec![0.0; count * self.width];
            for (position, row) in added.chunks_exact_mut(self.width).enumerate() {
                self.added.add(input, position, row);
            }
            let added = Tensor::from_vec(added, (count, self.width), &self.device)?;
            let embedded = (self.embedding.forward(&Tensor::new(tokens, &self.device)?)? + added)?;
            let mut hidden = self.norm.forward(&embedded)?;
            for layer in &self.layers {
                hidden = layer.forward(&hidden)?;
            }
            all.extend(hidden.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(Rows::new(self.width, all))
    }
}

impl Layer {
    /// Takes the parts of BERT's layers; `None` if there are others.
    fn new(weights: LayerWeights<Placer<'_>>, spec: &EncoderSpec) -> Option<Self> {
        let LayerWeights { projections, output, up: Up::Plain(up), down, .. } = weights else { return None };
        let others =
            [weights.query_norm.is_some(), weights.key_norm.is_some(), weights.second_sum_norm.is_some()];
        if others.contains(&true) {
            return None;
        }
        Some(Self {
            heads: spec.heads,
            projections,
            output,
            attention_norm: weights.sum_norm?,
            up,
            activation: spec.activation,
            down,
            output_norm: weights.network_sum_norm?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.attention_norm.forward(&(self.attend(x)? + x)?)?;
        let inner = self.activation.apply(&self.up.forward(&x)?)?;
        self.output_norm.forward(&(self.down.forward(&inner)? + x)?)
    }

    fn attend(&self, x: &Tensor) -> Result<Tensor> {
        let (tokens, width) = x.dims2()?;
        let length = width / self.heads;
        let by_head = |x: &Tensor| x.reshape((tokens, self.heads, length))?.transpose(0, 1)?.contiguous();
        let (query, key, value) = self.project(x)?;
        let query = (by_head(&query)? / (length as f64).sqrt())?;
        let (key, value) = (by_head(&key)?.transpose(1, 2)?.contiguous()?, by_head(&value)?);
        let mut mixed = Vec::new();
        for start in (0..tokens).step_by(QUERIES_AT_ONCE) {
            let query = query.narrow(1, start, QUERIES_AT_ONCE.min(tokens - start))?.contiguous()?;
            let weights = candle_nn::ops::softmax_last_dim(&query.matmul(&key)?)?;
            mixed.push(weights.matmul(&value)?.transpose(0, 1)?.contiguous()?.flatten_from(1)?);
        }
        self.output.forward(&Tensor::cat(&mixed, 0)?)
    }

    /// Returns queries, keys and values, `[tokens, width]` each.
    fn project(&self, x: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
        match &self.projections {
            Stack::Separate([query, key, value]) => {
                Ok((query.forward(x)?, key.forward(x)?, value.forward(x)?))
            }
            Stack::Joined(all) => {
                let (all, width) = (all.forward(x)?, x.dim(1)?);
                let part = |index| all.narrow(1, index * width, width)?.contiguous();
                Ok((part(0)?, part(1)?, part(2)?))
            }
        }
    }
}

impl Activation {
    fn apply(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Gelu => x.gelu_erf(),
            Self::GeluTanh => x.gelu(),
            Self::Relu => x.relu(),
            Self::Silu => x.silu(),
        }
    }
}

/// Bounds the matrix of scores, which would grow with the square of the input's length.
const QUERIES_AT_ONCE: usize = 256;
