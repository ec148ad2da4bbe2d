//! Weights from a model's files into packed matrices.
//!
//! Matrices are read range by range while they are packed, so that no tensor is held twice. What the file joins (queries,
//! keys and values; gate and up; all experts) is taken apart on the way: several matrices share a parallel region
//! anyway.

mod layers;
mod matrices;
mod mixers;
mod networks;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stack_kernels::{Cpu, KvLayout, LayerKv};

use super::CpuExecutor;
use super::arena::{Scratch, Stream};
use super::linear::Companions;
use super::norm::NormLayer;
use super::prefetch;
use super::rope::{Rope, Tables};
use crate::executor::norms::NormWeights;
use crate::executor::slots::Slots;
use crate::executor::tensors::Tensors;
use crate::executor::{CacheType, Placement, Progress};
use crate::spec::{DecoderSpec, Mixer, RopeSpec};
use crate::weights::{LoadError, WeightSource};

pub(super) use matrices::own_format;
pub(in crate::executor) use matrices::resident_bytes;

impl CpuExecutor {
    /// Loads a model, to be computed at the placement's level with so many threads.
    ///
    /// # Errors
    ///
    /// Names the tensor or key that is missing, of the wrong shape or of an unknown type.
    pub(in crate::executor) fn load(
        source: &dyn WeightSource,
        spec: DecoderSpec,
        placement: &Placement,
        context: usize,
        progress: Progress<'_>,
    ) -> Result<Self, LoadError> {
        let mut cpu = Cpu::new(placement.level, placement.threads);
        match placement.prefetch {
            Some(policy) => cpu.set_prefetch_policy(policy),
            None => prefetch::choose(&mut cpu, source),
        }
        let loader = Loader {
            cpu: &cpu,
            tensors: Tensors::new(source, &spec, progress),
            spec: &spec,
            resident: AtomicU64::new(0),
        };
        let embedding = loader.whole_matrix("token_embd.weight", [None, Some(spec.embedding)])?;
        let output = if loader.tensors.has("output.weight") {
            Some(loader.linear("output", [spec.vocabulary, spec.embedding], Scale::BeforeBias)?)
        } else {
            None
        };
        let positions = loader.positions()?;
        let context = positions.as_ref().map_or(context, |table| context.min(table.len() / spec.embedding));
        let norms = loader.tensors.outer_norms()?;
        let embedding_norm = norms.embedding.map(|norm| loader.held(norm));
        let output_norm = loader.held(norms.output);
        let (ropes, rope_of) = loader.ropes(context)?;
        let layers = rope_of
            .into_iter()
            .enumerate()
            .map(|(index, rope)| loader.layer(index, rope))
            .collect::<Result<_, _>>()?;
        loader.tensors.refuse_unused()?;
        let weight_bytes = loader.resident.into_inner();
        let convolutions = spec.layers.iter().filter(|layer| is_convolution(&layer.mixer)).count();
        Ok(Self {
            context,
            weight_bytes,
            embedding,
            positions,
            weightless_embedding_norm: spec.embedding_norm.then_some(NormLayer {
                norm: spec.norm,
                width: spec.embedding,
                weight: None,
                bias: None,
            }),
            embedding_norm,
            layers,
            output_norm,
            output,
            tables: Tables::new(ropes),
            layout: Arc::new(cache_layout(&spec, placement.cache)),
            convolutions,
            sequences: Slots::new(),
            stream: Stream::default(),
            scratch: Scratch::default(),
            cpu,
            spec,
        })
    }
}

/// Bytes that one token takes in the cache.
pub(in crate::executor) fn cache_bytes_per_token(spec: &DecoderSpec, kind: CacheType) -> u64 {
    let layout = cache_layout(spec, kind);
    (layout.page_bytes() / stack_kernels::PAGE_TOKENS) as u64
}

fn cache_layout(spec: &DecoderSpec, kind: CacheType) -> KvLayout {
    let layers: Vec<LayerKv> = spec.layers.iter().map(|layer| cached(&layer.mixer)).collect();
    KvLayout::new(&layers, kind.kernel())
}

