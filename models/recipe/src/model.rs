//! The model: a small Llama, trained through candle's automatic differentiation.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, Var};

use crate::ops::{Attention, CrossEntropy, RmsNorm, Rotary, SwiGlu};
use crate::random::Random;
use crate::start::{self, Matrix};

/// The model's sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dimensions {
    /// Number of token ids.
    pub(crate) vocabulary: usize,
    /// Numbers per position between layers.
    pub(crate) width: usize,
    /// Number of layers.
    pub(crate) layers: usize,
    /// Attention heads per layer; each has width / heads numbers.
    pub(crate) heads: usize,
    /// Numbers inside a feed-forward block.
    pub(crate) feed_forward: usize,
    /// The longest sequence, in tokens.
    pub(crate) context: usize,
}

/// The base of the rotary angles.
pub(crate) const ROTARY_BASE: f32 = 10_000.0;

/// How the optimizer treats a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Token embeddings, which also score the next token.
    Embedding,
    /// A matrix between two layers, made of `blocks` matrices side by side.
    Matrix {
        /// How many matrices share the columns.
        blocks: usize,
    },
    /// The weights of a normalisation.
    Scale,
}

/// One trained tensor.
pub(crate) struct Parameter {
    /// Its value.
    pub(crate) value: Var,
    /// How it is trained.
    pub(crate) role: Role,
}

/// The parameters of one layer. Matrices are stored as (input, output).
pub(crate) struct LayerWeights {
    /// Scales the input of the attention block.
    pub(crate) attention_norm: Var,
    /// Query, key and value, side by side.
    pub(crate) joint: Var,
    /// From the joined heads back to the model's width.
    pub(crate) output: Var,
    /// Scales the input of the feed-forward block.
    pub(crate) feed_forward_norm: Var,
    /// Gate and up, side by side.
    pub(crate) gate_up: Var,
    /// From the feed-forward block back to the model's width.
    pub(crate) down: Var,
}

/// A Llama with tied embeddings.
pub(crate) struct Model {
    /// Its sizes.
    pub(crate) dimensions: Dimensions,
    /// One row per token.
    pub(crate) embedding: Var,
    /// The layers, in order.
    pub(crate) layers: Vec<LayerWeights>,
    /// Scales the last layer's output.
    pub(crate) norm: Var,
    rotary: Arc<Rotary>,
}

/// Equally long sequences and what is to be learned from them.
pub(crate) struct Batch {
    /// Token ids, `sequences` × `positions`, padded at the end of each sequence.
    pub(crate) tokens: Vec<u32>,
    /// Number of sequences.
    pub(crate) sequences: usize,
    /// The rows (sequence · positions + position) whose next token is to be learned.
    pub(crate) rows: Vec<u32>,
    /// The next token of each of these rows.
    pub(crate) targets: Vec<u32>,
}

impl Model {
    /// Draws the first weights from `random`.
    pub(crate) fn new(dimensions: Dimensions, random: &mut Random) -> Result<Self> {
        let Dimensions { width, layers, heads, feed_forward, context, .. } = dimensions;
        let variable = |matrix: Matrix, rows: usize| {
            let columns = matrix.values.len() / rows;
            Var::from_tensor(&Tensor::from_vec(matrix.values, (rows, columns), &Device::Cpu)?)
        };
        let ones = || Var::ones(width, DType::F32, &Device::Cpu);
        let inner = 0.5 / (width as f32).sqrt();
        // What each block adds to the stream starts small beside the embeddings.
        let outer = 0.1 * inner / (2.0 * layers as f32).sqrt();
        Ok(Self {
            dimensions,
            embedding: variable(start::embedding(dimensions, random), dimensions.vocabulary)?,
            layers: start::attention(dimensions, random)
                .into_iter()
                .map(|attention| {
                    Ok(LayerWeights {
                        attention_norm: ones()?,
                        joint: variable(attention.joint, width)?,
                        output: variable(attention.output, width)?,
                        feed_forward_norm: ones()?,
                        gate_up: variable(Matrix::draw(width, 2 * feed_forward, inner, random), width)?,
                        down: variable(Matrix::draw(feed_forward, width, outer, random), feed_forward)?,
                    })
                })
                .collect::<Result<_>>()?,
            norm: ones()?,
            rotary: Arc::new(Rotary::new(width / heads, context, ROTARY_BASE)),
        })
    }

    /// Returns every parameter, in a fixed order.
    pub(crate) fn parameters(&self) -> Vec<Parameter> {
        let parameter = |value: &Var, role| Parameter { value: value.clone(), role };
        let mut all = vec![parameter(&self.embedding, Role::Embedding), parameter(&self.norm, Role::Scale)];
        for layer in &self.layers {
            all.push(parameter(&layer.attention_norm, Role::Scale));
            all.push(parameter(&layer.joint, Role::Matrix { blocks: 3 }));
            all.push(parameter(&layer.output, Role::Matrix { blocks: 1 }));
            all.push(parameter(&layer.feed_forward_norm, Role::Scale));
            all.push(parameter(&layer.gate_up, Role::Matrix { blocks: 2 }));
            all.push(parameter(&layer.down, Role::Matrix { blocks: 1 }));
        }
        all
    }

    /// Returns the logits of the batch's chosen rows.
    pub(crate) fn logits(&self, batch: &Batch) -> Result<Tensor> {
        let count = batch.tokens.len();
        let ids = Tensor::from_slice(&batch.tokens, count, &Device::Cpu)?;
        let mut stream = self.embedding.index_select(&ids, 0)?;
        for layer in &self.layers {
            let attention = Attention::new(batch.sequences, self.dimensions.heads, Arc::clone(&self.rotary));
            let normed = stream.apply_op2(layer.attention_norm.as_tensor(), RmsNorm)?;
            let attended = normed.matmul(&layer.joint)?.apply_op1(attention)?;
            stream = (stream + attended.matmul(&layer.output)?)?;
            let normed = stream.apply_op2(layer.feed_forward_norm.as_tensor(), RmsNorm)?;
            let inner = normed.matmul(&layer.gate_up)?.apply_op1(SwiGlu)?;
            stream = (stream + inner.matmul(&layer.down)?)?;
        }
        let rows = Tensor::from_slice(&batch.rows, batch.rows.len(), &Device::Cpu)?;
        let chosen = stream.index_select(&rows, 0)?.apply_op2(self.norm.as_tensor(), RmsNorm)?;
        chosen.matmul(&self.embedding.t()?)
    }

    /// Returns the batch's loss: the sum over its targets of -ln p, times `weight`.
    pub(crate) fn loss(&self, batch: &Batch, weight: f32) -> Result<Tensor> {
        self.logits(batch)?.apply_op1(CrossEntropy::new(batch.targets.clone(), weight))
    }

    /// Counts the trained numbers.
    pub(crate) fn size(&self) -> usize {
        self.parameters().iter().map(|parameter| parameter.value.elem_count()).sum()
    }
}
