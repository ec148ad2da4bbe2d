//! One layer: what mixes tokens, what follows, and how both join the residual stream.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::Caches;
use super::attention::Attention;
use super::convolution::ShortConvolution;
use super::experts::Experts;
use super::feed_forward::Dense;
use super::latent::Latent;
use super::linear::Linear;
use super::norm::NormLayer;
use super::rope::{Rope, Rotations};
use crate::executor::batch::Span;
use crate::executor::load::LayerNorms;
use crate::spec::Residual;

/// One layer.
pub(super) struct Layer {
    pub(super) residual: Residual,
    pub(super) residual_scale: f32,
    pub(super) norms: LayerNorms<NormLayer>,
    pub(super) mixer: MixerLayer,
    pub(super) feed_forward: Option<FeedForwardLayer>,
    /// Experts beside the feed-forward, and the norm through which they read the layer's input.
    pub(super) side: Option<(NormLayer, Experts)>,
}

/// What mixes tokens.
pub(super) enum MixerLayer {
    Attention(Attention),
    Latent(Latent),
    ShortConvolution(ShortConvolution),
    /// One matrix, which mixes nothing.
    Linear(Linear),
    /// Nothing at all.
    None,
}

/// The feed-forward part of a layer.
pub(super) enum FeedForwardLayer {
    Dense(Dense),
    Experts(Box<Experts>),
}

impl FeedForwardLayer {
    /// Transforms `x`; `layer_input` is what the layer was given, before any norm.
    pub(super) fn forward(&self, x: &Tensor, layer_input: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense(dense) => dense.forward(x),
            Self::Experts(experts) => experts.forward(x, layer_input),
        }
    }
}

impl Layer {
    /// The rotation that this layer uses.
    pub(super) fn rope(&self) -> Option<&Arc<Rope>> {
        match &self.mixer {
            MixerLayer::Attention(attention) => attention.rope.as_ref(),
            MixerLayer::Latent(latent) => Some(&latent.rope),
            MixerLayer::ShortConvolution(_) | MixerLayer::Linear(_) | MixerLayer::None => None,
        }
    }

    pub(super) fn forward(
        &self,
        x: &Tensor,
        spans: &[Span],
        rotations: &Rotations,
        caches: &mut Caches<'_>,
    ) -> Result<Tensor> {
        let input = normalize(self.norms.mixer.as_ref(), x)?;
        let mixed = match &self.mixer {
            MixerLayer::Attention(attention) => Some(attention.forward(&input, spans, rotations, caches)?),
            MixerLayer::Latent(latent) => Some(latent.forward(&input, spans, rotations, caches)?),
            MixerLayer::ShortConvolution(convolution) => Some(convolution.forward(&input, spans, caches)?),
            MixerLayer::Linear(linear) => Some(linear.forward(&input)?),
            MixerLayer::None => None,
        };
        let sum = match mixed {
            Some(mixed) => self.add(x, normalize(self.norms.post_mixer.as_ref(), &mixed)?)?,
            None => x.clone(),
        };
        let Some(feed_forward) = &self.feed_forward else { return Ok(sum) };
        let input = match (self.residual, &self.norms.feed_forward) {
            (Residual::Sequential, norm) => normalize(norm.as_ref(), &sum)?,
            (Residual::Parallel, Some(norm)) => norm.forward(x)?,
            (Residual::Parallel, None) => input,
        };
        let output = normalize(self.norms.post_feed_forward.as_ref(), &feed_forward.forward(&input, x)?)?;
        let sum = self.add(&sum, output)?;
        match &self.side {
            Some((norm, experts)) => sum + experts.forward(&norm.forward(x)?, x)?,
            None => Ok(sum),
        }
    }

    fn add(&self, x: &Tensor, y: Tensor) -> Result<Tensor> {
        if self.residual_scale == 1.0 { x + y } else { x + (y * f64::from(self.residual_scale))? }
    }
}

fn normalize(norm: Option<&NormLayer>, x: &Tensor) -> Result<Tensor> {
    norm.map_or_else(|| Ok(x.clone()), |norm| norm.forward(x))
}
