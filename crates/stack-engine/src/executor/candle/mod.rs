//! The executor on candle tensors: any device that candle knows, and the reference for every other executor.
//!
//! A forward pass of a ragged batch computes norms, matrices and feed-forwards over all its tokens at once, and
//! attention sequence by sequence over that sequence's own keys and values.

mod activation;
mod attention;
mod cache;
mod convolution;
mod device;
mod experts;
mod feed_forward;
mod latent;
mod layer;
mod linear;
mod load;
mod norm;
mod rope;

use candle_core::{DType, Device, Tensor};

use self::cache::{LayerCache, Sequence};
use self::layer::Layer;
use super::batch::{BatchLimits, Span, admit, wanted_rows};
use super::slots::Slots;
use super::{Chunk, Executor, ExecutorError, Output, Rows, SequenceId};
use crate::spec::DecoderSpec;

pub(super) use cache::cache_bytes_per_token;
pub use device::DeviceKind;
pub(super) use load::resident_bytes;

pub(crate) use linear::{Embedding, Linear, Stack};
pub(crate) use load::Placer;
pub(crate) use norm::NormLayer;

/// A decoder on a candle device.
pub(super) struct CandleExecutor {
    spec: DecoderSpec,
    device: Device,
    context: usize,
    weight_bytes: u64,
    embedding: Embedding,
    positions: Option<Tensor>,
    weightless_embedding_norm: Option<NormLayer>,
    embedding_norm: Option<NormLayer>,
    layers: Vec<Layer>,
    output_norm: NormLayer,
    output: Linear,
    sequences: Slots<Sequence>,
}

impl Executor for CandleExecutor {
    fn spec(&self) -> &DecoderSpec {
        &self.spec
    }

    fn context(&self) -> usize {
        self.context
    }

    fn open(&mut self) -> SequenceId {
        self.sequences.insert(Sequence::new(self.layers.len()))
    }

    fn fork(&mut self, sequence: SequenceId) -> Result<SequenceId, ExecutorError> {
        let copy = self.sequences.get(sequence).copy()?;
        Ok(self.sequences.insert(copy))
    }

    fn close(&mut self, sequence: SequenceId) {
        self.sequences.remove(sequence);
    }

    fn length(&self, sequence: SequenceId) -> usize {
        self.sequences.get(sequence).length
    }

    fn truncate(&mut self, sequence: SequenceId, length: usize) -> usize {
        self.sequences.get_mut(sequence).truncate(length)
    }

    fn cuts_anywhere(&self) -> bool {
        self.spec.cuts_anywhere()
    }

    fn shares_pages(&self) -> bool {
        false
    }

    fn share(&mut self, _sequence: SequenceId, _other: SequenceId, _length: usize) {
        // Each sequence has tensors of its own.
    }

    fn held_tokens(&self) -> usize {
        self.sequences.iter().map(|sequence| sequence.length).sum()
    }

    fn forward(&mut self, batch: &[Chunk<'_>], output: Output) -> Result<Rows, ExecutorError> {
        let limits = BatchLimits { vocabulary: self.embedding.rows(), context: self.context };
        let spans = admit(batch, limits, |sequence| self.length(sequence))?;
        let result = self.compute(batch, &spans, output);
        for span in &spans {
            let sequence = self.sequences.get_mut(span.sequence);
            match result {
                Ok(_) => sequence.length = span.position + span.len,
                Err(_) => *sequence = Sequence::new(sequence.layers.len()),
            }
        }
        Ok(result?)
    }

    fn rows_are_independent(&self) -> bool {
        // Its matrix products choose their order of summation by the shape of the batch.
        false
    }

    fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }
}

impl CandleExecutor {
    fn compute(&mut self, batch: &[Chunk<'_>], spans: &[Span], output: Output) -> candle_core::Result<Rows> {
        let tokens: Vec<u32> = batch.iter().flat_map(|chunk| chunk.tokens).copied().collect();
        if tokens.is_empty() {
            return Ok(Rows::default());
        }
        let positions: Vec<u32> =
            spans.iter().flat_map(Span::positions).map(|position| position as u32).collect();
        let rotations =
            rope::Rotations::new(self.layers.iter().filter_map(Layer::rope), &positions, &self.device)?;
        let positions = Tensor::new(positions, &self.device)?;

        let mut hidden = self.embedding.forward(&Tensor::new(tokens, &self.device)?)?;
        if let Some(norm) = &self.weightless_embedding_norm {
            hidden = norm.forward(&hidden)?;
        }
        if self.spec.embedding_scale != 1.0 {
            hidden = (hidden * f64::from(self.spec.embedding_scale))?;
        }
        if let Some(table) = &self.positions {
            hidden = (hidden + table.index_select(&positions, 0)?)?;
        }
        if let Some(norm) = &self.embedding_norm {
            hidden = norm.forward(&hidden)?;
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let mut caches = Caches { sequences: &mut self.sequences, layer: index };
            hidden = layer.forward(&hidden, spans, &rotations, &mut caches)?;
        }

        let wanted = wanted_rows(batch, spans);
        if wanted.is_empty() {
            return Ok(Rows::default());
        }
        if wanted.len() < hidden.dim(0)? {
            hidden = hidden.index_select(&Tensor::new(wanted, &self.device)?, 0)?;
        }
        let hidden = self.output_norm.forward(&hidden)?;
        let rows = match output {
            Output::Hidden => hidden,
            Output::Logits => self.logits(&hidden)?,
        };
        let width = rows.dim(1)?;
        Ok(Rows::new(width, rows.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?))
    }

    fn logits(&self, hidden: &Tensor) -> candle_core::Result<Tensor> {
        let mut logits = self.output.forward(hidden)?;
        if self.spec.logit_scale != 1.0 {
            logits = (logits * f64::from(self.spec.logit_scale))?;
        }
        if let Some(cap) = self.spec.logit_softcap {
            let cap = f64::from(cap);
            logits = ((logits / cap)?.tanh()? * cap)?;
        }
        Ok(logits)
    }
}

/// The caches of one layer, over all sequences.
struct Caches<'a> {
    sequences: &'a mut Slots<Sequence>,
    layer: usize,
}

impl Caches<'_> {
    fn of(&mut self, span: &Span) -> &mut LayerCache {
        &mut self.sequences.get_mut(span.sequence).layers[self.layer]
    }
}
