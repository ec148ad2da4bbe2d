//! What a row of the table of architectures can say.

use super::{Activation, GateFunction, Gating, NormKind, Residual, Rotation};

/// What an architecture means, beyond its metadata and tensors.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about an architecture")]
pub(super) struct Row {
    /// The names under which files know it.
    pub(super) names: &'static [&'static str],
    /// What is special about it, in a few words, for people.
    pub(super) note: &'static str,
    pub(super) norm: NormRule,
    /// Where every layer has a norm.
    pub(super) norm_places: NormPlaces,
    /// Parts that every layer with attention has, without the suffix `.weight`.
    pub(super) attention_parts: &'static [&'static str],
    /// Over what queries and keys are normalized, where the architecture is of one mind.
    pub(super) head_norms: HeadNorms,
    /// Parts that every layer with a plain feed-forward has, without the suffix `.weight`.
    pub(super) feed_forward_parts: &'static [&'static str],
    /// Tensors outside of the layers that every model has, besides the embeddings and the last norm, by full name.
    pub(super) outer_parts: &'static [&'static str],
    /// Whether every norm of the width has a bias.
    pub(super) norm_biases: bool,
    /// Whether the last norm may be called as the norm after the embeddings is.
    pub(super) last_norm_first: bool,
    /// Whether a model may have learned positions.
    pub(super) positions: bool,
    /// Whether queries, keys and values are clamped if the metadata says so.
    pub(super) clamp: bool,
    /// Whether what attention returns is scaled if the metadata says so.
    pub(super) value_scale: bool,
    /// Whether the base of the rotation is stretched if the metadata says so.
    pub(super) alpha: bool,
    pub(super) norm_weights: bool,
    /// How `RoPE` pairs dimensions; `None` = the architecture has no `RoPE`.
    pub(super) rotation: Option<Rotation>,
    pub(super) rope_layers: RopeLayers,
    pub(super) sections: Sections,
    pub(super) activation: ActivationRule,
    pub(super) residual: ResidualRule,
    /// The tensor that normalizes the input of the feed-forward.
    pub(super) feed_forward_norm: &'static str,
    /// The tensor that normalizes what attention returns (see the name trap in the book).
    pub(super) post_attention_norm: Option<&'static str>,
    pub(super) qk_norm_last: bool,
    /// Whether layers that rotate normalize q and k without weights.
    pub(super) qk_norm_weightless: bool,
    pub(super) gate: GateFunction,
    /// Whether layers with zero heads have no attention, and those with zero key heads one matrix instead.
    pub(super) pruned_layers: bool,
    pub(super) windows: Windows,
    pub(super) attention_softcap: Softcap,
    pub(super) final_softcap: Softcap,
    pub(super) embedding_scale: EmbeddingScale,
    pub(super) embedding_norm: bool,
    pub(super) residual_scale: ResidualScale,
    pub(super) logit_scale: LogitScale,
    pub(super) attention_scale: AttentionScale,
    pub(super) alibi: Alibi,
    pub(super) temperature: TemperatureRule,
    /// Whether the metadata's `YaRN` log multiplier is honoured, and by what it is divided first.
    pub(super) yarn_log_divisor: Option<f32>,
    pub(super) gating: Gating,
    /// What the metadata may say otherwise about routing.
    pub(super) routing_keys: RoutingKeys,
    /// Whether chosen experts' weights are normalized; `None` = the metadata says.
    pub(super) normalize_experts: Option<bool>,
    pub(super) weights_first: bool,
    pub(super) routed_early: bool,
    pub(super) shared_suffix: &'static str,
    pub(super) shared_scale: f32,
    pub(super) dense_scales: bool,
    pub(super) expert_scales: bool,
    pub(super) shared_scales: bool,
    /// Tensors that the reference implementation does not use.
    pub(super) ignored: &'static [&'static str],
}

/// How norms are computed.
#[derive(Clone, Copy, Debug)]
pub(super) enum NormRule {
    Fixed(NormKind),
    /// RMS if the metadata has its epsilon, else `LayerNorm`.
    RmsIfKey,
}

/// What the metadata may say about the weights of chosen experts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RoutingKeys {
    /// Nothing: the gating is the row's, and weights are not scaled.
    None,
    /// The gating.
    Gating,
    /// The gating, and a scale.
    GatingAndScale,
}

/// Over what queries and keys are normalized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadNorms {
    /// As the shapes of the weights say, if there are any.
    AsShaped,
    /// Every layer normalizes each head, with weights that all heads share.
    EachHead,
    /// Every layer normalizes all heads at once.
    AllHeads,
}

/// Where layers have norms. A norm is known by its tensor, so a missing tensor must not pass for a missing norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NormPlaces {
    /// Before each half; parallel halves may share one.
    Before,
    /// After each half.
    After,
    /// Before or after each half, or both.
    Either,
}

