//! What files do not say about their architecture.

use super::row::{
    ActivationRule, Alibi, AttentionScale, EmbeddingScale, HeadNorms, LogitScale, NormPlaces, NormRule,
    ResidualRule, ResidualScale, RopeLayers, RoutingKeys, Row, Sections, Softcap, TemperatureRule,
    WindowBase, WindowRope, Windows,
};
use super::{Activation, GateFunction, Gating, NormKind, Residual, Rotation};

const PLAIN: Row = Row {
    names: &[],
    note: "plain",
    norm: NormRule::Fixed(NormKind::Rms),
    norm_places: NormPlaces::Before,
    attention_parts: &[],
    head_norms: HeadNorms::AsShaped,
    feed_forward_parts: &[],
    outer_parts: &[],
    norm_biases: false,
    last_norm_first: false,
    positions: false,
    clamp: false,
    value_scale: false,
    alpha: false,
    norm_weights: true,
    rotation: Some(Rotation::Adjacent),
    rope_layers: RopeLayers::All,
    sections: Sections::Ignored,
    activation: ActivationRule::Fixed(Activation::Silu),
    residual: ResidualRule::Fixed(Residual::Sequential),
    feed_forward_norm: "ffn_norm",
    post_attention_norm: Some("post_attention_norm"),
    qk_norm_last: false,
    qk_norm_weightless: false,
    gate: GateFunction::Sigmoid,
    pruned_layers: false,
    windows: Windows::Never,
    attention_softcap: Softcap::Never,
    final_softcap: Softcap::Never,
    embedding_scale: EmbeddingScale::One,
    embedding_norm: false,
    residual_scale: ResidualScale::One,
    logit_scale: LogitScale::One,
    attention_scale: AttentionScale::Inverse,
    alibi: Alibi::Never,
    temperature: TemperatureRule::Never,
    yarn_log_divisor: None,
    gating: Gating::Softmax,
    routing_keys: RoutingKeys::GatingAndScale,
    normalize_experts: Some(true),
    weights_first: false,
    routed_early: false,
    shared_suffix: "_shexp",
    shared_scale: 1.0,
    dense_scales: false,
    expert_scales: false,
    shared_scales: false,
    ignored: &[],
};

/// As [`PLAIN`], with the rotation of GPT-NeoX.
const NEOX: Row = Row { note: "halves", rotation: Some(Rotation::Halves), ..PLAIN };

/// GPT-2 and those that look like it: `LayerNorm`, plain GELU.
const CLASSIC: Row = Row {
    note: "classic",
    norm: LAYER_NORM,
    norm_biases: true,
    activation: ActivationRule::Fixed(Activation::Gelu),
    ..NEOX
};

const PHI3: Row = Row {
    note: "halves; fused matrices; long and short rotary factors; windows are not used, as in llama.cpp",
    ..NEOX
};

const GEMMA: Row = Row {
    activation: ActivationRule::Fixed(Activation::Gelu),
    embedding_scale: EmbeddingScale::SqrtEmbedding,
    ..NEOX
};

const GRANITE: Row = Row {
    routing_keys: RoutingKeys::None,
    note: "scales on embeddings, residuals, attention and logits",
    embedding_scale: EmbeddingScale::KeyOr(1.0),
    residual_scale: ResidualScale::Key,
    logit_scale: LogitScale::Divide,
    attention_scale: AttentionScale::Key,
    ..PLAIN
};

const LAYER_NORM: NormRule = NormRule::Fixed(NormKind::Layer);
const PARALLEL: ResidualRule = ResidualRule::Fixed(Residual::Parallel);

/// Windowed layers rotate as the others do, with a base of their own if the metadata has one.
const KEYED_BASE: WindowRope = WindowRope { base: WindowBase::KeyOrSame, scaled: true };
/// Windowed layers have a base of their own.
const OWN_BASE: WindowRope = WindowRope { base: WindowBase::KeyOr(10_000.0), scaled: false };
/// Windowed layers ignore scaling.
const UNSCALED: WindowRope = WindowRope { base: WindowBase::Same, scaled: false };

