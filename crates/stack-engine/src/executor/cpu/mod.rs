//! The executor on this program's own kernels.
//!
//! Weights are packed once, when they are loaded, and are the only copy. A forward pass is a fixed row of parallel
//! regions over the threads of one pool, in memory that is kept from one batch to the next. A row's result does not
//! depend on what else is in the batch, on how its sequence was cut into batches, or on the number of threads.

mod activation;
pub(crate) mod arena;
mod assignment;
mod attention;
mod convolution;
mod experts;
mod feed_forward;
mod formats;
mod grain;
mod latent;
mod layer;
pub(crate) mod linear;
pub(crate) mod load;
pub(crate) mod norm;
mod prefetch;
pub(crate) mod rope;
mod sequence;

use std::sync::Arc;

use stack_kernels::{Cpu, Epilogue, KvLayout, Matrix, PAGE_TOKENS};

use self::arena::{Scratch, Stream};
use self::grain::grain;
use self::layer::Layer;
use self::linear::{Linear, project};
use self::norm::NormLayer;
use self::rope::Tables;
use self::sequence::Sequence;
use super::batch::{BatchLimits, Span, admit, wanted_rows};
use super::slots::Slots;
use super::{Chunk, Executor, ExecutorError, Output, PageForm, Pages, Rows, SequenceId};
use crate::spec::DecoderSpec;

pub(super) use load::{cache_bytes_per_token, resident_bytes};
pub(super) use prefetch::measure as measure_prefetch;

/// A decoder on the processor.
pub(super) struct CpuExecutor {
    spec: DecoderSpec,
    cpu: Cpu,
    context: usize,
    weight_bytes: u64,
    embedding: Matrix,
    /// What is added to the embeddings by position, `[positions, embedding]`.
    positions: Option<Vec<f32>>,
    weightless_embedding_norm: Option<NormLayer>,
    embedding_norm: Option<NormLayer>,
    layers: Vec<Layer>,
    output_norm: NormLayer,
    /// The output matrix, if it is not the embedding's.
    output: Option<Linear>,
    tables: Tables,
    layout: Arc<KvLayout>,
    convolutions: usize,
    sequences: Slots<Sequence>,
    stream: Stream,
    scratch: Scratch,
}

/// One batch on its way through the layers.
struct Pass<'a> {
    cpu: &'a Cpu,
    /// The chunks that have tokens.
    spans: &'a [Span],
    /// Tokens of all chunks.
    rows: usize,
    /// Length of the residual stream's vectors.
    width: usize,
    tables: &'a Tables,
    sequences: &'a mut Slots<Sequence>,
}

impl Executor for CpuExecutor {
    fn spec(&self) -> &DecoderSpec {
        &self.spec
    }

    fn context(&self) -> usize {
        self.context
    }

    fn open(&mut self) -> SequenceId {
        self.sequences.insert(Sequence::new(&self.layout, self.convolutions))
    }

    fn fork(&mut self, sequence: SequenceId) -> Result<SequenceId, ExecutorError> {
        let copy = self.sequences.get(sequence).clone();
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
        self.convolutions == 0
    }

    fn shares_pages(&self) -> bool {
        true
    }

    fn share(&mut self, sequence: SequenceId, other: SequenceId, length: usize) {
        let other = self.sequences.get(other).cache.fork();
        self.sequences.get_mut(sequence).cache.share(&other, length);
    }

    fn held_tokens(&self) -> usize {
        self.layout.live_pages() * PAGE_TOKENS
    }

    fn forward(&mut self, batch: &[Chunk<'_>], output: Output) -> Result<Rows, ExecutorError> {
        let limits = BatchLimits { vocabulary: self.embedding.rows(), context: self.context };
        let mut spans = admit(batch, limits, |sequence| self.length(sequence))?;
        let wanted = wanted_rows(batch, &spans);
        spans.retain(|span| span.len > 0);
        let tokens = batch.iter().flat_map(|chunk| chunk.tokens).copied();
        Ok(self.compute(&spans, tokens, &wanted, output))
    }

    fn pages(&mut self) -> Option<&mut dyn Pages> {
        // A convolution remembers more than keys and values.
        if self.convolutions == 0 { Some(self) } else { None }
    }

    fn rows_are_independent(&self) -> bool {
        // Every kernel keeps to one order of operations, whatever the batch: `tests/it/ragged.rs` compares the bits.
        true
    }

    fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }

    fn weight_bytes_per_token(&self) -> Option<u64> {
        // Of the embeddings a token reads its row, unless they make the logits, too.
        let looked_up = if self.output.is_some() { self.embedding.bytes() as u64 } else { 0 };
        let unused: u64 = self.layers.iter().map(Layer::unused_bytes_per_token).sum();
        Some(self.weight_bytes - looked_up - unused)
    }
}

