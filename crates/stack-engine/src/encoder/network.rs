//! The computation: every token attends to every token of its input, and norms come after each half of a layer.

use candle_core::{DType, Device, Result, Tensor};

use super::spec::Activation;
use crate::executor::Rows;
use crate::executor::candle::{Embedding, Linear, NormLayer, Stack};

/// An encoder's weights on a device.
pub(super) struct Network {
    pub(super) device: Device,
    pub(super) embedding: Embedding,
    /// What is added at each position: its own embedding and that of the first token type, which all inputs have.
    pub(super) positions: Tensor,
    pub(super) norm: NormLayer,
    pub(super) layers: Vec<Layer>,
}

/// One layer.
pub(super) struct Layer {
    pub(super) attention: Attention,
    pub(super) attention_norm: NormLayer,
    pub(super) up: Linear,
    pub(super) activation: Activation,
    pub(super) down: Linear,
    pub(super) output_norm: NormLayer,
}

/// Attention of one layer.
pub(super) struct Attention {
    pub(super) heads: usize,
    pub(super) projections: Stack<3>,
    pub(super) output: Linear,
}

impl Network {
    /// Returns the final hidden state of each token. The tokens are in the vocabulary, and no more than positions.
    pub(super) fn forward(&self, tokens: &[u32]) -> Result<Rows> {
        let positions = self.positions.narrow(0, 0, tokens.len())?;
        let embedded = (self.embedding.forward(&Tensor::new(tokens, &self.device)?)? + positions)?;
        let mut hidden = self.norm.forward(&embedded)?;
        for layer in &self.layers {
            hidden = layer.forward(&hidden)?;
        }
        let width = hidden.dim(1)?;
        Ok(Rows::new(width, hidden.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?))
    }
}

impl Layer {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.attention_norm.forward(&(self.attention.forward(x)? + x)?)?;
        let inner = self.activation.apply(&self.up.forward(&x)?)?;
        self.output_norm.forward(&(self.down.forward(&inner)? + x)?)
    }
}

impl Attention {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
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

/// Bounds the matrix of scores, which would grow with the square of the input's length.
const QUERIES_AT_ONCE: usize = 256;
