//! What files do not say about their architecture.

use super::{Activation, Gating, NormKind, Residual, Rotation};

/// What an architecture means, beyond its metadata and tensors.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about an architecture")]
pub(super) struct Row {
    /// The names under which files know it.
    pub(super) names: &'static [&'static str],
    pub(super) norm: NormKind,
    pub(super) norm_weights: bool,
    /// How `RoPE` pairs dimensions; `None` = the architecture has no `RoPE`.
    pub(super) rotation: Option<Rotation>,
    pub(super) rope_layers: RopeLayers,
    pub(super) activation: Activation,
    pub(super) residual: ResidualRule,
    /// Whether `post_attention_norm` normalizes the input of the feed-forward (see the name trap in the book).
    pub(super) post_attention_norm_is_pre_ffn: bool,
    pub(super) qk_norm_last: bool,
    pub(super) windows: Windows,
    /// Whether the attention soft cap of the metadata is honoured.
    pub(super) attention_softcap: bool,
    /// Whether the final soft cap of the metadata is honoured.
    pub(super) final_softcap: bool,
    pub(super) embedding_scale: EmbeddingScale,
    pub(super) residual_scale: bool,
    pub(super) logit_scale: LogitScale,
    pub(super) attention_scale: AttentionScale,
    pub(super) alibi: Alibi,
    pub(super) temperature: bool,
    /// Whether the metadata's `YaRN` log multiplier is honoured, and by what it is divided first.
    pub(super) yarn_log_divisor: Option<f32>,
    pub(super) gating: Gating,
    /// Whether chosen experts' weights are normalized; `None` = the metadata says.
    pub(super) normalize_experts: Option<bool>,
    pub(super) dense_scales: bool,
    pub(super) expert_scales: bool,
}

/// Which layers rotate.
#[derive(Clone, Copy, Debug)]
pub(super) enum RopeLayers {
    All,
    /// All but every n-th, counted from 1.
    NotEvery(usize),
    /// Only layers with a window.
    Windowed,
    /// Layers with a window, or all if the model has no windows.
    WindowedIfAny,
    /// All, unless `rope.scaling.finetuned` is false.
    UnlessNotFinetuned,
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
    /// The metadata's pattern, or else all layers `i` with `i mod period < period − 1`; with this size if it gives none.
    Pattern {
        period: usize,
        default_size: Option<usize>,
        /// Whether windowed layers ignore `RoPE` scaling (`OLMo` 3) or have their own base (Gemma 3).
        rope: WindowRope,
    },
}

