//! Encoders on this program's own kernels.
//!
//! The tokens of all inputs of a batch lie one after the other, without padding: matrices see one list of rows, and only
//! attention knows where an input begins. Keys and values live for one layer, in pages as those of decoders, because the
//! kernel that reads them computes in whole numbers, twice as fast as in floats, and knows windows and biases already.
//!
//! What an input becomes is the same bits whatever else is in its batch, and on any number of threads.

mod layer;

use std::sync::Arc;

use stack_kernels::{Cpu, KvLayout, KvSequence, KvType, LayerKv, Matrix};

use self::layer::{Layer, Pass, Scratch};
use super::load::{Added, encoder};
use super::network::{Input, Network};
use super::spec::EncoderSpec;
use crate::executor::batch::Span;
use crate::executor::cpu::load::Packer;
use crate::executor::cpu::norm::NormLayer;
use crate::executor::cpu::rope::Tables;
use crate::executor::load::{Rope, Tensors};
use crate::executor::{Placement, Rows, SequenceId};
use crate::spec::alibi_slopes;
use crate::weights::LoadError;

/// An encoder on the processor.
pub(super) struct CpuNetwork {
    spec: EncoderSpec,
    cpu: Cpu,
    embedding: Matrix,
    added: Added,
    embedding_norm: Option<NormLayer>,
    layers: Vec<Layer>,
    output_norm: Option<NormLayer>,
    /// The slope of each head, where scores are biased by distance.
    slopes: Option<Vec<f32>>,
    tables: Tables,
    /// Of the keys and values in one layer.
    layout: Arc<KvLayout>,
    scratch: Scratch,
}

impl CpuNetwork {
    /// Loads the weights, and cuts the context of `spec` to the positions that there are.
    pub(super) fn load(
        tensors: &Tensors<'_>,
        spec: &mut EncoderSpec,
        placement: &Placement,
    ) -> Result<Self, LoadError> {
        let packer = Packer::new(Cpu::new(placement.level, placement.threads));
        let weights = encoder(&packer, tensors, spec)?;
        let mut ropes: Vec<Rope> = Vec::new();
        let mut rope_of = |index| {
            spec.rope(index).map(|rope| {
                let (rotation, magnitude) = (rope.rotation, rope.magnitude);
                let rope = Rope { rotation, frequencies: rope.frequencies(None), magnitude };
                ropes.iter().position(|known| *known == rope).unwrap_or_else(|| {
                    ropes.push(rope);
                    ropes.len() - 1
                })
            })
        };
        let reach_of = |index| spec.local(index).map_or(usize::MAX, |local| local.reach);
        let layers = weights.layers.into_iter().enumerate();
        let layers = layers
            .map(|(index, weights)| Layer { weights, rope: rope_of(index), reach: reach_of(index) })
            .collect();
        let shape =
            LayerKv { kv_heads: spec.kv_heads, key_length: spec.head_length, value_length: spec.head_length };
        let (cpu, _) = packer.into_parts();
        Ok(Self {
            spec: spec.clone(),
            cpu,
            embedding: weights.embedding,
            added: weights.added,
            embedding_norm: weights.embedding_norm,
            layers,
            output_norm: weights.output_norm,
            slopes: spec.alibi_max().map(|max| alibi_slopes(spec.heads, max)),
            tables: Tables::new(ropes),
            layout: Arc::new(KvLayout::new(&[shape], KvType::F16)),
            scratch: Scratch::default(),
        })
    }

    /// Leaves the embeddings of tokens in `scratch.hidden`.
    fn embed(&mut self, inputs: &[&Input], rows: usize) {
        let Self { spec, cpu, embedding, added, embedding_norm, scratch, .. } = self;
        let width = spec.width;
        let hidden = scratch.hidden.take(rows * width);
        let places = inputs.iter().flat_map(|input| (0..input.tokens.len()).map(move |place| (input, place)));
        let scale = if spec.family.scaled_embedding { (width as f32).sqrt() } else { 1.0 };
        for (row, (input, position)) in hidden.chunks_exact_mut(width).zip(places) {
            embedding.row(input.tokens[position] as usize, row);
            if scale != 1.0 {
                row.iter_mut().for_each(|x| *x *= scale);
            }
            added.add(input, position, row);
        }
        if let Some(norm) = embedding_norm {
            norm.apply_in_place(cpu, hidden);
        }
    }
}

impl Network for CpuNetwork {
    fn forward(&mut self, inputs: &[&Input]) -> Result<Rows, candle_core::Error> {
        let mut spans = Vec::with_capacity(inputs.len());
        let mut rows = 0;
        for (index, Input { tokens, .. }) in inputs.iter().enumerate() {
            spans.push(Span { sequence: SequenceId(index), start: rows, len: tokens.len(), position: 0 });
            rows += tokens.len();
        }
        self.embed(inputs, rows);
        self.tables.fill(&self.cpu, &spans, rows);
        let Self { spec, cpu, layers, output_norm, slopes, tables, layout, scratch, .. } = self;
        let sequences = inputs.iter().map(|_| KvSequence::new(layout)).collect();
        let slopes = slopes.as_deref();
        let mut pass = Pass { spec, cpu, spans: &spans, rows, slopes, tables, sequences };
        for layer in layers {
            layer.forward(&mut pass, scratch);
        }
        let hidden = scratch.hidden.take(rows * spec.width);
        if let Some(norm) = output_norm {
            norm.apply_in_place(cpu, hidden);
        }
        Ok(Rows::new(spec.width, hidden.to_vec()))
    }
}
