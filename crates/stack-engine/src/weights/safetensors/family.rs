//! The families of models, as rows of a table: what Hugging Face calls them and how their tensors become GGUF's.

use super::config::Config;
use super::keys::{self, Extra};

/// A family, and what is particular about its tensors.
#[derive(Debug)]
pub(super) struct Family {
    /// The model classes that `config.json` may name.
    pub(super) classes: &'static [&'static str],
    /// The architecture's name in GGUF.
    pub(super) arch: &'static str,
    /// How its matrices are laid out.
    pub(super) layout: Layout,
    /// What `post_attention_layernorm` is: the norm before the feed-forward half, or one after attention.
    pub(super) post_attention: &'static str,
    /// Whether the weights of norms are stored less one.
    pub(super) norms_less_one: bool,
    /// Whether the embeddings are also the output matrix where the configuration does not say.
    pub(super) tied: bool,
    /// The non-linearity of feed-forwards.
    pub(super) activation: ActivationNames,
    /// Which matrices have biases, and which settings say so.
    pub(super) biases: &'static [Bias],
    /// Which layers see only a window.
    pub(super) windows: WindowSettings,
    /// The base of the rotation where the configuration does not say; families without rotation do not ask.
    pub(super) rope_base: f64,
    /// The part of a head that is rotated where the configuration does not say; `None` = it cannot say otherwise.
    pub(super) rope_part: Option<f64>,
    /// The metadata that only this family has.
    pub(super) extra: Option<Extra>,
}

/// Names of the non-linearity that is computed; the first is what a configuration means that does not say.
pub(super) type ActivationNames = &'static [&'static str];

const SILU: ActivationNames = &["silu", "swish"];
/// All are computed by the tangent, as in llama.cpp; the exact form differs in the fourth digit.
const GELU: ActivationNames = &["gelu_new", "gelu", "gelu_fast", "gelu_pytorch_tanh", "gelu_python"];
const RELU2: ActivationNames = &["relu2"];

/// Some matrices of every layer that have biases, or not, together.
#[derive(Debug)]
pub(super) struct Bias {
    /// The setting that says so; `None` = no setting does.
    pub(super) setting: Option<&'static str>,
    /// What is so where no setting says otherwise.
    pub(super) default: bool,
    /// How the names of the matrices end.
    pub(super) matrices: &'static [&'static str],
}

const fn bias(setting: &'static str, default: bool, matrices: &'static [&'static str]) -> Bias {
    Bias { setting: Some(setting), default, matrices }
}

const fn always(matrices: &'static [&'static str]) -> Bias {
    Bias { setting: None, default: true, matrices }
}

const fn never(matrices: &'static [&'static str]) -> Bias {
    Bias { setting: None, default: false, matrices }
}

const QKV: &[&str] = &["q_proj", "k_proj", "v_proj", "qkv_proj"];
const OUT: &[&str] = &["o_proj"];
const ATTENTION: &[&str] = &["q_proj", "k_proj", "v_proj", "qkv_proj", "o_proj"];
const MLP: &[&str] = &["gate_proj", "up_proj", "down_proj", "gate_up_proj", "fc1", "fc2"];
const ALL: &[&str] =
    &["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "c_fc", "c_proj"];

const NO_BIASES: &[Bias] = &[never(ATTENTION), never(MLP)];
const FLAGGED: &[Bias] = &[bias("attention_bias", false, ATTENTION), bias("mlp_bias", false, MLP)];
const FLAGGED_ATTENTION: &[Bias] = &[bias("attention_bias", false, ATTENTION), never(MLP)];

/// How a configuration says which layers see only a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WindowSettings {
    /// There are none.
    None,
    /// All, if `sliding_window` is set; of this many tokens if it is not there.
    All(Option<usize>),
    /// Where `use_sliding_window` says so, those from `max_window_layers` on.
    Upper,
    /// Where `use_sliding_window` says so, those without rotation.
    Unrotated,
    /// Where `use_sliding_window` says so, all.
    Flagged,
    /// As `layer_types` says, or all but each n-th; of this many tokens if `sliding_window` is not there.
    Pattern { period: usize, size: usize },
    /// As the row before, where `sliding_window` is set.
    PatternIfSet { period: usize },
}

/// How the matrices of a family differ from GGUF's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// They do not.
    Same,
    /// Rows of q and k are in halves to be rotated together, but GGUF has neighbours.
    RotatedHalves,
    /// Rows of the fused q, k and v are by head first.
    FusedByHead,
    /// Matrices are stored the other way round.
    Transposed,
}

