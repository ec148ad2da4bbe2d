//! Packs weights for the processor's kernels.
//!
//! Matrices are read range by range while they are packed, so that no tensor is held twice. What the file joins (queries,
//! keys and values; gate and up; all experts) is taken apart on the way: several matrices share a parallel region
//! anyway.

mod assembly;
mod matrices;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use stack_kernels::{Cpu, KvLayout, LayerKv, Matrix};

use super::CpuExecutor;
use super::arena::{Scratch, Stream};
use super::linear::Linear;
use super::norm::NormLayer;
use super::prefetch;
use super::rope::Tables;
use crate::executor::load::{Backend, Decompression, HeadNormWeights, NormWeights, Part, Tensors, decoder};
use crate::executor::slots::Slots;
use crate::executor::{CacheType, Placement, Progress};
use crate::spec::{DecoderSpec, Mixer};
use crate::weights::{LoadError, WeightSource};

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
        let packer = Packer::new(cpu);
        let tensors = Tensors::new(source, spec.ignored, progress);
        let weights = decoder(&packer, &tensors, &spec, context)?;
        if let Some(positions) = &weights.positions {
            packer.hold(positions);
        }
        let layers = weights.layers.into_iter().enumerate();
        let layers = layers.map(|(index, layer)| packer.layer(layer, index, &spec)).collect();
        let (cpu, weight_bytes) = packer.into_parts();
        Ok(Self {
            context: weights.context,
            weight_bytes,
            embedding: weights.embedding,
            positions: weights.positions,
            weightless_embedding_norm: spec
                .embedding_norm
                .then(|| NormLayer::weightless(spec.norm, spec.embedding)),
            embedding_norm: weights.embedding_norm,
            layers,
            output_norm: weights.output_norm,
            output: weights.output,
            tables: Tables::new(weights.ropes),
            layout: Arc::new(cache_layout(&spec, placement.cache)),
            convolutions: spec.layers.iter().filter(|layer| is_convolution(&layer.mixer)).count(),
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

/// Packs matrices, on all threads or on one.
pub(crate) struct Packer {
    cpu: Cpu,
    /// Bytes of what was loaded, as it lies in memory.
    resident: Arc<AtomicU64>,
}

impl Packer {
    pub(crate) fn new(cpu: Cpu) -> Self {
        Self { cpu, resident: Arc::default() }
    }

    /// The processor, and the bytes of what was packed for it.
    pub(crate) fn into_parts(self) -> (Cpu, u64) {
        (self.cpu, self.resident.load(Ordering::Relaxed))
    }

    /// Counts numbers among those that are held.
    fn hold(&self, values: &[f32]) {
        self.hold_bytes(size_of_val(values));
    }

    fn hold_bytes(&self, bytes: usize) {
        self.resident.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Backend for Packer {
    type Packed = Linear;
    type Linear = Linear;
    type Stack<const N: usize> = [Linear; N];
    type Embedding = Matrix;
    type HeadMatrices = Vec<Matrix>;
    type Norm = NormLayer;
    type HeadNorm = NormLayer;
    type Vector = Vec<f32>;

    fn pack(&self, part: Part<'_>) -> Result<Linear, LoadError> {
        let matrix = self.matrix(&part)?;
        if let Some(bias) = &part.companions.bias {
            self.hold(bias);
        }
        Ok(Linear::new(matrix, part.companions))
    }

    fn linear(&self, packed: Linear) -> Result<Linear, LoadError> {
        Ok(packed)
    }

    fn join<const N: usize>(&self, packed: [Linear; N]) -> Result<[Linear; N], LoadError> {
        Ok(packed)
    }

    fn split<const N: usize>(&self, whole: Part<'_>, rows: [usize; N]) -> Result<[Linear; N], LoadError> {
        let mut first = 0;
        let mut parts = Vec::with_capacity(N);
        for rows in rows {
            parts.push(self.pack(whole.rows(first, rows))?);
            first += rows;
        }
        Ok(parts.try_into().unwrap_or_else(|_| unreachable!("there is a part for each number of rows")))
    }

    fn embedding(&self, part: Part<'_>) -> Result<Matrix, LoadError> {
        self.matrix(&part)
    }

    fn decompression(
        &self,
        tensors: Decompression<'_>,
    ) -> Result<(Option<Vec<Matrix>>, Vec<Matrix>), LoadError> {
        match tensors {
            Decompression::Apart { heads, keys, values } => {
                let each = |all: &Part<'_>| -> Result<Vec<Matrix>, LoadError> {
                    let rows = all.rows / heads;
                    (0..heads).map(|head| self.matrix(&all.rows(head * rows, rows))).collect()
                };
                Ok((keys.as_ref().map(each).transpose()?, each(&values)?))
            }
            Decompression::Joined { heads, unrotated, all } => {
                let (rows, rank) = (all.rows / heads, all.columns);
                let values = (0..heads)
                    .map(|head| self.matrix(&all.rows(head * rows + unrotated, rows - unrotated)))
                    .collect::<Result<_, _>>()?;
                if unrotated == 0 {
                    return Ok((None, values));
                }
                let numbers = all.tensor.floats()?;
                let absorb = numbers
                    .chunks_exact(rows * rank)
                    .map(|head| {
                        let turned: Vec<f32> = (0..rank)
                            .flat_map(|column| head[column..unrotated * rank].iter().step_by(rank))
                            .copied()
                            .collect();
                        self.matrix_of(all.tensor.name(), &turned, [rank, unrotated])
                    })
                    .collect::<Result<_, _>>()?;
                Ok((Some(absorb), values))
            }
        }
    }

    fn norm(&self, weights: NormWeights) -> Result<NormLayer, LoadError> {
        let NormWeights { norm, width, weight, bias, .. } = weights;
        [&weight, &bias].into_iter().flatten().for_each(|values| self.hold(values));
        Ok(NormLayer { norm, width, weight, bias })
    }

    fn head_norm(&self, weights: HeadNormWeights) -> Result<NormLayer, LoadError> {
        let HeadNormWeights { norm, name, width, weight, bias, .. } = weights;
        self.norm(NormWeights { norm, name, width, weight, bias })
    }

    fn vector(&self, _name: &str, values: Vec<f32>) -> Result<Vec<f32>, LoadError> {
        self.hold(&values);
        Ok(values)
    }

    /// One after the other: each matrix is packed by all threads.
    fn layers<T: Send>(
        &self,
        count: usize,
        load: impl Fn(usize) -> Result<T, LoadError> + Sync,
    ) -> Result<Vec<T>, LoadError> {
        (0..count).map(load).collect()
    }

    /// At once, each on one thread.
    fn each<T: Send>(
        &self,
        count: usize,
        load: impl Fn(&Self, usize) -> Result<T, LoadError> + Sync,
    ) -> Result<Vec<T>, LoadError> {
        let mut loaded: Vec<Option<Result<T, LoadError>>> = Vec::new();
        loaded.resize_with(count, || None);
        let share = count.div_ceil(self.cpu.threads());
        thread::scope(|scope| {
            for (number, slots) in loaded.chunks_mut(share.max(1)).enumerate() {
                let load = &load;
                scope.spawn(move || {
                    let alone = Self { cpu: self.cpu.alone(), resident: Arc::clone(&self.resident) };
                    for (index, slot) in slots.iter_mut().enumerate() {
                        *slot = Some(load(&alone, number * share + index));
                    }
                });
            }
        });
        loaded.into_iter().map(|slot| slot.expect("every slot was filled by its thread")).collect()
    }
}
