//! Keys and values of sequences.

use candle_core::{Device, Result, Tensor};

use crate::spec::{DecoderSpec, Mixer};

/// What the executor remembers of one sequence.
pub(super) struct Sequence {
    /// Tokens held.
    pub(super) length: usize,
    pub(super) layers: Vec<LayerCache>,
}

/// What one layer remembers of one sequence.
pub(super) enum LayerCache {
    /// Nothing yet.
    Empty,
    /// Keys and values of every token.
    Attention { keys: Growing, values: Option<Growing> },
    /// The last inputs of a convolution, `[taps − 1, width]`.
    Convolution(Tensor),
}

impl Sequence {
    pub(super) fn new(layers: usize) -> Self {
        Self { length: 0, layers: (0..layers).map(|_| LayerCache::Empty).collect() }
    }

    /// Forgets tokens from `length` on. A convolution remembers only its latest inputs, so a sequence with one can
    /// only be kept whole or forgotten whole.
    pub(super) fn truncate(&mut self, length: usize) -> usize {
        if length >= self.length {
            self.trim(self.length);
            return self.length;
        }
        let keep = if self.layers.iter().any(|layer| matches!(layer, LayerCache::Convolution(_))) {
            0
        } else {
            length
        };
        if keep == 0 {
            *self = Self::new(self.layers.len());
        } else {
            self.trim(keep);
            self.length = keep;
        }
        keep
    }

    fn trim(&mut self, length: usize) {
        for layer in &mut self.layers {
            if let LayerCache::Attention { keys, values } = layer {
                keys.length = keys.length.min(length);
                if let Some(values) = values {
                    values.length = values.length.min(length);
                }
            }
        }
    }

    pub(super) fn copy(&self) -> Result<Self> {
        let layers = self
            .layers
            .iter()
            .map(|layer| {
                Ok(match layer {
                    LayerCache::Empty => LayerCache::Empty,
                    LayerCache::Attention { keys, values } => LayerCache::Attention {
                        keys: keys.copy()?,
                        values: values.as_ref().map(Growing::copy).transpose()?,
                    },
                    LayerCache::Convolution(state) => LayerCache::Convolution(state.copy()?),
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { length: self.length, layers })
    }
}

impl LayerCache {
    /// Appends keys and values, `[tokens, heads, length]` each, and returns all of them.
    pub(super) fn append(&mut self, keys: &Tensor, values: &Tensor) -> Result<(Tensor, Tensor)> {
        if let Self::Empty = self {
            *self = Self::Attention { keys: Growing::like(keys)?, values: Some(Growing::like(values)?) };
        }
        match self {
            Self::Attention { keys: all_keys, values: Some(all_values) } => {
                Ok((all_keys.append(keys)?, all_values.append(values)?))
            }
            _ => candle_core::bail!("the cache of this layer does not hold keys and values"),
        }
    }

    /// Appends vectors that are keys and values at once, and returns all of them.
    pub(super) fn append_shared(&mut self, keys: &Tensor) -> Result<Tensor> {
        if let Self::Empty = self {
            *self = Self::Attention { keys: Growing::like(keys)?, values: None };
        }
        match self {
            Self::Attention { keys: all_keys, values: None } => all_keys.append(keys),
            _ => candle_core::bail!("the cache of this layer does not hold shared vectors"),
        }
    }
}

/// A tensor that grows along its first dimension, in place while its capacity lasts.
pub(super) struct Growing {
    data: Tensor,
    length: usize,
}

impl Growing {
    fn like(rows: &Tensor) -> Result<Self> {
        Ok(Self { data: allocate(rows, rows.dim(0)?)?, length: 0 })
    }

    fn append(&mut self, rows: &Tensor) -> Result<Tensor> {
        let added = rows.dim(0)?;
        let needed = self.length + added;
        if needed > self.data.dim(0)? {
            let larger = allocate(rows, needed)?;
            if self.length > 0 {
                larger.slice_set(&self.data.narrow(0, 0, self.length)?, 0, 0)?;
            }
            self.data = larger;
        }
        self.data.slice_set(&rows.contiguous()?, 0, self.length)?;
        self.length = needed;
        self.data.narrow(0, 0, needed)
    }

    fn copy(&self) -> Result<Self> {
        let rows = self.data.narrow(0, 0, self.length)?;
        let data = allocate(&rows, self.length)?;
        if self.length > 0 {
            data.slice_set(&rows.contiguous()?, 0, 0)?;
        }
        Ok(Self { data, length: self.length })
    }
}

/// Bytes that one token takes in the cache.
///
/// Caches grow by doubling, so up to twice the tokens held are allocated; this counts the doubled size.
pub(in crate::executor) fn cache_bytes_per_token(spec: &DecoderSpec) -> u64 {
    let floats: usize = spec
        .layers
        .iter()
        .map(|layer| match &layer.mixer {
            Mixer::Attention(attention) => {
                attention.kv_heads * (attention.key_length + attention.value_length)
            }
            Mixer::Latent(latent) => latent.kv_rank + latent.rope.dimensions,
            Mixer::ShortConvolution { .. } | Mixer::Linear | Mixer::None => 0,
        })
        .sum();
    floats as u64 * size_of::<f32>() as u64 * 2
}

/// Allocates room for at least `rows` rows, growing geometrically so that appending is linear in total.
fn allocate(like: &Tensor, rows: usize) -> Result<Tensor> {
    let mut shape = like.dims().to_vec();
    shape[0] = rows.next_power_of_two().max(ROWS_MIN);
    let device: &Device = like.device();
    Tensor::zeros(shape, like.dtype(), device)
}

const ROWS_MIN: usize = 64;
