//! The tensors of a model, as a loader asks for them: each is checked, counted and remembered.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::executor::Progress;
use crate::weights::{
    LoadError, LoadErrorKind, TensorInfo, TensorType, WeightSource, dequantize, first_not_finite,
};

/// The tensors of one model while it is loaded.
pub(crate) struct Tensors<'a> {
    source: &'a dyn WeightSource,
    /// Those that count as if they were not there, without their layer's prefix.
    ignored: &'static [&'static str],
    /// The names of the tensors that were read.
    used: Mutex<HashSet<String>>,
    loaded: AtomicU64,
    total: u64,
    progress: Progress<'a>,
}

impl<'a> Tensors<'a> {
    pub(crate) fn new(
        source: &'a dyn WeightSource,
        ignored: &'static [&'static str],
        progress: Progress<'a>,
    ) -> Self {
        let total = source.tensors().iter().map(|tensor| tensor.bytes).sum();
        Self { source, ignored, used: Mutex::default(), loaded: AtomicU64::new(0), total, progress }
    }

    /// Where the tensors lie.
    pub(crate) fn source(&self) -> &'a dyn WeightSource {
        self.source
    }

    /// Whether there is a tensor that the model uses.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.source.tensor(name).is_some() && !self.is_ignored(name)
    }

    /// Describes a tensor that must be there.
    pub(crate) fn get(&self, name: &str) -> Result<&'a TensorInfo, LoadError> {
        self.source.tensor(name).ok_or_else(|| missing(name))
    }

    /// The outermost dimension of a tensor.
    pub(crate) fn rows(&self, name: &str) -> Result<usize, LoadError> {
        Ok(self.get(name)?.shape.first().copied().unwrap_or(1))
    }

    pub(crate) fn expect_shape(&self, name: &str, shape: &[usize]) -> Result<(), LoadError> {
        let found = &self.get(name)?.shape;
        if without_ones(found) == without_ones(shape) {
            return Ok(());
        }
        Err(LoadError::new(name, format!("the tensor has shape {found:?}; expected {shape:?}")))
    }

    /// Remembers that a tensor is used.
    pub(crate) fn claim(&self, name: &str) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }

    /// Counts bytes that were read.
    pub(crate) fn count(&self, bytes: u64) {
        let loaded = self.loaded.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.progress)(loaded, self.total);
    }

    /// Bytes that were read until now.
    pub(crate) fn loaded(&self) -> u64 {
        self.loaded.load(Ordering::Relaxed)
    }

    /// All elements of a tensor.
    pub(crate) fn floats(&self, name: &str) -> Result<Vec<f32>, LoadError> {
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
    pub(crate) fn vector(&self, name: &str, length: usize) -> Result<Option<Vec<f32>>, LoadError> {
        if !self.has(name) {
            return Ok(None);
        }
        let found = self.get(name)?.elements();
        if found != length {
            return Err(LoadError::new(name, format!("the tensor has {found} elements; expected {length}")));
        }
        self.floats(name).map(Some)
    }

    /// The tensors that nothing has read.
    pub(crate) fn unused(&self) -> Vec<&'a TensorInfo> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        self.source.tensors().iter().filter(|tensor| !used.contains(&tensor.name)).collect()
    }

    /// Whether a tensor counts as if it were not there.
    pub(super) fn is_ignored(&self, name: &str) -> bool {
        let part = split_layer(name).map_or(name, |(_, part)| part);
        self.ignored.contains(&part)
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
pub(crate) fn missing(name: &str) -> LoadError {
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

/// Splits `blk.3.ffn_up.weight` into 3 and `ffn_up.weight`.
pub(super) fn split_layer(name: &str) -> Option<(usize, &str)> {
    let (layer, part) = name.strip_prefix("blk.")?.split_once('.')?;
    Some((layer.parse().ok()?, part))
}