const PLAIN: Family = Family {
    classes: &[],
    arch: "",
    layout: Layout::Same,
    post_attention: "ffn_norm",
    norms_less_one: false,
    tied: false,
    activation: SILU,
    biases: NO_BIASES,
    windows: WindowSettings::None,
    rope_base: 10_000.0,
    rope_part: None,
    extra: None,
};

const GEMMA: Family = Family {
    post_attention: "post_attention_norm",
    norms_less_one: true,
    tied: true,
    activation: &["gelu_pytorch_tanh"],
    biases: FLAGGED_ATTENTION,
    ..PLAIN
};

const LLAMA: Family =
    Family { layout: Layout::RotatedHalves, biases: FLAGGED, extra: Some(keys::llama), ..PLAIN };

const MISTRAL: Family = Family { arch: "llama", biases: NO_BIASES, ..LLAMA };

const QWEN: Family = Family { windows: WindowSettings::Upper, biases: FLAGGED_ATTENTION, ..PLAIN };

/// The biases of queries, keys and values have no setting.
const QWEN2_BIASES: &[Bias] = &[always(QKV), never(OUT), never(MLP)];

const FAMILIES: &[Family] = &[
    Family { classes: &["LlamaForCausalLM", "LlamaModel"], arch: "llama", ..LLAMA },
    Family { classes: &["MistralForCausalLM"], windows: WindowSettings::All(Some(4096)), ..MISTRAL },
    Family {
        classes: &["MixtralForCausalLM"],
        windows: WindowSettings::All(None),
        rope_base: 1e6,
        ..MISTRAL
    },
    Family {
        classes: &["InternLM3ForCausalLM"],
        biases: &[bias("qkv_bias", false, QKV), bias("bias", false, OUT), bias("bias", false, MLP)],
        ..MISTRAL
    },
    Family {
        classes: &["SmolLM3ForCausalLM"],
        arch: "smollm3",
        tied: true,
        windows: WindowSettings::Unrotated,
        rope_base: 2e6,
        extra: Some(keys::smollm3),
        ..LLAMA
    },
    Family { classes: &["ArceeForCausalLM"], arch: "arcee", activation: RELU2, ..LLAMA },
    Family { classes: &["GraniteForCausalLM"], arch: "granite", extra: Some(keys::granite), ..LLAMA },
    Family {
        classes: &["MiniCPMForCausalLM"],
        arch: "minicpm",
        tied: true,
        biases: FLAGGED_ATTENTION,
        extra: Some(keys::minicpm),
        ..LLAMA
    },
    Family { classes: &["Qwen2ForCausalLM", "Qwen2Model"], arch: "qwen2", biases: QWEN2_BIASES, ..QWEN },
    Family {
        classes: &["Qwen2MoeForCausalLM"],
        arch: "qwen2moe",
        biases: &[bias("qkv_bias", true, QKV), never(OUT), never(MLP)],
        extra: Some(keys::qwen2_moe),
        ..QWEN
    },
    Family { classes: &["Qwen3ForCausalLM", "Qwen3Model"], arch: "qwen3", ..QWEN },
    Family {
        classes: &["Qwen3MoeForCausalLM"],
        arch: "qwen3moe",
        windows: WindowSettings::Flagged,
        extra: Some(keys::qwen3_moe),
        ..QWEN
    },
    Family {
        classes: &["GemmaForCausalLM"],
        arch: "gemma",
        post_attention: "ffn_norm",
        // Its first configurations say `gelu`, and always meant the tangent.
        activation: &["gelu_pytorch_tanh", "gelu"],
        ..GEMMA
    },
    Family {
        classes: &["Gemma2ForCausalLM"],
        arch: "gemma2",
        windows: WindowSettings::Pattern { period: 2, size: 4096 },
        extra: Some(keys::gemma2),
        ..GEMMA
    },
    Family {
        classes: &["Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"],
        arch: "gemma3",
        windows: WindowSettings::Pattern { period: 6, size: 4096 },
        rope_base: 1e6,
        extra: Some(keys::gemma3),
        ..GEMMA
    },
    Family {
        classes: &["Phi3ForCausalLM"],
        arch: "phi3",
        windows: WindowSettings::All(None),
        rope_part: Some(1.0),
        extra: Some(keys::phi3),
        ..PLAIN
    },
    Family {
        classes: &["PhiForCausalLM"],
        arch: "phi2",
        activation: GELU,
        biases: &[always(&["q_proj", "k_proj", "v_proj", "self_attn.dense"]), always(MLP)],
        rope_part: Some(0.5),
        extra: Some(keys::phi2),
        ..PLAIN
    },
    Family {
        classes: &["Olmo2ForCausalLM"],
        arch: "olmo2",
        post_attention: "post_attention_norm",
        biases: FLAGGED_ATTENTION,
        ..PLAIN
    },
    Family {
        classes: &["Olmo3ForCausalLM"],
        arch: "olmo2",
        post_attention: "post_attention_norm",
        biases: FLAGGED_ATTENTION,
        windows: WindowSettings::Pattern { period: 4, size: 4096 },
        rope_base: 5e5,
        ..PLAIN
    },
    Family {
        classes: &["OlmoForCausalLM"],
        arch: "olmo",
        biases: FLAGGED_ATTENTION,
        extra: Some(keys::olmo),
        ..LLAMA
    },
    Family {
        classes: &["OlmoeForCausalLM"],
        arch: "olmoe",
        biases: FLAGGED_ATTENTION,
        extra: Some(keys::olmoe),
        ..PLAIN
    },
    Family {
        classes: &["Starcoder2ForCausalLM"],
        arch: "starcoder2",
        tied: true,
        activation: GELU,
        biases: &[bias("use_bias", true, ALL)],
        windows: WindowSettings::All(None),
        ..PLAIN
    },
    Family {
        classes: &["Glm4ForCausalLM"],
        arch: "glm4",
        biases: &[bias("attention_bias", true, QKV), never(OUT), never(MLP)],
        rope_part: Some(0.5),
        extra: Some(keys::glm4),
        ..PLAIN
    },
    Family {
        classes: &["StableLmForCausalLM"],
        arch: "stablelm",
        biases: &[bias("use_qkv_bias", false, QKV), never(OUT), never(MLP)],
        rope_part: Some(0.25),
        extra: Some(keys::stablelm),
        ..PLAIN
    },
    Family {
        classes: &["CohereForCausalLM"],
        arch: "command-r",
        tied: true,
        biases: FLAGGED_ATTENTION,
        rope_base: 5e5,
        extra: Some(keys::command_r),
        ..PLAIN
    },
    Family {
        classes: &["Cohere2ForCausalLM"],
        arch: "cohere2",
        tied: true,
        biases: FLAGGED_ATTENTION,
        windows: WindowSettings::Pattern { period: 4, size: 4096 },
        rope_part: Some(1.0),
        extra: Some(keys::cohere2),
        ..PLAIN
    },
    Family {
        classes: &["NemotronForCausalLM"],
        arch: "nemotron",
        norms_less_one: true,
        activation: RELU2,
        biases: FLAGGED,
        rope_part: Some(0.5),
        extra: Some(keys::nemotron),
        ..PLAIN
    },
    Family {
        classes: &["SeedOssForCausalLM"],
        arch: "seed_oss",
        post_attention: "post_attention_norm",
        biases: &[
            bias("attention_bias", true, QKV),
            bias("attention_out_bias", false, OUT),
            bias("mlp_bias", false, MLP),
        ],
        ..PLAIN
    },
    Family {
        classes: &["Exaone4ForCausalLM"],
        arch: "exaone4",
        post_attention: "post_attention_norm",
        windows: WindowSettings::PatternIfSet { period: 4 },
        extra: Some(keys::exaone4),
        ..PLAIN
    },
    Family {
        classes: &["Ernie4_5_ForCausalLM", "Ernie4_5ForCausalLM"],
        arch: "ernie4_5",
        tied: true,
        biases: &[bias("use_bias", false, ALL)],
        rope_base: 5e5,
        ..PLAIN
    },
    Family {
        classes: &["GPTNeoXForCausalLM"],
        arch: "gptneox",
        layout: Layout::FusedByHead,
        activation: GELU,
        biases: &[
            bias("attention_bias", true, &["query_key_value", "attention.dense"]),
            always(&["dense_h_to_4h", "dense_4h_to_h"]),
        ],
        rope_part: Some(0.25),
        extra: Some(keys::gptneox),
        ..PLAIN
    },
    Family {
        classes: &["GPT2LMHeadModel"],
        arch: "gpt2",
        layout: Layout::Transposed,
        tied: true,
        activation: GELU,
        biases: &[always(&["c_attn", "c_proj", "c_fc"])],
        extra: Some(keys::gpt2),
        ..PLAIN
    },
];