impl Pages for CpuExecutor {
    fn form(&self) -> PageForm {
        PageForm { cache: self.layout.kind().into(), bytes: self.layout.page_bytes() }
    }

    fn write(&self, sequence: SequenceId, page: usize, out: &mut Vec<u8>) {
        self.sequences.get(sequence).cache.write_page(page, out);
    }

    fn read(&mut self, sequence: SequenceId, page: &[u8]) {
        let sequence = self.sequences.get_mut(sequence);
        sequence.cache.read_page(page);
        sequence.length += PAGE_TOKENS;
    }
}

impl CpuExecutor {
    fn compute(
        &mut self,
        spans: &[Span],
        tokens: impl Iterator<Item = u32>,
        wanted: &[u32],
        output: Output,
    ) -> Rows {
        let rows = spans.iter().map(|span| span.len).sum::<usize>();
        if rows == 0 {
            return Rows::default();
        }
        self.tables.fill(&self.cpu, spans, rows);
        self.embed(spans, tokens, rows);
        let width = self.spec.embedding;
        let Self { cpu, tables, sequences, stream, scratch, .. } = self;
        let mut pass = Pass { cpu, spans, rows, width, tables, sequences };
        for layer in &self.layers {
            layer.forward(&mut pass, stream, scratch);
        }
        for span in spans {
            self.sequences.get_mut(span.sequence).length = span.position + span.len;
        }
        self.finish(wanted, rows, output)
    }

    /// Leaves the embeddings of tokens in `stream.hidden`.
    fn embed(&mut self, spans: &[Span], tokens: impl Iterator<Item = u32>, rows: usize) {
        let width = self.spec.embedding;
        let Self { cpu, embedding, stream, .. } = self;
        let hidden = stream.hidden.take(rows * width);
        for (row, token) in hidden.chunks_exact_mut(width).zip(tokens) {
            embedding.row(token as usize, row);
        }
        if let Some(norm) = &self.weightless_embedding_norm {
            norm.apply_in_place(cpu, hidden);
        }
        let scale = self.spec.embedding_scale;
        if scale != 1.0 {
            hidden.iter_mut().for_each(|x| *x *= scale);
        }
        if let Some(table) = &self.positions {
            let positions = spans.iter().flat_map(Span::positions);
            for (row, position) in hidden.chunks_exact_mut(width).zip(positions) {
                row.iter_mut().zip(&table[position * width..]).for_each(|(x, place)| *x += place);
            }
        }
        if let Some(norm) = &self.embedding_norm {
            norm.apply_in_place(cpu, hidden);
        }
    }

    /// Returns the rows that were asked for.
    fn finish(&mut self, wanted: &[u32], rows: usize, output: Output) -> Rows {
        if wanted.is_empty() {
            return Rows::default();
        }
        let width = self.spec.embedding;
        let Self { cpu, stream, scratch, .. } = self;
        let hidden = stream.hidden.get(rows * width);
        let chosen = stream.returned.take(wanted.len() * width);
        for (chosen, &row) in chosen.chunks_exact_mut(width).zip(wanted) {
            chosen.copy_from_slice(&hidden[row as usize * width..][..width]);
        }
        let normalized = stream.normalized.take(wanted.len() * width);
        self.output_norm.apply(cpu, chosen, normalized);
        match output {
            Output::Hidden => Rows::new(width, normalized.to_vec()),
            Output::Logits => {
                let vocabulary = self.output.as_ref().map_or(self.embedding.rows(), Linear::rows);
                let mut logits = vec![0.0; wanted.len() * vocabulary];
                let inputs = &mut scratch.inputs;
                match &self.output {
                    Some(output) => output.apply(cpu, inputs, normalized, &mut logits),
                    None => project(cpu, inputs, &self.embedding, normalized, Epilogue::Set, &mut logits),
                }
                bound(cpu, &self.spec, &mut logits);
                Rows::new(vocabulary, logits)
            }
        }
    }
}

/// Scales logits and applies their soft cap.
fn bound(cpu: &Cpu, spec: &DecoderSpec, logits: &mut [f32]) {
    let (scale, cap) = (spec.logit_scale, spec.logit_softcap);
    if scale == 1.0 && cap.is_none() {
        return;
    }
    cpu.for_rows(logits, 1, grain(8), |_, logits| {
        for logit in logits {
            *logit *= scale;
            if let Some(cap) = cap {
                *logit = (*logit / cap).tanh() * cap;
            }
        }
    });
}
