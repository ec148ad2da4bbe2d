//! One layer: what mixes tokens, what follows, and how both join the residual stream.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::attention::Attention;
use super::convolution::ShortConvolution;
use super::feed_forward::FeedForwardLayer;
use super::latent::Latent;
use super::norm::NormLayer;
use super::rope::{Rope, Rotations};
use super::{Caches, Span};
use crate::spec::Residual;

/// One layer. Norms that the model does not have are `None`.
pub(super) struct Layer {
    pub(super) residual: Residual,
    pub(super) residual_scale: f32,
    /// Before mixing.
    pub(super) mixer_norm: Option<NormLayer>,
    pub(super) mixer: MixerLayer,
    /// After mixing.
    pub(super) post_mixer_norm: Option<NormLayer>,
    /// Before the feed-forward. A parallel layer without it gives the feed-forward the mixer's input.
    pub(super) feed_forward_norm: Option<NormLayer>,
    pub(super) feed_forward: Option<FeedForwardLayer>,
    /// After the feed-forward.
    pub(super) post_feed_forward_norm: Option<NormLayer>,
}

/// What mixes tokens.
pub(super) enum MixerLayer {
    Attention(Attention),
    Latent(Latent),
    ShortConvolution(ShortConvolution),
}

impl Layer {
    /// The rotation that this layer uses.
    pub(super) fn rope(&self) -> Option<&Arc<Rope>> {
        match &self.mixer {
            MixerLayer::Attention(attention) => attention.rope.as_ref(),
            MixerLayer::Latent(latent) => Some(&latent.rope),
            MixerLayer::ShortConvolution(_) => None,
        }
    }

    pub(super) fn forward(
        &self,
        x: &Tensor,
        spans: &[Span],
        rotations: &Rotations,
        caches: &mut Caches<'_>,
    ) -> Result<Tensor> {
        let input = normalize(self.mixer_norm.as_ref(), x)?;
        let mixed = match &self.mixer {
            MixerLayer::Attention(attention) => attention.forward(&input, spans, rotations, caches)?,
            MixerLayer::Latent(latent) => latent.forward(&input, spans, rotations, caches)?,
            MixerLayer::ShortConvolution(convolution) => convolution.forward(&input, spans, caches)?,
        };
        let mixed = normalize(self.post_mixer_norm.as_ref(), &mixed)?;
        let sum = self.add(x, mixed)?;
        let Some(feed_forward) = &self.feed_forward else { return Ok(sum) };
        let input = match (self.residual, &self.feed_forward_norm) {
            (Residual::Sequential, norm) => normalize(norm.as_ref(), &sum)?,
            (Residual::Parallel, Some(norm)) => norm.forward(x)?,
            (Residual::Parallel, None) => input,
        };
        let output = normalize(self.post_feed_forward_norm.as_ref(), &feed_forward.forward(&input)?)?;
        self.add(&sum, output)
    }

    fn add(&self, x: &Tensor, y: Tensor) -> Result<Tensor> {
        if self.residual_scale == 1.0 { x + y } else { x + (y * f64::from(self.residual_scale))? }
    }
}

fn normalize(norm: Option<&NormLayer>, x: &Tensor) -> Result<Tensor> {
    norm.map_or_else(|| Ok(x.clone()), |norm| norm.forward(x))
}
