//! The tensors of a model, as a loader asks for them: each is checked, counted and remembered.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Progress;
use crate::spec::{DecoderSpec, FeedForward};
use crate::weights::{LoadError, TensorInfo, TensorType, WeightSource, dequantize};

/// The tensors of one model while it is loaded.
pub(super) struct Tensors<'a> {
    source: &'a dyn WeightSource,
    spec: &'a DecoderSpec,
    /// The names of the tensors that were read.
    used: Mutex<HashSet<String>>,
    loaded: AtomicU64,
    total: u64,
    progress: Progress<'a>,
}

impl<'a> Tensors<'a> {
    pub(super) fn new(source: &'a dyn WeightSource, spec: &'a DecoderSpec, progress: Progress<'a>) -> Self {
        let total = source.tensors().iter().map(|tensor| tensor.bytes).sum();
        Self { source, spec, used: Mutex::default(), loaded: AtomicU64::new(0), total, progress }
    }

    /// What they are to make up.
    pub(super) fn spec(&self) -> &'a DecoderSpec {
        self.spec
    }

    /// The kernel of a gated short convolution, which lies channel by channel, `[width, taps]`.
    pub(super) fn convolution(&self, prefix: &str, taps: usize) -> Result<Vec<f32>, LoadError> {
        let name = format!("{prefix}.shortconv.conv.weight");
        self.expect_shape(&name, &[self.spec.embedding, taps])?;
        if taps < 2 {
            return Err(LoadError::new(name, "a convolution needs at least two taps"));
        }
        self.floats(&name)
    }

    /// Where the tensors lie.
    pub(super) fn source(&self) -> &'a dyn WeightSource {
        self.source
    }

    /// Whether there is a tensor that the model uses.
    pub(super) fn has(&self, name: &str) -> bool {
        self.source.tensor(name).is_some() && !self.is_ignored(name)
    }

    /// Describes a tensor that must be there.
    pub(super) fn get(&self, name: &str) -> Result<&'a TensorInfo, LoadError> {
        self.source.tensor(name).ok_or_else(|| missing(name))
    }

    /// The outermost dimension of a tensor.
    pub(super) fn rows(&self, name: &str) -> Result<usize, LoadError> {
        Ok(self.get(name)?.shape.first().copied().unwrap_or(1))
    }

    pub(super) fn expect_shape(&self, name: &str, shape: &[usize]) -> Result<(), LoadError> {
        let found = &self.get(name)?.shape;
        if found == shape {
            return Ok(());
        }
        Err(LoadError::new(name, format!("the tensor has shape {found:?}; expected {shape:?}")))
    }

    /// Remembers that a tensor is used.
    pub(super) fn claim(&self, name: &str) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }

    /// Counts bytes that were read.
    pub(super) fn count(&self, bytes: u64) {
        let loaded = self.loaded.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.progress)(loaded, self.total);
    }

    /// Bytes that were read until now.
    pub(super) fn loaded(&self) -> u64 {
        self.loaded.load(Ordering::Relaxed)
    }

    /// All elements of a tensor.
    pub(super) fn floats(&self, name: &str) -> Result<Vec<f32>, LoadError> {
        let tensor = self.get(name)?;
        let ty = known_type(tensor)?;
        self.claim(name);
        let bytes = self.source.read(name)?;
        self.count(bytes.len() as u64);
        let mut values = vec![0.0; tensor.elements()];
        dequantize(ty, &bytes, &mut values)
            .map_err(|error| LoadError::caused(name, "the tensor cannot be decoded", error))?;
        Ok(values)
    }

    /// The elements of a tensor of `length` elements, if there is one.
    pub(super) fn vector(&self, name: &str, length: usize) -> Result<Option<Vec<f32>>, LoadError> {
        if !self.has(name) {
            return Ok(None);
        }
        let found = self.get(name)?.elements();
        if found != length {
            return Err(LoadError::new(name, format!("the tensor has {found} elements; expected {length}")));
        }
        self.floats(name).map(Some)
    }

    /// What the file divides the frequencies of rotations by, where sequences hold up to `context` tokens.
    pub(super) fn rope_divisors(&self, context: usize) -> Result<Option<Vec<f32>>, LoadError> {
        let stretched = context > self.spec.context_original;
        let by_context = if stretched { "rope_factors_long.weight" } else { "rope_factors_short.weight" };
        let name = ["rope_freqs.weight", by_context].into_iter().find(|name| self.has(name));
        name.map(|name| self.floats(name)).transpose()
    }

    /// Refuses tensors of the layers that nothing has read: the model has a part that this program does not know.
    pub(super) fn refuse_unused(&self) -> Result<(), LoadError> {
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

    fn is_ignored(&self, name: &str) -> bool {
        let part = split_layer(name).map_or(name, |(_, part)| part);
        self.spec.ignored.contains(&part)
    }
}

/// Returns the type of a tensor, if this program knows it.
pub(super) fn known_type(tensor: &TensorInfo) -> Result<TensorType, LoadError> {
    tensor.ty.map_err(|id| LoadError::new(&tensor.name, format!("the tensor has the unknown type {id}")))
}

/// Says that a tensor is not there.
pub(super) fn missing(name: &str) -> LoadError {
    LoadError::new(name, "the tensor is missing")
}

/// Parts of layers that files carry though the reference implementation does not use them for text: tables that are
/// computed instead, and the experts for images of `CogVLM`.
const SPARE: &[&str] = &["rope_freqs", "attn_rot_embd", "attn.rotary_emb", "vis_"];

/// Splits `blk.3.ffn_up.weight` into 3 and `ffn_up.weight`.
fn split_layer(name: &str) -> Option<(usize, &str)> {
    let (layer, part) = name.strip_prefix("blk.")?.split_once('.')?;
    Some((layer.parse().ok()?, part))
}