/// Windows on all but the last of `period` layers.
const fn windows(period: usize, default_size: Option<usize>, rope: WindowRope) -> Windows {
    Windows::Pattern {
        period,
        full_first: false,
        default_size,
        fixed_size: false,
        layers: None,
        chunked: false,
        rope,
    }
}

/// Windows on all but the first of `period` layers.
const fn windows_after_first(period: usize, default_size: Option<usize>, rope: WindowRope) -> Windows {
    Windows::Pattern {
        period,
        full_first: true,
        default_size,
        fixed_size: false,
        layers: None,
        chunked: false,
        rope,
    }
}

/// One row per family; see the book's page on architectures for where each fact comes from.
pub(super) const ROWS: &[Row] = &[
    Row {
        names: &["llama"],
        routing_keys: RoutingKeys::None,
        note: "plain; `rope_freqs` divide the frequencies",
        dense_scales: true,
        expert_scales: true,
        ..PLAIN
    },
    Row {
        names: &["deci"],
        note: "as `llama`; layers may lack attention, or have one matrix instead",
        pruned_layers: true,
        ..PLAIN
    },
    Row {
        names: &["llama4"],
        routing_keys: RoutingKeys::None,
        note: "chunked windows and weightless norm on rotated queries and keys; no rotation on every fourth layer, \
               whose queries are scaled by position; experts' weights multiply their inputs",
        windows: Windows::Pattern {
            period: 4,
            full_first: false,
            default_size: Some(8192),
            fixed_size: true,
            layers: None,
            chunked: true,
            rope: KEYED_BASE,
        },
        rope_layers: RopeLayers::NotEveryIfWindows(4),
        qk_norm_weightless: true,
        temperature: TemperatureRule::Unrotated { scale: 0.1, floor: 8192, offset: 1 },
        gating: Gating::Sigmoid,
        normalize_experts: Some(false),
        weights_first: true,
        ..PLAIN
    },
    Row {
        names: &["mistral3"],
        routing_keys: RoutingKeys::None,
        note: "as `llama`; queries are scaled by position",
        temperature: TemperatureRule::Key,
        yarn_log_divisor: Some(1.0),
        dense_scales: true,
        expert_scales: true,
        ..PLAIN
    },
    Row {
        names: &["qwen2vl", "paddleocr"],
        note: "halves; text of a multimodal model",
        sections: Sections::Blocks,
        ignored: &["output.bias"],
        ..NEOX
    },
    Row {
        names: &["qwen2moe"],
        routing_keys: RoutingKeys::None,
        outer_parts: &["output.weight"],
        note: "halves; chosen experts' weights are not normalized; a gated shared expert",
        normalize_experts: Some(false),
        ..NEOX
    },
    Row {
        names: &["qwen3"],
        head_norms: HeadNorms::EachHead,
        note: "halves; norm on queries and keys per head",
        dense_scales: true,
        ..NEOX
    },
    Row {
        names: &["qwen3moe"],
        routing_keys: RoutingKeys::None,
        head_norms: HeadNorms::EachHead,
        note: "halves; norm on queries and keys per head",
        expert_scales: true,
        ..NEOX
    },
    Row { names: &["qwen", "qwen2"], ..NEOX },
    Row {
        names: &["qwen3vl", "qwen3vlmoe"],
        head_norms: HeadNorms::EachHead,
        routing_keys: RoutingKeys::None,
        ..NEOX
    },
    Row {
        names: &["minimax-m2"],
        head_norms: HeadNorms::AllHeads,
        note: "halves; norm on all queries and keys at once; sigmoid gating",
        gating: Gating::Sigmoid,
        ..NEOX
    },
    Row {
        names: &["gemma"],
        feed_forward_parts: &["ffn_gate"],
        note: "halves; GELU-gated; embeddings × √length",
        ..GEMMA
    },
    Row {
        names: &["gemma2"],
        attention_parts: &["post_attention_norm"],
        feed_forward_parts: &["ffn_gate", "post_ffw_norm"],
        note: "as `gemma`; four norms a layer, soft caps, a window on every other layer",
        windows: windows(2, Some(4096), KEYED_BASE),
        attention_softcap: Softcap::KeyOr(50.0),
        final_softcap: Softcap::KeyOr(30.0),
        attention_scale: AttentionScale::EmbeddingPerHeadAt(46),
        ..GEMMA
    },
    Row {
        names: &["gemma3"],
        attention_parts: &["post_attention_norm"],
        feed_forward_parts: &["ffn_gate", "post_ffw_norm"],
        head_norms: HeadNorms::EachHead,
        note: "as `gemma`; norm on queries and keys, a window on five of six layers, which have their own base",
        windows: windows(6, None, OWN_BASE),
        final_softcap: Softcap::Key,
        attention_scale: AttentionScale::EmbeddingPerHeadAt(62),
        ..GEMMA
    },
    Row { names: &["phi3"], ..PHI3 },
    Row {
        names: &["phimoe"],
        outer_parts: &["output.weight", "output.bias"],
        norm_biases: true,
        routing_keys: RoutingKeys::None,
        ..PHI3
    },
    Row { names: &["granite"], rope_layers: RopeLayers::UnlessNotFinetuned, ..GRANITE },
    Row { names: &["granitemoe"], ..GRANITE },
    Row {
        names: &["granite_swa"],
        norm_places: NormPlaces::Either,
        note: "as `granite`; windows and rotation where the metadata says, attention sinks",
        rope_layers: RopeLayers::Pattern,
        windows: windows(1, None, WindowRope { base: WindowBase::Same, scaled: true }),
        ..GRANITE
    },
    Row {
        names: &["minicpm"],
        routing_keys: RoutingKeys::None,
        note: "as `granite`, with scales of its own where the file gives none",
        embedding_scale: EmbeddingScale::KeyOr(12.0),
        residual_scale: ResidualScale::KeyOrDepth(1.4),
        logit_scale: LogitScale::DivideByWidthOver(256.0),
        ..GRANITE
    },
    Row {
        names: &["minicpm3"],
        note: "latent attention; the scales of `minicpm`",
        embedding_scale: EmbeddingScale::KeyOr(12.0),
        residual_scale: ResidualScale::KeyOrDepth(1.4),
        logit_scale: LogitScale::DivideByWidthOver(256.0),
        ..NEOX
    },
    Row {
        names: &["glm4"],
        attention_parts: &["post_attention_norm", "post_ffw_norm"],
        note: "partial rotation; norms after attention and feed-forward",
        sections: Sections::Blocks,
        ..PLAIN
    },
    Row {
        names: &["glm4moe"],
        note: "halves; partial rotation; sigmoid gating; leading dense layers; predictors at the end are skipped",
        sections: Sections::Blocks,
        feed_forward_norm: "post_attention_norm",
        post_attention_norm: None,
        gating: Gating::Sigmoid,
        normalize_experts: None,
        ..NEOX
    },
    Row {
        names: &["gpt-oss"],
        routing_keys: RoutingKeys::None,
        outer_parts: &["output.weight"],
        attention_parts: &["attn_sinks"],
        note: "halves; attention sinks, a window on every other layer, clamped SwiGLU, softmax over the chosen experts",
        feed_forward_norm: "post_attention_norm",
        post_attention_norm: None,
        windows: windows(2, None, KEYED_BASE),
        activation: ActivationRule::Fixed(Activation::ClampedSwiglu),
        gating: Gating::SoftmaxOfChosen,
        normalize_experts: Some(false),
        ..NEOX
    },
    Row {
        names: &["olmo2"],
        norm_places: NormPlaces::After,
        head_norms: HeadNorms::AllHeads,
        note: "halves; norms only after each half; windowed layers ignore RoPE scaling",
        windows: windows(4, None, UNSCALED),
        ..NEOX
    },
    Row {
        names: &["mellum"],
        head_norms: HeadNorms::EachHead,
        routing_keys: RoutingKeys::None,
        norm_places: NormPlaces::Either,
        note: "halves; norm on queries and keys; a window on three of four layers, which ignore RoPE scaling",
        windows: windows(4, None, UNSCALED),
        expert_scales: true,
        ..NEOX
    },
    Row {
        names: &["exaone4"],
        norm_places: NormPlaces::After,
        head_norms: HeadNorms::EachHead,
        note: "halves; norms after each half; rotation on windowed layers only, if there are any",
        windows: Windows::Pattern {
            period: 4,
            full_first: false,
            default_size: Some(4096),
            fixed_size: false,
            layers: Some(64),
            chunked: false,
            rope: KEYED_BASE,
        },
        rope_layers: RopeLayers::WindowedIfAny,
        ..NEOX
    },
    Row {
        names: &["exaone-moe"],
        head_norms: HeadNorms::EachHead,
        norm_places: NormPlaces::Either,
        note: "halves; norm on queries and keys; a window and rotation on three of four layers",
        windows: windows(4, Some(128), KEYED_BASE),
        rope_layers: RopeLayers::Windowed,
        normalize_experts: None,
        ..NEOX
    },
    Row {
        names: &["afmoe"],
        attention_parts: &["post_attention_norm", "attn_gate"],
        norm_places: NormPlaces::Either,
        head_norms: HeadNorms::EachHead,
        note: "halves; embeddings × √length; gated attention; no rotation on every fourth layer; sigmoid gating",
        windows: windows(4, None, KEYED_BASE),
        rope_layers: RopeLayers::NotEvery(4),
        embedding_scale: EmbeddingScale::SqrtEmbedding,
        gating: Gating::Sigmoid,
        normalize_experts: None,
        ..NEOX
    },
    Row {
        names: &["laguna"],
        attention_parts: &["attn_gate"],
        head_norms: HeadNorms::EachHead,
        norm_places: NormPlaces::Either,
        note: "halves; attention gated by softplus; heads of layers differ; a window on three of four layers",
        windows: windows_after_first(4, None, WindowRope { base: WindowBase::KeyOrSame, scaled: false }),
        gate: GateFunction::Softplus,
        gating: Gating::Sigmoid,
        normalize_experts: None,
        ..NEOX
    },
    Row {
        names: &["mimo2"],
        norm_places: NormPlaces::Either,
        value_scale: true,
        ignored: &[
            "attn_qkv.scale",
            "attn_q.scale",
            "attn_q.bias",
            "attn_k.scale",
            "attn_k.bias",
            "attn_v.scale",
            "attn_v.bias",
        ],
        note: "halves; attention sinks; windows where the metadata says, with their own base; sigmoid gating",
        windows: windows(1, None, OWN_BASE),
        gating: Gating::Sigmoid,
        ..NEOX
    },
    Row {
        names: &["muse-glimmer"],
        norm_places: NormPlaces::Either,
        note: "embeddings are normalized; gated attention; a window and rotation on three of four layers",
        windows: windows(4, None, KEYED_BASE),
        rope_layers: RopeLayers::Windowed,
        embedding_norm: true,
        logit_scale: LogitScale::Multiply(1.0),
        final_softcap: Softcap::Key,
        ..PLAIN
    },
    Row {
        names: &["spark2_5"],
        attention_parts: &["attn_gate"],
        norm_places: NormPlaces::Either,
        note: "halves; GELU-gated; attention gated per head; windows where the metadata says",
        windows: windows(1, None, KEYED_BASE),
        activation: ActivationRule::Fixed(Activation::Gelu),
        ..NEOX
    },
    Row {
        names: &["smallthinker"],
        routing_keys: RoutingKeys::Gating,
        note: "halves; ReLU-gated; routers read the layer's input; a window and rotation on three of four layers",
        windows: Windows::Pattern {
            period: 4,
            full_first: true,
            default_size: Some(4096),
            fixed_size: true,
            layers: None,
            chunked: false,
            rope: KEYED_BASE,
        },
        rope_layers: RopeLayers::AfterFirstOf(4),
        activation: ActivationRule::Fixed(Activation::Relu),
        routed_early: true,
        ..NEOX
    },
    Row {
        names: &["command-r"],
        note: "LayerNorm; attention and feed-forward in parallel; logits × scale",
        norm: LAYER_NORM,
        residual: PARALLEL,
        logit_scale: LogitScale::Multiply(1.0),
        ..PLAIN
    },
    Row {
        names: &["cohere2"],
        note: "as `command-r`; a window and rotation on three of four layers",
        norm: LAYER_NORM,
        residual: PARALLEL,
        logit_scale: LogitScale::Multiply(1.0),
        windows: windows(4, None, KEYED_BASE),
        rope_layers: RopeLayers::Windowed,
        dense_scales: true,
        ..PLAIN
    },
    Row {
        names: &["cohere2moe"],
        norm_places: NormPlaces::Either,
        note: "as `cohere2`; the mean of chosen and shared experts; sigmoid gating",
        norm: NormRule::RmsIfKey,
        residual: PARALLEL,
        logit_scale: LogitScale::Multiply(1.0),
        windows: windows_after_first(4, None, KEYED_BASE),
        rope_layers: RopeLayers::WindowedOrDense,
        gating: Gating::Sigmoid,
        normalize_experts: None,
        shared_scale: 0.5,
        dense_scales: true,
        expert_scales: true,
        shared_scales: true,
        ..PLAIN
    },
    Row {
        names: &["stablelm"],
        norm_biases: true,
        outer_parts: &["output.weight"],
        note: "halves; LayerNorm; parallel where a layer has one norm",
        norm: LAYER_NORM,
        residual: ResidualRule::ParallelWithoutNorm,
        ..NEOX
    },
    Row { names: &["starcoder2", "codeshell"], ..CLASSIC },
    Row {
        names: &["pockettts"],
        norm_places: NormPlaces::Either,
        note: "classic, with the plain rotation; the text half of a speech model",
        rotation: Some(Rotation::Adjacent),
        ..CLASSIC
    },
    Row {
        names: &["smollm3"],
        note: "no rotation on every fourth layer",
        rope_layers: RopeLayers::NotEvery(4),
        ..PLAIN
    },
    Row {
        names: &["lfm2", "lfm2moe"],
        last_norm_first: true,
        head_norms: HeadNorms::EachHead,
        note: "halves; short convolutions instead of attention where a layer has no key heads",
        windows: Windows::Every,
        ..NEOX
    },
    Row {
        names: &["deepseek"],
        outer_parts: &["output.weight"],
        note: "leading dense layers; chosen experts' weights are not normalized; shared experts",
        normalize_experts: Some(false),
        ..PLAIN
    },
    Row {
        names: &["deepseek2", "mistral4"],
        note: "latent attention; leading dense layers; grouped experts",
        normalize_experts: None,
        temperature: TemperatureRule::Key,
        yarn_log_divisor: Some(0.1),
        ..PLAIN
    },
    Row { names: &["internlm2", "xverse", "chatglm"], ..PLAIN },
    Row {
        names: &["ernie4_5", "ernie4_5-moe"],
        routing_keys: RoutingKeys::None,
        ignored: &["attn_output.bias"],
        ..PLAIN
    },
    Row {
        names: &["nanbeige"],
        norm_places: NormPlaces::Either,
        note: "as `llama`",
        dense_scales: true,
        ..PLAIN
    },
    Row { names: &["exaone"], ..NEOX },
    Row {
        names: &["pangu-embedded"],
        norm_places: NormPlaces::Either,
        ignored: &["rope_freqs.weight"],
        ..NEOX
    },
    Row { names: &["openelm"], head_norms: HeadNorms::EachHead, ignored: &["attn_qkv.scale"], ..NEOX },
    Row {
        names: &["cogvlm"],
        norm_places: NormPlaces::Either,
        note: "halves; text of a multimodal model",
        ignored: &["attn_qkv.scale", "rope_freqs.weight"],
        ..NEOX
    },
    Row {
        names: &["bitnet"],
        attention_parts: &["attn_sub_norm"],
        feed_forward_parts: &["ffn_sub_norm"],
        note: "halves; norms inside attention and feed-forward",
        dense_scales: true,
        ..NEOX
    },
    Row {
        names: &["maincoder"],
        head_norms: HeadNorms::EachHead,
        norm_places: NormPlaces::Either,
        note: "norm on queries and keys after rotation",
        qk_norm_last: true,
        ..PLAIN
    },
    Row {
        names: &["hunyuan-dense", "hunyuan-moe"],
        routing_keys: RoutingKeys::None,
        head_norms: HeadNorms::EachHead,
        alpha: true,
        note: "halves; norm on queries and keys after rotation",
        qk_norm_last: true,
        ..NEOX
    },
    Row {
        names: &["hunyuan_vl"],
        head_norms: HeadNorms::EachHead,
        alpha: true,
        note: "as `hunyuan-dense`; text of a multimodal model",
        sections: Sections::Blocks,
        qk_norm_last: true,
        ..NEOX
    },
    Row {
        names: &["dots1", "bailingmoe2"],
        head_norms: HeadNorms::EachHead,
        note: "halves; norm on queries and keys; leading dense layers; shared experts",
        normalize_experts: None,
        ..NEOX
    },
    Row {
        names: &["hy_v3"],
        head_norms: HeadNorms::EachHead,
        norm_places: NormPlaces::Either,
        note: "halves; norm on queries and keys; sigmoid gating; a shared expert",
        gating: Gating::Sigmoid,
        normalize_experts: None,
        dense_scales: true,
        expert_scales: true,
        shared_scales: true,
        ..NEOX
    },
    Row {
        names: &["bailingmoe"],
        note: "queries scaled by 1/√(rotated dimensions); shared experts",
        attention_scale: AttentionScale::Rotated,
        normalize_experts: None,
        ..PLAIN
    },
    Row {
        names: &["olmoe"],
        routing_keys: RoutingKeys::None,
        outer_parts: &["output.weight"],
        head_norms: HeadNorms::AllHeads,
        note: "halves; norm on all queries and keys at once; chosen experts' weights are not normalized",
        normalize_experts: Some(false),
        ..NEOX
    },
    Row {
        names: &["arctic"],
        routing_keys: RoutingKeys::None,
        note: "a dense feed-forward, and beside it experts that read the layer's input",
        ..PLAIN
    },
    Row {
        names: &["grok"],
        attention_parts: &["attn_output_norm", "layer_output_norm"],
        routing_keys: RoutingKeys::None,
        note: "halves; soft caps; norms after each half; GELU experts, averaged with a dense feed-forward",
        activation: ActivationRule::Fixed(Activation::Gelu),
        post_attention_norm: Some("attn_output_norm"),
        embedding_scale: EmbeddingScale::KeyOr(78.383_67),
        logit_scale: LogitScale::Multiply(0.577_350_26),
        attention_scale: AttentionScale::OutputKeyOr(0.088_388_346),
        attention_softcap: Softcap::KeyOr(30.0),
        final_softcap: Softcap::Key,
        shared_suffix: "",
        shared_scale: std::f32::consts::FRAC_1_SQRT_2,
        ..NEOX
    },
    Row {
        names: &["dbrx"],
        routing_keys: RoutingKeys::None,
        outer_parts: &["output.weight"],
        clamp: true,
        note: "halves; LayerNorm; queries, keys and values are clamped",
        norm: LAYER_NORM,
        feed_forward_norm: "attn_output_norm",
        post_attention_norm: None,
        ..NEOX
    },
    Row {
        names: &["seed_oss"],
        note: "halves; see the name trap",
        feed_forward_norm: "post_attention_norm",
        post_attention_norm: None,
        ..NEOX
    },
    Row {
        names: &["apertus"],
        head_norms: HeadNorms::EachHead,
        note: "halves; norm on queries and keys; xIELU, not gated",
        activation: ActivationRule::Xielu,
        ..NEOX
    },
    Row {
        names: &["plamo"],
        outer_parts: &["output.weight"],
        note: "halves; attention and feed-forward in parallel",
        residual: PARALLEL,
        ..NEOX
    },
    Row {
        names: &["plamo3"],
        head_norms: HeadNorms::EachHead,
        norm_places: NormPlaces::Either,
        note: "halves; four norms a layer; norm on queries and keys; a window on seven of eight layers",
        ignored: &["attn_qkv.scale"],
        windows: windows(8, None, OWN_BASE),
        ..NEOX
    },
    Row {
        names: &["orion"],
        norm_biases: true,
        outer_parts: &["output.weight"],
        note: "halves; LayerNorm",
        norm: LAYER_NORM,
        ..NEOX
    },
    Row {
        names: &["olmo"],
        clamp: true,
        note: "LayerNorm without weights",
        norm: LAYER_NORM,
        norm_weights: false,
        ..PLAIN
    },
    Row {
        names: &["arcee"],
        note: "squared ReLU, not gated",
        activation: ActivationRule::Fixed(Activation::ReluSquared),
        ..PLAIN
    },
    Row {
        names: &["nemotron", "jais2"],
        norm_places: NormPlaces::Either,
        note: "classic; squared ReLU",
        activation: ActivationRule::Fixed(Activation::ReluSquared),
        ..CLASSIC
    },
    Row { names: &["falcon"], note: "classic; parallel", residual: PARALLEL, ..CLASSIC },
    Row {
        names: &["phi2"],
        outer_parts: &["output.weight", "output.bias"],
        note: "classic; parallel",
        residual: PARALLEL,
        ..CLASSIC
    },
    Row {
        names: &["gptneox"],
        outer_parts: &["output.weight"],
        note: "classic; parallel if the metadata says so",
        residual: ResidualRule::Key,
        ..CLASSIC
    },
    Row {
        names: &["gpt2", "starcoder"],
        positions: true,
        outer_parts: &["position_embd.weight"],
        note: "classic; learned positions",
        rotation: None,
        ..CLASSIC
    },
    Row {
        names: &["bloom"],
        outer_parts: &["token_embd_norm.weight"],
        note: "classic; ALiBi",
        rotation: None,
        alibi: Alibi::Max(8.0),
        ..CLASSIC
    },
    Row {
        names: &["mpt"],
        norm_biases: false,
        positions: true,
        clamp: true,
        note: "classic; ALiBi if the metadata says so",
        rotation: None,
        alibi: Alibi::Key,
        ..CLASSIC
    },
    Row {
        names: &["refact"],
        note: "ALiBi",
        rotation: None,
        alibi: Alibi::Max(8.0),
        ignored: &["attn_output.bias", "ffn_gate.bias", "ffn_up.bias", "ffn_down.bias"],
        ..PLAIN
    },
    Row {
        names: &["jais"],
        norm_biases: true,
        outer_parts: &["output.weight"],
        note: "LayerNorm; ALiBi; queries scaled by 1/(head length)",
        norm: LAYER_NORM,
        rotation: None,
        alibi: Alibi::Key,
        attention_scale: AttentionScale::Whole,
        ..PLAIN
    },
    Row {
        names: &["baichuan"],
        note: "rotation in the model of 32 layers, ALiBi in that of 40",
        rope_layers: RopeLayers::InModelsOf(32),
        alibi: Alibi::MaxAt { layers: 40, max: 8.0 },
        ..PLAIN
    },
];

