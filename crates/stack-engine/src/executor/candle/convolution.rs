//! The gated short convolution of LFM2.

use candle_core::{Result, Tensor};

use super::Caches;
use super::cache::LayerCache;
use super::linear::Linear;
use crate::executor::batch::Span;

/// A short convolution over each channel, gated before and after.
pub(super) struct ShortConvolution {
    /// Makes both gates and the input.
    pub(super) input: Linear,
    /// The weight of each tap, oldest first, `[width]` each.
    pub(super) taps: Vec<Tensor>,
    pub(super) output: Linear,
}

impl ShortConvolution {
    pub(super) fn forward(&self, x: &Tensor, spans: &[Span], caches: &mut Caches<'_>) -> Result<Tensor> {
        let all = self.input.forward(x)?;
        let width = all.dim(1)? / 3;
        let part = |index| all.narrow(1, index * width, width);
        let gated = (part(0)? * part(2)?)?;
        let mut outputs = Vec::with_capacity(spans.len());
        for span in spans.iter().filter(|span| span.len > 0) {
            outputs.push(self.convolve(&gated.narrow(0, span.start, span.len)?, caches.of(span))?);
        }
        self.output.forward(&(part(1)? * Tensor::cat(&outputs, 0)?)?)
    }

    fn convolve(&self, rows: &Tensor, cache: &mut LayerCache) -> Result<Tensor> {
        let (tokens, width) = rows.dims2()?;
        let before = self.taps.len() - 1;
        let past = match cache {
            LayerCache::Convolution(past) => past.clone(),
            _ => Tensor::zeros((before, width), rows.dtype(), rows.device())?,
        };
        let seen = Tensor::cat(&[&past, rows], 0)?;
        *cache = LayerCache::Convolution(seen.narrow(0, tokens, before)?.copy()?);
        let mut sum = seen.narrow(0, 0, tokens)?.broadcast_mul(&self.taps[0])?;
        for (index, tap) in self.taps.iter().enumerate().skip(1) {
            sum = (sum + seen.narrow(0, index, tokens)?.broadcast_mul(tap)?)?;
        }
        Ok(sum)
    }
}
