//! Architectures as data: one decoder, described by a [`DecoderSpec`].
//!
//! A spec is read from a model's metadata and the names and shapes of its tensors. What the file does not say (how
//! `RoPE` pairs dimensions, where norms stand, what a window pattern means) is a row of [`architectures`]; adding a Llama-like
//! family is adding a row. Nothing after this module branches on an architecture's name.

mod alibi;
mod architectures;
mod irrelevant;
mod read;
mod rope;
mod row;
mod window;

pub(crate) use alibi::slopes as alibi_slopes;
pub use architectures::{architecture_note, known_architectures};
pub use rope::{RopeSpec, Rotation};
pub use window::Window;

/// A decoder-only language model, in every respect but its weights.
#[derive(Clone, Debug)]
pub struct DecoderSpec {
    /// The name in the file.
    pub architecture: String,
    /// Length of the residual stream's vectors.
    pub embedding: usize,
    /// Rows of the output matrix.
    pub vocabulary: usize,
    /// Tokens that the model was trained for.
    pub context_trained: usize,
    /// Tokens that it was trained for before its context was stretched; longer contexts use the file's "long" rotary
    /// factors.
    pub context_original: usize,
    /// How every norm is computed.
    pub norm: Norm,
    /// Multiplies the embeddings.
    pub embedding_scale: f32,
    /// Whether embeddings are normalized without weights.
    pub embedding_norm: bool,
    /// Multiplies what attention and feed-forward add to the residual stream.
    pub residual_scale: f32,
    /// Multiplies the logits.
    pub logit_scale: f32,
    /// Bounds the logits by `c · tanh(x / c)`.
    pub logit_softcap: Option<f32>,
    /// Which feed-forward matrices honour a `.scale` tensor whatever their type.
    pub companion_scales: CompanionScales,
    /// Tensors that files may carry but the reference implementation does not use, without their layer's prefix.
    pub ignored: &'static [&'static str],
    /// The layers, first to last.
    pub layers: Vec<LayerSpec>,
    /// Layers at the end of the file that only predict further tokens; they are not run.
    pub predictors: usize,
}

impl DecoderSpec {
    /// Whether what the model remembers of a text can be cut back to what it remembered after any token of it.
    pub fn cuts_anywhere(&self) -> bool {
        // A convolution remembers its latest inputs alone.
        !self.layers.iter().any(|layer| matches!(layer.mixer, Mixer::ShortConvolution { .. }))
    }
}

/// One layer.
#[derive(Clone, Debug)]
pub struct LayerSpec {
    /// What mixes tokens.
    pub mixer: Mixer,
    /// What follows it.
    pub feed_forward: FeedForward,
    /// Experts beside the feed-forward, which read the layer's input through a norm of their own (Arctic).
    pub side_experts: Option<ExpertsSpec>,
    /// How both are joined to the residual stream.
    pub residual: Residual,
    /// The name of the tensor that normalizes the input of the feed-forward; the layer may lack it.
    pub feed_forward_norm: &'static str,
    /// The name of the tensor that normalizes what attention returns; the layer may lack it.
    pub post_attention_norm: Option<&'static str>,
}

/// What mixes tokens in a layer.
#[derive(Clone, Debug)]
pub enum Mixer {
    /// Multi-head or grouped-query attention.
    Attention(AttentionSpec),
    /// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434).
    Latent(LatentSpec),
    /// Nothing: the layer is only a feed-forward.
    None,
    /// One matrix, which mixes no tokens (Nemotron's pruned layers).
    Linear,
    /// A gated short convolution over this many tokens (LFM2).
    ShortConvolution {
        /// Tokens that the kernel sees, the current one included.
        taps: usize,
    },
}

impl Mixer {
    /// How far back it sees, if not to the start.
    pub fn window(&self) -> Option<Window> {
        match self {
            Self::Attention(attention) => attention.window,
            Self::Latent(_) | Self::None | Self::Linear | Self::ShortConvolution { .. } => None,
        }
    }

    /// The rotation that it uses.
    pub fn rope(&self) -> Option<&RopeSpec> {
        match self {
            Self::Attention(attention) => attention.rope.as_ref(),
            Self::Latent(latent) => Some(&latent.rope),
            Self::None | Self::Linear | Self::ShortConvolution { .. } => None,
        }
    }
}

/// Attention of one layer.
#[derive(Clone, Debug)]
pub struct AttentionSpec {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Length of a query or key vector.
    pub key_length: usize,
    /// Length of a value vector.
    pub value_length: usize,
    /// Multiplies q·k.
    pub scale: f32,
    /// Positions, or none.
    pub rope: Option<RopeSpec>,
    /// Only a window of the latest tokens is seen.
    pub window: Option<Window>,
    /// Bounds the scores by `c · tanh(x / c)`.
    pub softcap: Option<f32>,
    /// Biases scores by distance (`ALiBi`, arXiv:2108.12409) with this maximum; 0 = none.
    pub alibi_max: f32,
    /// Clamps q, k and v to ± this.
    pub clamp: Option<f32>,
    /// Whether the norms of q and k, where present, come after `RoPE`.
    pub qk_norm_last: bool,
    /// Whether q and k are normalized per head without weights, after `RoPE`.
    pub qk_norm_weightless: bool,
    /// What the heads return is multiplied by this function of another projection of the input.
    pub gate: Option<GateFunction>,
    /// Multiplies what attention adds to the residual stream.
    pub output_scale: f32,
    /// Scales queries by their position.
    pub temperature: Option<Temperature>,
}