/// The non-linearity of feed-forwards.
#[derive(Clone, Copy, Debug)]
pub(super) enum ActivationRule {
    Fixed(Activation),
    /// xIELU with the metadata's parameters.
    Xielu,
}

/// Which layers rotate.
#[derive(Clone, Copy, Debug)]
pub(super) enum RopeLayers {
    All,
    /// All but every n-th, counted from 1.
    NotEvery(usize),
    /// All but every n-th, counted from 1, or all if the model has no windows.
    NotEveryIfWindows(usize),
    /// Only layers with a window.
    Windowed,
    /// Layers with a window, or all if the model has no windows.
    WindowedIfAny,
    /// All but the first of every n layers, or all if the model has no windows.
    AfterFirstOf(usize),
    /// Layers with a window, and the leading ones without experts.
    WindowedOrDense,
    /// All, unless `rope.scaling.finetuned` is false.
    UnlessNotFinetuned,
    /// As `attention.rope_pattern` says, all if it does not.
    Pattern,
    /// All, in models of this many layers; none in others.
    InModelsOf(usize),
}

/// What the sections of a multimodal rotation mean for text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sections {
    /// Nothing.
    Ignored,
    /// Three blocks of pairs that rotate by the position of text, and one that does not; pairs are halves apart.
    Blocks,
}

/// Whether attention and feed-forward are parallel.
#[derive(Clone, Copy, Debug)]
pub(super) enum ResidualRule {
    Fixed(Residual),
    /// As `use_parallel_residual` says.
    Key,
    /// Parallel where the layer has no norm before the feed-forward.
    ParallelWithoutNorm,
}

/// Which layers see only a window.
#[derive(Clone, Copy, Debug)]
pub(super) enum Windows {
    /// None, whatever the metadata says.
    Never,
    /// All layers, if the metadata gives a size.
    Every,
    /// The metadata's pattern, or else all but one of `period` layers.
    Pattern {
        period: usize,
        /// Whether the layer without a window is the first of a period, not the last.
        full_first: bool,
        /// The size if the metadata gives none.
        default_size: Option<usize>,
        /// Whether the metadata may only say whether there are windows, not their size.
        fixed_size: bool,
        /// The only number of layers with which models have windows.
        layers: Option<usize>,
        /// Whether windows are chunks.
        chunked: bool,
        rope: WindowRope,
    },
}

/// How `RoPE` of windowed layers differs from the others'.
#[derive(Clone, Copy, Debug)]
pub(super) struct WindowRope {
    pub(super) base: WindowBase,
    /// Whether positions are scaled.
    pub(super) scaled: bool,
}

/// The base of windowed layers' frequencies.
#[derive(Clone, Copy, Debug)]
pub(super) enum WindowBase {
    /// The other layers' base.
    Same,
    /// `freq_base_swa`, or else the other layers' base.
    KeyOrSame,
    /// `freq_base_swa`, or else this.
    KeyOr(f32),
}

/// A bound of scores or logits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Softcap {
    /// None, whatever the metadata says.
    Never,
    /// As the metadata says, none if it does not.
    Key,
    /// As the metadata says, or else this.
    KeyOr(f32),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum EmbeddingScale {
    /// 1, whatever the metadata says.
    One,
    /// As the metadata says, or else this.
    KeyOr(f32),
    /// √(embedding length).
    SqrtEmbedding,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ResidualScale {
    /// 1, whatever the metadata says.
    One,
    /// As the metadata says, 1 if it does not.
    Key,
    /// As the metadata says, or else this / √layers.
    KeyOrDepth(f32),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum LogitScale {
    One,
    /// Logits are multiplied by the metadata's value, or else by this.
    Multiply(f32),
    /// Logits are divided by the metadata's value, or else by 1.
    Divide,
    /// Logits are divided by the metadata's value, or else by the embedding length over this.
    DivideByWidthOver(f32),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum AttentionScale {
    /// 1/√(key length).
    Inverse,
    /// The metadata's value, or else 1/√(key length).
    Key,
    /// 1/√(embedding / heads) for models of this many layers, else 1/√(key length).
    EmbeddingPerHeadAt(usize),
    /// 1/(key length).
    Whole,
    /// 1/√(rotated dimensions).
    Rotated,
    /// `attention.output_scale`, or else this.
    OutputKeyOr(f32),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Alibi {
    Never,
    /// The metadata's maximum, none if it gives none.
    Key,
    /// This maximum.
    Max(f32),
    /// This maximum for models of so many layers.
    MaxAt {
        layers: usize,
        max: f32,
    },
}

/// Which queries are scaled by position.
#[derive(Clone, Copy, Debug)]
pub(super) enum TemperatureRule {
    Never,
    /// All, if the metadata gives a scale.
    Key,
    /// Those of layers that do not rotate, if other layers have windows.
    Unrotated {
        scale: f32,
        floor: usize,
        offset: usize,
    },
}
