//! Weights from a model's files onto a device.
//!
//! Each tensor is read once, into private memory. Two things are done to it on the way: matrices that are always
//! multiplied by the same vectors are joined, and the rows of rotated heads are reordered so that the dimensions that
//! `RoPE` pairs lie half a head apart (scores do not change when queries and keys are permuted alike).

mod matrices;
mod mixers;
mod networks;
mod parts;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::Device;
use rayon::prelude::*;

pub(crate) use self::matrices::{Raw, resident_bytes};
use super::linear::{Embedding, Linear, Matrix};
use super::norm::NormLayer;
use super::rope::Rope;
use super::{CandleExecutor, DeviceKind};
use crate::spec::{DecoderSpec, FeedForward, RopeSpec};
use crate::weights::{LoadError, WeightSource};

/// Called with bytes loaded and bytes in all.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

impl CandleExecutor {
    /// Loads a model.
    ///
    /// # Errors
    ///
    /// Names the tensor or key that is missing, of the wrong shape or of an unknown type.
    pub fn load(
        source: &dyn WeightSource,
        spec: DecoderSpec,
        device: DeviceKind,
        context: usize,
        progress: Progress<'_>,
    ) -> Result<Self, LoadError> {
        let device = device.open().map_err(|error| LoadError {
            subject: format!("device {device}"),
            problem: "cannot be used".to_owned(),
            source: Some(Box::new(error)),
        })?;
        let total = source.tensors().iter().map(|tensor| tensor.bytes).sum();
        let loader = Loader {
            source,
            device: &device,
            spec: &spec,
            context,
            loaded: AtomicU64::new(0),
            used: Mutex::default(),
            total,
            progress,
        };
        let embedding = loader.matrix("token_embd.weight", None)?;
        let vocabulary = loader.rows("token_embd.weight")?;
        let output = if loader.has("output.weight") {
            loader.linear("output", Some((spec.vocabulary, spec.embedding)), None, false)?
        } else {
            Linear { matrix: embedding.clone(), bias: None, scale: None, scale_after_bias: None }
        };
        loader.expect_shape("token_embd.weight", &[vocabulary, spec.embedding])?;
        let positions = if loader.has("position_embd.weight") {
            Some(loader.dense("position_embd.weight")?)
        } else {
            None
        };
        let context = match &positions {
            Some(table) => context.min(table.dims()[0]),
            None => context,
        };
        // LFM2 calls the norm before the output what others call the norm after the embedding.
        let (embedding_norm, output_norm) = match loader.norm("output_norm", spec.embedding)? {
            Some(norm) => (loader.weighted_norm("token_embd_norm", spec.embedding)?, norm),
            None => match loader.norm("token_embd_norm", spec.embedding)? {
                Some(norm) => (None, norm),
                None => return Err(LoadError::new("output_norm.weight", "the tensor is missing")),
            },
        };
        let ropes = loader.ropes()?;
        let layers = (0..spec.layers.len())
            .into_par_iter()
            .map(|index| loader.layer(index, &ropes))
            .collect::<Result<_, _>>()?;
        loader.refuse_unused()?;
        let weight_bytes = loader.loaded.into_inner();
        Ok(Self {
            device: device.clone(),
            context,
            weight_bytes,
            embedding: Embedding(embedding),
            positions,
            weightless_embedding_norm: spec.embedding_norm.then(|| NormLayer::new(spec.norm, None, None)),
            embedding_norm,
            layers,
            output_norm,
            output,
            sequences: Vec::new(),
            spec,
        })
    }
}

struct Loader<'a> {
    source: &'a dyn WeightSource,
    device: &'a Device,
    spec: &'a DecoderSpec,
    context: usize,
    loaded: AtomicU64,
    /// The names of the tensors that were read.
    used: Mutex<HashSet<String>>,
    total: u64,
    progress: Progress<'a>,
}