/// A function of the gate after attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateFunction {
    /// The logistic function.
    Sigmoid,
    /// ln(1 + eˣ).
    Softplus,
}

/// Scales a query at position `p` by `1 + scale · ln(1 + ⌊(p + offset) / floor⌋)` (Llama 4, Ministral 3).
#[derive(Clone, Copy, Debug)]
pub struct Temperature {
    /// The factor of the logarithm.
    pub scale: f32,
    /// Tokens before the first step.
    pub floor: usize,
    /// Added to positions.
    pub offset: usize,
}

impl Temperature {
    /// What a query at this position is multiplied by.
    pub fn factor(self, position: usize) -> f32 {
        let step = (position + self.offset) / self.floor;
        1.0 + self.scale * ((step + 1) as f32).ln()
    }
}

/// Latent attention of one layer: keys and values live in one compressed vector per token.
#[derive(Clone, Debug)]
pub struct LatentSpec {
    /// Query heads.
    pub heads: usize,
    /// Length of the compressed queries; `None` = queries are not compressed.
    pub query_rank: Option<usize>,
    /// Length of the compressed keys and values.
    pub kv_rank: usize,
    /// Length of a head's query, rotated part included.
    pub key_length: usize,
    /// Length of a head's value.
    pub value_length: usize,
    /// Multiplies q·k.
    pub scale: f32,
    /// Positions; it rotates the last `rope.dimensions` of a query.
    pub rope: RopeSpec,
    /// Scales queries by their position.
    pub temperature: Option<Temperature>,
}

/// The feed-forward part of a layer.
#[derive(Clone, Debug)]
pub enum FeedForward {
    /// None: the layer only mixes.
    None,
    /// One network for all tokens.
    Dense {
        /// The non-linearity. The network is gated if the layer has a gate matrix, or an up matrix twice as high.
        activation: Activation,
    },
    /// A few of many networks for each token.
    Experts(ExpertsSpec),
}

/// A mixture of experts.
#[derive(Clone, Debug)]
pub struct ExpertsSpec {
    /// How many there are.
    pub count: usize,
    /// How many a token uses.
    pub used: usize,
    /// The non-linearity.
    pub activation: Activation,
    /// How the router's logits become weights.
    pub gating: Gating,
    /// Whether the weights of the chosen experts are made to sum to 1.
    pub normalize: bool,
    /// Multiplies the weights.
    pub scale: f32,
    /// The experts stand in this many groups, of which a few are eligible.
    pub groups: Option<ExpertGroups>,
    /// Whether the weights multiply what goes into an expert instead of what comes out (Llama 4).
    pub weights_first: bool,
    /// Whether the router reads the layer's input, before any norm (`SmallThinker`).
    pub routed_early: bool,
    /// What the names of a shared expert's matrices end with.
    pub shared_suffix: &'static str,
    /// Multiplies the sum of the chosen experts and a shared one.
    pub shared_scale: f32,
}

/// Restricts a token to the experts of a few groups (DeepSeek-V3, arXiv:2412.19437).
#[derive(Clone, Copy, Debug)]
pub struct ExpertGroups {
    /// How many groups.
    pub count: usize,
    /// How many are eligible.
    pub used: usize,
}

/// How the router's logits become weights. The numbers are those of the file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gating {
    /// Softmax over all experts.
    Softmax,
    /// The logistic function of each.
    Sigmoid,
    /// Softmax over the chosen ones.
    SoftmaxOfChosen,
    /// √softplus of each.
    SqrtSoftplus,
}

/// A non-linearity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// x · σ(x).
    Silu,
    /// The tanh form of x · Φ(x).
    Gelu,
    /// max(x, 0).
    Relu,
    /// max(x, 0)².
    ReluSquared,
    /// gpt-oss: clamped, with σ(1.702 x), and up + 1.
    ClampedSwiglu,
    /// Apertus: quadratic above zero, exponential below (xIELU, arXiv:2411.13010).
    Xielu(Xielu),
}

/// The learned parameters of xIELU in one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Xielu {
    /// Weights the square above zero.
    pub positive: f32,
    /// Weights the exponential below zero.
    pub negative: f32,
    /// Weights the linear part.
    pub beta: f32,
    /// Bounds what the exponential is taken of, from above.
    pub epsilon: f32,
}

/// How attention and feed-forward are joined to the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residual {
    /// Attention, then feed-forward on the sum.
    Sequential,
    /// Both on the same input.
    Parallel,
}

/// How a norm is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    /// With or without the mean.
    pub kind: NormKind,
    /// Added to the variance.
    pub epsilon: f32,
    /// Whether norms have weights. Where they do, a norm whose weight is missing does not exist.
    pub weighted: bool,
}

/// The kinds of norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// x / √(mean x² + ε), times a weight.
    Rms,
    /// (x − mean) / √(var + ε), times a weight, plus a bias where there is one.
    Layer,
}

/// A file may carry a scalar `X.scale` beside a matrix `X.weight`. The type NVFP4 always needs it; for other types the
/// reference implementation honours it in attention for all architectures and in the feed-forward only for some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CompanionScales {
    /// Of plain feed-forward matrices.
    pub dense: bool,
    /// Of experts' matrices.
    pub experts: bool,
    /// Of shared experts' matrices.
    pub shared: bool,
}
