//! One layer: what mixes tokens, what follows, and how both join the residual stream.

use stack_kernels::Cpu;

use super::Pass;
use super::arena::{Buffer, Scratch, Stream};
use super::attention::Attention;
use super::convolution::ShortConvolution;
use super::experts::Experts;
use super::feed_forward::Network;
use super::latent::Latent;
use super::linear::{Inputs, Linear};
use super::norm::NormLayer;
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
    Attention(Box<Attention>),
    Latent(Box<Latent>),
    ShortConvolution(ShortConvolution),
    /// One matrix, which mixes nothing.
    Linear(Linear),
    /// Nothing at all.
    None,
}

/// The feed-forward part of a layer.
pub(super) enum FeedForwardLayer {
    Dense(Box<Network>),
    Experts(Box<Experts>),
}

impl Layer {
    /// Computes the layer on `stream.hidden`.
    pub(super) fn forward(&self, pass: &mut Pass<'_>, stream: &mut Stream, scratch: &mut Scratch) {
        let length = pass.rows * pass.width;
        let Stream { hidden, origin, mixer_input, network_input, returned, normalized } = stream;
        let hidden = hidden.take(length);
        if self.needs_origin() {
            origin.take(length).copy_from_slice(hidden);
        }
        let input = mixer_input.take(length);
        normalize(pass.cpu, self.norms.mixer.as_ref(), hidden, input);
        let input = &*input;
        // A parallel layer with two norms reads the stream as it is before the mixer has added to it.
        let parallel = self.residual == Residual::Parallel;
        if let (true, Some(norm)) = (parallel, &self.norms.feed_forward) {
            norm.apply(pass.cpu, hidden, network_input.take(length));
        }
        let mut sum = Sum { cpu: pass.cpu, scale: self.residual_scale, hidden, returned, normalized };
        self.mix(pass, scratch, input, &mut sum);

        let Some(feed_forward) = &self.feed_forward else { return };
        let input = match (parallel, &self.norms.feed_forward) {
            (true, None) => input,
            (true, Some(_)) => network_input.get(length),
            (false, norm) => {
                let normalized = network_input.take(length);
                normalize(pass.cpu, norm.as_ref(), sum.hidden, normalized);
                normalized
            }
        };
        match feed_forward {
            FeedForwardLayer::Dense(network) => {
                let inner = network.inner(pass.cpu, scratch, pass.rows, input);
                let Scratch { inputs, inner: buffer, .. } = scratch;
                let norm = self.norms.post_feed_forward.as_ref();
                sum.add_product(&network.down, inputs, buffer.get(inner), norm);
            }
            FeedForwardLayer::Experts(experts) => {
                let routed = if experts.spec.routed_early { origin.get(length) } else { input };
                let out = sum.returned.take(length);
                experts.forward(pass.cpu, scratch, input, routed, out);
                sum.add_returned(length, self.norms.post_feed_forward.as_ref());
            }
        }
        if let Some((norm, experts)) = &self.side {
            let origin = origin.get(length);
            let input = network_input.take(length);
            norm.apply(pass.cpu, origin, input);
            let routed = if experts.spec.routed_early { origin } else { &*input };
            let out = sum.returned.take(length);
            experts.forward(pass.cpu, scratch, input, routed, out);
            pass.cpu.add(sum.hidden, out, 1.0);
        }
    }

    /// Bytes of its experts that one token does not use.
    pub(super) fn unused_bytes_per_token(&self) -> u64 {
        let routed = match &self.feed_forward {
            Some(FeedForwardLayer::Experts(experts)) => Some(&**experts),
            _ => None,
        };
        let side = self.side.as_ref().map(|(_, experts)| experts);
        routed.into_iter().chain(side).map(Experts::unused_bytes_per_token).sum()
    }

    fn mix(&self, pass: &mut Pass<'_>, scratch: &mut Scratch, x: &[f32], sum: &mut Sum<'_>) {
        let (mixed, output) = match &self.mixer {
            MixerLayer::Attention(attention) => (attention.mix(pass, scratch, x), &attention.output),
            MixerLayer::Latent(latent) => (latent.mix(pass, scratch, x), &latent.output),
            MixerLayer::ShortConvolution(convolution) => {
                (convolution.mix(pass, scratch, x), &convolution.output)
            }
            MixerLayer::Linear(linear) => {
                return sum.add_product(linear, &mut scratch.inputs, x, self.norms.post_mixer.as_ref());
            }
            MixerLayer::None => return,
        };
        let Scratch { inputs, heads, .. } = scratch;
        sum.add_product(output, inputs, heads.get(mixed), self.norms.post_mixer.as_ref());
    }

    /// Whether something after the mixer reads what the layer was given.
    fn needs_origin(&self) -> bool {
        let early = |experts: &Experts| experts.spec.routed_early;
        self.side.is_some()
            || matches!(&self.feed_forward, Some(FeedForwardLayer::Experts(experts)) if early(experts))
    }
}

/// The residual stream, to which the parts of a layer are added.
struct Sum<'a> {
    cpu: &'a Cpu,
    /// Multiplies what is added.
    scale: f32,
    hidden: &'a mut [f32],
    returned: &'a mut Buffer,
    normalized: &'a mut Buffer,
}

impl Sum<'_> {
    /// Adds what a matrix makes of `x`, through a norm where there is one.
    fn add_product(&mut self, linear: &Linear, inputs: &mut Inputs, x: &[f32], norm: Option<&NormLayer>) {
        if norm.is_none() && self.scale == 1.0 && linear.adds_in_place() {
            return linear.add(self.cpu, inputs, x, self.hidden);
        }
        let length = self.hidden.len();
        linear.apply(self.cpu, inputs, x, self.returned.take(length));
        self.add_returned(length, norm);
    }

    /// Adds what lies in `returned`, through a norm where there is one.
    fn add_returned(&mut self, length: usize, norm: Option<&NormLayer>) {
        let mut returned = self.returned.get(length);
        if let Some(norm) = norm {
            let normalized = self.normalized.take(length);
            norm.apply(self.cpu, returned, normalized);
            returned = normalized;
        }
        self.cpu.add(self.hidden, returned, self.scale);
    }
}

fn normalize(cpu: &Cpu, norm: Option<&NormLayer>, x: &[f32], out: &mut [f32]) {
    match norm {
        Some(norm) => norm.apply(cpu, x, out),
        None => out.copy_from_slice(x),
    }
}