impl Family {
    /// Finds the family that a configuration names; the error lists the known ones.
    pub(super) fn of(config: &Config<'_>) -> Result<&'static Self, super::super::LoadError> {
        let named = config.texts(&["architectures"])?.unwrap_or_default();
        let found = FAMILIES.iter().find(|family| named.iter().any(|name| family.classes.contains(name)));
        found.ok_or_else(|| {
            let known: Vec<_> = FAMILIES.iter().flat_map(|family| family.classes).copied().collect();
            let problem = format!("names {named:?}; known are {}", known.join(", "));
            super::super::LoadError::new("config.json, architectures", problem)
                .of_kind(super::super::LoadErrorKind::UnknownArchitecture)
        })
    }
}

/// Where a tensor of a directory goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Destination {
    /// The name in GGUF.
    pub(super) name: String,
    /// Which of several tensors that are stacked it is: an expert, a head.
    pub(super) part: Option<usize>,
}

/// Translates a tensor's name: `Ok(None)` for one that is not needed, `Err` for one that is not known.
pub(super) fn destination(family: &Family, name: &str) -> Result<Option<Destination>, ()> {
    if IGNORED.iter().any(|ignored| name.contains(ignored))
        || IGNORED_ENDS.iter().any(|end| name.ends_with(end))
    {
        return Ok(None);
    }
    let mut path = name;
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| path.strip_prefix(prefix)) {
        path = rest;
    }
    let (stem, kind) = path.rsplit_once('.').ok_or(())?;
    if !matches!(kind, "weight" | "bias") {
        return Err(());
    }
    let Some(layer) = stem.strip_prefix("layers.").or_else(|| stem.strip_prefix("h.")) else {
        let (_, to) = MODEL.iter().find(|(from, _)| *from == stem).ok_or(())?;
        return Ok(Some(Destination { name: format!("{to}.{kind}"), part: None }));
    };
    let (index, stem) = layer.split_once('.').ok_or(())?;
    let index: u32 = index.parse().map_err(|_| ())?;
    let mut part = None;
    let pattern: Vec<&str> = stem
        .split('.')
        .map(|word| match word.parse() {
            Ok(number) => {
                part = Some(number);
                "*"
            }
            Err(_) => word,
        })
        .collect();
    let pattern = pattern.join(".");
    let to = if pattern == "post_attention_layernorm" {
        family.post_attention
    } else {
        LAYER.iter().find(|(from, _)| *from == pattern).ok_or(())?.1
    };
    Ok(Some(Destination { name: format!("blk.{index}.{to}.{kind}"), part }))
}