/// The architectures whose layers may have experts. A name that shares a row with one of these need not be among them.
const WITH_EXPERTS: &[&str] = &[
    "afmoe",
    "arctic",
    "bailingmoe",
    "bailingmoe2",
    "cohere2moe",
    "dbrx",
    "deepseek",
    "deepseek2",
    "dots1",
    "ernie4_5-moe",
    "exaone-moe",
    "glm4moe",
    "gpt-oss",
    "granite",
    "granitemoe",
    "grok",
    "hunyuan-moe",
    "hy_v3",
    "laguna",
    "lfm2moe",
    "llama",
    "llama4",
    "mellum",
    "mimo2",
    "minicpm",
    "minimax-m2",
    "mistral3",
    "mistral4",
    "olmoe",
    "phimoe",
    "qwen2moe",
    "qwen3moe",
    "qwen3vlmoe",
    "smallthinker",
];

/// Whether layers of an architecture may have experts.
pub(super) fn may_have_experts(architecture: &str) -> bool {
    WITH_EXPERTS.contains(&architecture)
}

/// Returns the row of an architecture.
pub(super) fn row(architecture: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.names.contains(&architecture))
}

/// Says in a few words what is special about an architecture; nothing for one that is not known.
pub fn architecture_note(architecture: &str) -> Option<&'static str> {
    row(architecture).map(|row| row.note)
}

/// Lists the architectures that this program knows, sorted.
pub fn known_architectures() -> Vec<&'static str> {
    let mut names: Vec<_> = ROWS.iter().flat_map(|row| row.names.iter().copied()).collect();
    names.sort_unstable();
    names
}