/// How `RoPE` of windowed layers differs from the others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WindowRope {
    /// `freq_base_swa` if given, else the same base; the same scaling.
    Same,
    /// `freq_base_swa` if given, else 10000; no scaling.
    OwnBase,
    /// The same base; no scaling.
    Unscaled,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum EmbeddingScale {
    /// 1, whatever the metadata says.
    One,
    /// As the metadata says, 1 if it does not.
    Key,
    /// √(embedding length).
    SqrtEmbedding,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum LogitScale {
    One,
    /// Logits are multiplied by the metadata's value.
    Multiply,
    /// Logits are divided by it.
    Divide,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum AttentionScale {
    /// 1/√(key length).
    Inverse,
    /// The metadata's value, or else 1/√(key length).
    Key,
    /// 1/√(embedding / heads) for models of this many layers, else 1/√(key length).
    EmbeddingPerHeadAt(usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Alibi {
    Never,
    /// The metadata's maximum, or this.
    Max(f32),
    /// This maximum for models of so many layers.
    MaxAt {
        layers: usize,
        max: f32,
    },
}

const PLAIN: Row = Row {
    names: &[],
    norm: NormKind::Rms,
    norm_weights: true,
    rotation: Some(Rotation::Adjacent),
    rope_layers: RopeLayers::All,
    activation: Activation::Silu,
    residual: ResidualRule::Fixed(Residual::Sequential),
    post_attention_norm_is_pre_ffn: false,
    qk_norm_last: false,
    windows: Windows::Never,
    attention_softcap: false,
    final_softcap: false,
    embedding_scale: EmbeddingScale::One,
    residual_scale: false,
    logit_scale: LogitScale::One,
    attention_scale: AttentionScale::Inverse,
    alibi: Alibi::Never,
    temperature: false,
    yarn_log_divisor: None,
    gating: Gating::Softmax,
    normalize_experts: Some(true),
    dense_scales: false,
    expert_scales: false,
};

/// As [`PLAIN`], with the rotation of GPT-NeoX.
const NEOX: Row = Row { rotation: Some(Rotation::Halves), ..PLAIN };

/// GPT-2 and those that look like it: `LayerNorm`, plain GELU.
const CLASSIC: Row = Row { norm: NormKind::Layer, activation: Activation::Gelu, ..NEOX };

const GEMMA: Row =
    Row { activation: Activation::Gelu, embedding_scale: EmbeddingScale::SqrtEmbedding, ..NEOX };

const GRANITE: Row = Row {
    rope_layers: RopeLayers::UnlessNotFinetuned,
    embedding_scale: EmbeddingScale::Key,
    residual_scale: true,
    logit_scale: LogitScale::Divide,
    attention_scale: AttentionScale::Key,
    ..PLAIN
};

const PARALLEL: ResidualRule = ResidualRule::Fixed(Residual::Parallel);

/// One row per family; see the book's page on architectures for where each fact comes from.
pub(super) const ROWS: &[Row] = &[
    Row {
        names: &["llama"],
        attention_scale: AttentionScale::Key,
        dense_scales: true,
        expert_scales: true,
        ..PLAIN
    },
    Row {
        names: &["mistral3"],
        attention_scale: AttentionScale::Key,
        temperature: true,
        yarn_log_divisor: Some(1.0),
        dense_scales: true,
        expert_scales: true,
        ..PLAIN
    },
    Row { names: &["qwen2", "qwen2vl"], ..NEOX },
    Row { names: &["qwen2moe"], normalize_experts: Some(false), ..NEOX },
    Row { names: &["qwen3"], dense_scales: true, ..NEOX },
    Row { names: &["qwen3moe"], expert_scales: true, ..NEOX },
    Row { names: &["gemma"], ..GEMMA },
    Row {
        names: &["gemma2"],
        windows: Windows::Pattern { period: 2, default_size: Some(4096), rope: WindowRope::Same },
        attention_softcap: true,
        final_softcap: true,
        attention_scale: AttentionScale::EmbeddingPerHeadAt(46),
        ..GEMMA
    },
    Row {
        names: &["gemma3"],
        windows: Windows::Pattern { period: 6, default_size: None, rope: WindowRope::OwnBase },
        final_softcap: true,
        attention_scale: AttentionScale::EmbeddingPerHeadAt(62),
        ..GEMMA
    },
    Row { names: &["phi3"], ..NEOX },
    Row { names: &["granite", "granitemoe"], ..GRANITE },
    Row { names: &["glm4"], ..PLAIN },
    Row {
        names: &["gpt-oss"],
        post_attention_norm_is_pre_ffn: true,
        windows: Windows::Pattern { period: 2, default_size: None, rope: WindowRope::Same },
        activation: Activation::ClampedSwiglu,
        gating: Gating::SoftmaxOfChosen,
        normalize_experts: Some(false),
        ..NEOX
    },
    Row {
        names: &["olmo2"],
        windows: Windows::Pattern { period: 4, default_size: None, rope: WindowRope::Unscaled },
        ..NEOX
    },
    Row {
        names: &["exaone4"],
        windows: Windows::Pattern { period: 4, default_size: None, rope: WindowRope::Same },
        rope_layers: RopeLayers::WindowedIfAny,
        ..NEOX
    },
    Row {
        names: &["command-r"],
        norm: NormKind::Layer,
        residual: PARALLEL,
        logit_scale: LogitScale::Multiply,
        ..PLAIN
    },
    Row {
        names: &["cohere2"],
        norm: NormKind::Layer,
        residual: PARALLEL,
        logit_scale: LogitScale::Multiply,
        windows: Windows::Pattern { period: 4, default_size: None, rope: WindowRope::Same },
        rope_layers: RopeLayers::Windowed,
        dense_scales: true,
        ..PLAIN
    },
    Row { names: &["stablelm"], norm: NormKind::Layer, residual: ResidualRule::ParallelWithoutNorm, ..NEOX },
    Row { names: &["starcoder2"], ..CLASSIC },
    Row { names: &["smollm3"], rope_layers: RopeLayers::NotEvery(4), ..PLAIN },
    Row { names: &["lfm2"], windows: Windows::Every, ..NEOX },
    Row {
        names: &["deepseek2"],
        normalize_experts: None,
        temperature: true,
        yarn_log_divisor: Some(0.1),
        ..PLAIN
    },
    Row { names: &["internlm2", "ernie4_5", "xverse"], ..PLAIN },
    Row { names: &["exaone", "dream"], ..NEOX },
    Row { names: &["seed_oss"], post_attention_norm_is_pre_ffn: true, ..NEOX },
    Row { names: &["orion"], norm: NormKind::Layer, ..NEOX },
    Row { names: &["olmo"], norm: NormKind::Layer, norm_weights: false, ..PLAIN },
    Row { names: &["arcee"], activation: Activation::ReluSquared, ..PLAIN },
    Row { names: &["nemotron"], activation: Activation::ReluSquared, ..CLASSIC },
    Row { names: &["phi2"], residual: PARALLEL, ..CLASSIC },
    Row { names: &["gptneox"], residual: ResidualRule::Key, ..CLASSIC },
    Row { names: &["falcon"], residual: PARALLEL, ..CLASSIC },
    Row { names: &["gpt2", "starcoder"], rotation: None, ..CLASSIC },
    Row { names: &["bloom", "mpt"], rotation: None, alibi: Alibi::Max(8.0), ..CLASSIC },
    Row { names: &["baichuan"], alibi: Alibi::MaxAt { layers: 40, max: 8.0 }, ..PLAIN },
];

/// Returns the row of an architecture.
pub(super) fn row(architecture: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.names.contains(&architecture))
}

/// Lists the architectures that this program knows, sorted.
pub fn known_architectures() -> Vec<&'static str> {
    let mut names: Vec<_> = ROWS.iter().flat_map(|row| row.names.iter().copied()).collect();
    names.sort_unstable();
    names
}