/// Vision and audio, and buffers that are computed anew.
const IGNORED: &[&str] = &[
    "vision_",
    "vision.",
    "visual.",
    "audio_",
    "audio.",
    "projector.",
    "rotary_emb",
    "masked_bias",
    "position_ids",
];

/// GPT-2's and GPT-NeoX's causal masks; the biases of their matrices are called otherwise.
const IGNORED_ENDS: &[&str] = &[".attn.bias", ".attention.bias"];

const PREFIXES: &[&str] = &["language_model.", "model.", "transformer.", "gpt_neox."];

/// Tensors outside the layers.
pub(super) const MODEL: &[(&str, &str)] = &[
    ("embed_tokens", "token_embd"),
    ("embed_in", "token_embd"),
    ("wte", "token_embd"),
    ("wpe", "position_embd"),
    ("norm", "output_norm"),
    ("final_layernorm", "output_norm"),
    ("final_layer_norm", "output_norm"),
    ("ln_f", "output_norm"),
    ("lm_head", "output"),
    ("embed_out", "output"),
];

/// Tensors of a layer; a star stands for a number.
pub(super) const LAYER: &[(&str, &str)] = &[
    ("input_layernorm", "attn_norm"),
    ("ln_1", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.qkv_proj", "attn_qkv"),
    ("attention.query_key_value", "attn_qkv"),
    ("attn.c_attn", "attn_qkv"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("self_attn.q_layernorm", "attn_q_norm"),
    ("self_attn.k_layernorm", "attn_k_norm"),
    ("self_attn.q_layernorm.norms.*", "attn_q_norm"),
    ("self_attn.k_layernorm.norms.*", "attn_k_norm"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.dense", "attn_output"),
    ("attention.dense", "attn_output"),
    ("attn.c_proj", "attn_output"),
    ("post_self_attn_layernorm", "post_attention_norm"),
    ("pre_feedforward_layernorm", "ffn_norm"),
    ("ln_2", "ffn_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.gate_up_proj", "ffn_up"),
    ("mlp.fc1", "ffn_up"),
    ("mlp.c_fc", "ffn_up"),
    ("mlp.dense_h_to_4h", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
    ("mlp.fc2", "ffn_down"),
    ("mlp.c_proj", "ffn_down"),
    ("mlp.dense_4h_to_h", "ffn_down"),
    ("post_feedforward_layernorm", "post_ffw_norm"),
    ("post_mlp_layernorm", "post_ffw_norm"),
    ("mlp.gate", "ffn_gate_inp"),
    ("mlp.experts.*.gate_proj", "ffn_gate_exps"),
    ("mlp.experts.*.up_proj", "ffn_up_exps"),
    ("mlp.experts.*.down_proj", "ffn_down_exps"),
    ("mlp.shared_expert_gate", "ffn_gate_inp_shexp"),
    ("mlp.shared_expert.gate_proj", "ffn_gate_shexp"),
    ("mlp.shared_expert.up_proj", "ffn_up_shexp"),
    ("mlp.shared_expert.down_proj", "ffn_down_shexp"),
    ("block_sparse_moe.gate", "ffn_gate_inp"),
    ("block_sparse_moe.experts.*.w1", "ffn_gate_exps"),
    ("block_sparse_moe.experts.*.w3", "ffn_up_exps"),
    ("block_sparse_moe.experts.*.w2", "ffn_down_exps"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn by_arch(arch: &str) -> &'static Family {
        FAMILIES.iter().find(|family| family.arch == arch).unwrap()
    }

    fn name(arch: &str, from: &str) -> Option<String> {
        destination(by_arch(arch), from).unwrap().map(|destination| destination.name)
    }

    #[test]
    fn names_become_those_of_gguf() {
        let pairs = [
            ("llama", "model.embed_tokens.weight", "token_embd.weight"),
            ("llama", "model.layers.11.post_attention_layernorm.weight", "blk.11.ffn_norm.weight"),
            ("gemma2", "model.layers.0.post_attention_layernorm.weight", "blk.0.post_attention_norm.weight"),
            ("gemma3", "language_model.model.layers.3.self_attn.q_norm.weight", "blk.3.attn_q_norm.weight"),
            ("gptneox", "gpt_neox.layers.2.attention.query_key_value.bias", "blk.2.attn_qkv.bias"),
            ("gpt2", "h.0.attn.c_attn.bias", "blk.0.attn_qkv.bias"),
            ("gpt2", "transformer.wpe.weight", "position_embd.weight"),
            ("glm4", "model.layers.1.post_self_attn_layernorm.weight", "blk.1.post_attention_norm.weight"),
            ("phi2", "lm_head.bias", "output.bias"),
        ];
        for (arch, from, to) in pairs {
            assert_eq!(name(arch, from).as_deref(), Some(to));
        }
    }

    #[test]
    fn experts_and_heads_are_parts() {
        let found =
            destination(by_arch("llama"), "model.layers.4.block_sparse_moe.experts.7.w2.weight").unwrap();
        assert_eq!(found, Some(Destination { name: "blk.4.ffn_down_exps.weight".to_owned(), part: Some(7) }));
        let found =
            destination(by_arch("stablelm"), "model.layers.0.self_attn.k_layernorm.norms.1.weight").unwrap();
        assert_eq!(found, Some(Destination { name: "blk.0.attn_k_norm.weight".to_owned(), part: Some(1) }));
    }

    #[test]
    fn what_is_not_needed_is_left_and_what_is_not_known_is_refused() {
        assert_eq!(name("gpt2", "h.0.attn.bias"), None);
        assert_eq!(name("llama", "model.layers.0.self_attn.rotary_emb.inv_freq"), None);
        assert_eq!(name("gemma3", "vision_tower.encoder.layers.0.mlp.fc1.weight"), None);
        for unknown in
            ["", "x", "model.layers.0", "model.layers.x.mlp.up_proj.weight", "model.layers.0.y.weight"]
        {
            assert_eq!(destination(by_arch("llama"), unknown), Err(()));
        }
    }
}