/// What a mixer remembers of each token.
fn cached(mixer: &Mixer) -> LayerKv {
    match mixer {
        Mixer::Attention(attention) => LayerKv {
            kv_heads: attention.kv_heads,
            key_length: attention.key_length,
            value_length: attention.value_length,
        },
        Mixer::Latent(latent) => LayerKv {
            kv_heads: 1,
            key_length: latent.rope.dimensions + latent.kv_rank,
            value_length: latent.kv_rank,
        },
        Mixer::ShortConvolution { .. } | Mixer::Linear | Mixer::None => LayerKv::default(),
    }
}

fn is_convolution(mixer: &Mixer) -> bool {
    matches!(mixer, Mixer::ShortConvolution { .. })
}

struct Loader<'a> {
    cpu: &'a Cpu,
    tensors: Tensors<'a>,
    spec: &'a DecoderSpec,
    /// Bytes of what was loaded, as it lies in memory.
    resident: AtomicU64,
}

/// What a tensor `X.scale` beside a matrix `X.weight` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// It multiplies what the matrix returns.
    BeforeBias,
    /// It multiplies the sum with the bias.
    AfterBias,
    /// The same, but only for types that need one.
    IfNeeded,
}

impl Loader<'_> {
    /// The elements of a tensor of `length` elements, if there is one.
    fn vector(&self, name: &str, length: usize) -> Result<Option<Vec<f32>>, LoadError> {
        let values = self.tensors.vector(name, length)?;
        self.hold(values.as_ref().map_or(0, |values| size_of_val(values.as_slice())));
        Ok(values)
    }

    fn hold(&self, bytes: usize) {
        self.resident.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts the weights of a norm among those that are held.
    fn held(&self, weights: NormWeights) -> NormLayer {
        let NormWeights { width, weight, bias, .. } = weights;
        for values in [&weight, &bias].into_iter().flatten() {
            self.hold(size_of_val(values.as_slice()));
        }
        NormLayer { norm: self.spec.norm, width, weight, bias }
    }

    /// A norm that exists only where it has weights, even in models whose norms have none.
    fn weighted_norm(&self, name: &str, width: usize) -> Result<Option<NormLayer>, LoadError> {
        Ok(self.tensors.weighted_norm(name, width)?.map(|norm| self.held(norm)))
    }

    /// What is added to embeddings by position.
    fn positions(&self) -> Result<Option<Vec<f32>>, LoadError> {
        let name = "position_embd.weight";
        if !self.tensors.has(name) {
            return Ok(None);
        }
        let rows = self.tensors.rows(name)?;
        self.tensors.expect_shape(name, &[rows, self.spec.embedding])?;
        let table = self.tensors.floats(name)?;
        self.hold(size_of_val(table.as_slice()));
        Ok(Some(table))
    }

    /// The rotations of the model, and which of them each layer uses.
    fn ropes(&self, context: usize) -> Result<(Vec<Rope>, Vec<Option<usize>>), LoadError> {
        let divisors = self.tensors.rope_divisors(context)?;
        let mut known: Vec<Rope> = Vec::new();
        let mut place = |spec: &RopeSpec| {
            let frequencies = spec.frequencies(divisors.as_deref());
            let rope = Rope { rotation: spec.rotation, frequencies, magnitude: spec.magnitude };
            known.iter().position(|other| *other == rope).unwrap_or_else(|| {
                known.push(rope);
                known.len() - 1
            })
        };
        let places = self.spec.layers.iter().map(|layer| layer.mixer.rope().map(&mut place)).collect();
        Ok((known, places))
    }
}

impl Companions {
    /// Those of some rows of the matrix.
    fn part(&self, rows: std::ops::Range<usize>) -> Self {
        let bias = self.bias.as_ref().map(|bias| bias[rows].to_vec());
        Self { bias, scale: self.scale, scales_bias: self.scales_bias }
    }
}