impl Loader<'_> {
    fn has(&self, name: &str) -> bool {
        self.source.tensor(name).is_some() && !self.is_ignored(name)
    }

    fn is_ignored(&self, name: &str) -> bool {
        let part = split_layer(name).map_or(name, |(_, part)| part);
        self.spec.ignored.contains(&part)
    }

    fn rows(&self, name: &str) -> Result<usize, LoadError> {
        let tensor = self.source.tensor(name).ok_or_else(|| missing(name))?;
        Ok(tensor.shape[0])
    }

    fn expect_shape(&self, name: &str, shape: &[usize]) -> Result<(), LoadError> {
        let tensor = self.source.tensor(name).ok_or_else(|| missing(name))?;
        if tensor.shape == shape {
            return Ok(());
        }
        Err(LoadError::new(name, format!("the tensor has shape {:?}; expected {shape:?}", tensor.shape)))
    }

    fn raw(&self, name: &str) -> Result<Raw, LoadError> {
        let raw = Raw::read(self.source, name)?;
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        let bytes = raw.bytes.len() as u64;
        let loaded = self.loaded.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.progress)(loaded, self.total);
        Ok(raw)
    }

    /// Refuses tensors of the layers that nothing has read: the model has a part that this program does not know.
    fn refuse_unused(&self) -> Result<(), LoadError> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        for tensor in self.source.tensors() {
            let Some((layer, part)) = split_layer(&tensor.name) else { continue };
            // Layers beyond the last only predict further tokens.
            let Some(layer) = self.spec.layers.get(layer) else { continue };
            // Where there are experts, the reference implementation does not use a dense network.
            let dense = matches!(layer.feed_forward, FeedForward::Experts(_))
                && ["ffn_gate.", "ffn_up.", "ffn_down."].iter().any(|prefix| part.starts_with(prefix));
            let spare = SPARE.iter().any(|prefix| part.starts_with(prefix)) || part.ends_with("scale");
            if !dense && !spare && !self.is_ignored(&tensor.name) && !used.contains(&tensor.name) {
                let problem = format!("is not a part of {} that is known here", self.spec.architecture);
                return Err(LoadError::new(&tensor.name, problem));
            }
        }
        Ok(())
    }

    /// A norm of `width` elements, if the model has it.
    fn norm(&self, name: &str, width: usize) -> Result<Option<NormLayer>, LoadError> {
        let norm = self.spec.norm;
        // PLaMo 3 names some norms without a suffix.
        let weight = match self.vector(&format!("{name}.weight"), width)? {
            None => self.vector(name, width)?,
            found => found,
        };
        let bias = self.vector(&format!("{name}.bias"), width)?;
        let exists = weight.is_some() || !norm.weighted;
        Ok(exists.then(|| NormLayer::new(norm, weight, bias)))
    }

    /// The rotation of each layer; equal ones are shared.
    fn ropes(&self) -> Result<Vec<Option<Arc<Rope>>>, LoadError> {
        let stretched = self.context > self.spec.context_original;
        let by_context = if stretched { "rope_factors_long.weight" } else { "rope_factors_short.weight" };
        let divisors = match ["rope_freqs.weight", by_context].into_iter().find(|name| self.has(name)) {
            Some(name) => Some(self.floats(name)?),
            None => None,
        };
        let mut known: Vec<Arc<Rope>> = Vec::new();
        let mut share = |spec: &RopeSpec| {
            let frequencies = spec.frequencies(divisors.as_deref());
            let rope = Rope { frequencies, magnitude: spec.magnitude };
            if let Some(known) = known.iter().find(|known| ***known == rope) {
                Arc::clone(known)
            } else {
                known.push(Arc::new(rope));
                Arc::clone(&known[known.len() - 1])
            }
        };
        Ok(self.spec.layers.iter().map(|layer| layer.mixer.rope().map(&mut share)).collect())
    }
}

/// Parts of layers that files carry though the reference implementation does not use them for text: tables that are
/// computed instead, and the experts for images of `CogVLM`.
const SPARE: &[&str] = &["rope_freqs", "attn_rot_embd", "attn.rotary_emb", "vis_"];

/// Splits `blk.3.ffn_up.weight` into 3 and `ffn_up.weight`.
fn split_layer(name: &str) -> Option<(usize, &str)> {
    let (layer, part) = name.strip_prefix("blk.")?.split_once('.')?;
    Some((layer.parse().ok()?, part))
}

fn missing(name: &str) -> LoadError {
    LoadError::new(name, "the tensor is missing")
}

/// The order that brings rows 2i and 2i + 1 of each head to i and i + r/2, for the `rotated` rows from `offset` on.
fn halves_order(heads: usize, length: usize, offset: usize, rotated: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..heads * length).collect();
    for head in 0..heads {
        let start = head * length + offset;
        for pair in 0..rotated / 2 {
            order[start + pair] = start + 2 * pair;
            order[start + rotated / 2 + pair] = start + 2 * pair + 1;
        }
    }
    order
}

/// A matrix and what surrounds it, before it is known whether it can be joined with others.
struct Part {
    raw: Raw,
    bias: Option<Vec<f32>>,
    scale: Option<f32>,
}

impl Part {
    fn reorder(mut self, order: Option<&[usize]>) -> Self {
        if let Some(order) = order {
            self.raw.reorder(order);
            self.bias = self.bias.map(|bias| order.iter().map(|&row| bias[row]).collect());
        }
        self
    }
}

fn device_error(name: &str, error: candle_core::Error) -> LoadError {
    LoadError {
        subject: name.to_owned(),
        problem: "the tensor cannot be put on the device".to_owned(),
        source: Some(Box::new(error)),
    }
}

impl From<Matrix> for Linear {
    fn from(matrix: Matrix) -> Self {
        Self { matrix, bias: None, scale: None, scale_after_bias: None }
    }
}

#[cfg(test)]
mod tests {
    use super::halves_order;

    #[test]
    fn adjacent_pairs_become_halves() {
        assert_eq!(halves_order(1, 6, 0, 4), [0, 2, 1, 3, 4, 5]);
        assert_eq!(halves_order(2, 4, 2, 2), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(halves_order(2, 4, 0, 4), [0, 2, 1, 3, 4, 6, 5, 7]);
    }
}
