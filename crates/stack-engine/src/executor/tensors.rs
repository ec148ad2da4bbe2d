//! The tensors of a model, as a loader asks for them: each is checked, counted and remembered.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Progress;
use crate::spec::{DecoderSpec, RopeSpec};
use crate::weights::{
    LoadError, LoadErrorKind, TensorInfo, TensorType, WeightSource, dequantize, first_not_finite,
};

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
        if without_ones(found) == without_ones(shape) {
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
        check_finite(name, ty, &bytes, 0)?;
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
        const TABLES: [&str; 3] =
            ["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"];
        let ropes: Vec<&RopeSpec> = self.spec.layers.iter().filter_map(|layer| layer.mixer.rope()).collect();
        if ropes.is_empty() {
            return Ok(None);
        }
        // All are checked, whichever is used with this context.
        let mut tables = TABLES.map(|_| None);
        for (name, table) in TABLES.into_iter().zip(&mut tables) {
            if self.has(name) {
                *table = Some(self.divisors(name, &ropes)?);
            }
        }
        let [always, long, short] = tables;
        if let (Some(_), None) | (None, Some(_)) = (&long, &short) {
            return Err(missing(if long.is_none() { TABLES[1] } else { TABLES[2] }));
        }
        let by_context = if context > self.spec.context_original { long } else { short };
        Ok(always.or(by_context))
    }

    /// A table of divisors: one for each pair of dimensions of every rotation that uses it.
    fn divisors(&self, name: &str, ropes: &[&RopeSpec]) -> Result<Vec<f32>, LoadError> {
        let divisors = self.floats(name)?;
        let pairs = |rope: &RopeSpec| rope.dimensions / 2;
        if let Some(rope) = ropes.iter().find(|rope| rope.divisors && pairs(rope) != divisors.len()) {
            let problem =
                format!("the tensor has {} elements, but {} pairs are rotated", divisors.len(), pairs(rope));
            return Err(LoadError::new(name, problem));
        }
        // A negative one turns its pair the other way round, which is odd but not ambiguous.
        match divisors.iter().position(|&divisor| divisor == 0.0) {
            Some(pair) => {
                Err(LoadError::new(name, format!("the frequency of pair {pair} is divided by zero")))
            }
            None => Ok(divisors),
        }
    }

    /// Refuses tensors that nothing has read: the model has a part that this program does not know.
    pub(super) fn refuse_unused(&self) -> Result<(), LoadError> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = self.source.tensors().iter().filter(|tensor| !used.contains(&tensor.name));
        for tensor in unused {
            if self.reason_to_ignore(&tensor.name).is_none() {
                let problem = format!("is not a part of {} that is known here", self.spec.architecture);
                return Err(LoadError::new(tensor.name.escape_debug().to_string(), problem));
            }
        }
        Ok(())
    }

    /// Why a tensor does not matter; `None` if it may.
    fn reason_to_ignore(&self, name: &str) -> Option<&'static str> {
        if self.is_ignored(name) {
            return Some("the reference implementation does not use it");
        }
        let Some((layer, part)) = split_layer(name) else {
            return OUTSIDE.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, reason)| *reason);
        };
        let layers = self.spec.layers.len();
        if (layers..layers + self.spec.predictors).contains(&layer) {
            return Some("the layer only predicts further tokens");
        }
        if layer >= layers {
            return None;
        }
        // The factors of matrices that have none in the reference implementation, and of activations.
        if let Some((matrix, "scale" | "input_scale")) = name.rsplit_once('.') {
            let has_matrix = self.source.tensor(&format!("{matrix}.weight")).is_some();
            return has_matrix.then_some("the reference implementation does not use it");
        }
        SPARE.iter().find(|(prefix, _)| part.starts_with(prefix)).map(|(_, reason)| *reason)
    }

    fn is_ignored(&self, name: &str) -> bool {
        let part = split_layer(name).map_or(name, |(_, part)| part);
        self.spec.ignored.contains(&part)
    }
}

/// Returns the type of a tensor, if this program knows it.
pub(super) fn known_type(tensor: &TensorInfo) -> Result<TensorType, LoadError> {
    tensor.ty.map_err(|id| {
        LoadError::new(&tensor.name, format!("the tensor has the unknown type {id}"))
            .of_kind(LoadErrorKind::UnknownQuantization)
    })
}

/// A shape without dimensions of 1, of which files have more or fewer although nothing depends on them.
pub(super) fn without_ones(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|&size| size != 1).collect()
}

/// Says that a tensor is not there.
pub(super) fn missing(name: &str) -> LoadError {
    LoadError::new(name, "the tensor is missing")
}

/// Refuses numbers that are none: attention in whole numbers would make them plausible ones.
///
/// `bytes` begin at this element of the tensor.
pub(super) fn check_finite(
    name: &str,
    ty: TensorType,
    bytes: &[u8],
    element: usize,
) -> Result<(), LoadError> {
    let Some(place) = first_not_finite(ty, bytes) else { return Ok(()) };
    let place = element + place;
    let problem = match ty.block_elements() {
        1 => format!("element {place} of the tensor is infinite or not a number"),
        _ => format!("the block of {ty} at element {place} has a scale that is infinite or not a number"),
    };
    Err(LoadError::new(name, format!("{problem}: the file is damaged, or its conversion went wrong")))
}

/// Parts of layers that files carry though nothing computes with them.
const SPARE: &[(&str, &str)] = &[
    ("rope_freqs.", "a table that is computed instead"),
    ("attn_rot_embd.", "a table that is computed instead"),
    ("attn.rotary_emb.", "a table that is computed instead"),
    ("vis_", "an expert for images"),
];

/// Tensors outside of layers that text does not need.
const OUTSIDE: &[(&str, &str)] = &[
    ("v.", "belongs to images"),
    ("mm.", "belongs to images"),
    ("a.", "belongs to sound"),
    ("cls.", "a head that ranks or classifies, which is not used for text"),
    ("mtp.", "only predicts further tokens"),
    ("nextn.", "only predicts further tokens"),
];

/// Splits `blk.3.ffn_up.weight` into 3 and `ffn_up.weight`.
fn split_layer(name: &str) -> Option<(usize, &str)> {
    let (layer, part) = name.strip_prefix("blk.")?.split_once('.')?;
    Some((layer.parse().ok()?, part))
}
