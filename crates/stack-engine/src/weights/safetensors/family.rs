//! The families of models, as rows of a table: what Hugging Face calls them and how their tensors become GGUF's.

use super::config::Config;
use super::keys::{self, Extra};

/// A family, and what is particular about its tensors.
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
    /// Whether an output matrix is to be ignored, because the embeddings are always used.
    pub(super) always_tied: bool,
    /// The metadata that only this family has.
    pub(super) extra: Option<Extra>,
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
    always_tied: false,
    extra: None,
};

const GEMMA: Family =
    Family { post_attention: "post_attention_norm", norms_less_one: true, always_tied: true, ..PLAIN };

const LLAMA: Family = Family { layout: Layout::RotatedHalves, extra: Some(keys::llama), ..PLAIN };

const FAMILIES: &[Family] = &[
    Family {
        classes: &[
            "LlamaForCausalLM",
            "LlamaModel",
            "MistralForCausalLM",
            "MixtralForCausalLM",
            "InternLM3ForCausalLM",
        ],
        arch: "llama",
        ..LLAMA
    },
    Family { classes: &["SmolLM3ForCausalLM"], arch: "smollm3", ..LLAMA },
    Family { classes: &["ArceeForCausalLM"], arch: "arcee", ..LLAMA },
    Family { classes: &["GraniteForCausalLM"], arch: "granite", extra: Some(keys::granite), ..LLAMA },
    Family { classes: &["MiniCPMForCausalLM"], arch: "minicpm", extra: Some(keys::minicpm), ..LLAMA },
    Family { classes: &["Qwen2ForCausalLM", "Qwen2Model"], arch: "qwen2", ..PLAIN },
    Family { classes: &["Qwen2MoeForCausalLM"], arch: "qwen2moe", extra: Some(keys::qwen_moe), ..PLAIN },
    Family { classes: &["Qwen3ForCausalLM", "Qwen3Model"], arch: "qwen3", ..PLAIN },
    Family { classes: &["Qwen3MoeForCausalLM"], arch: "qwen3moe", extra: Some(keys::qwen_moe), ..PLAIN },
    Family { classes: &["GemmaForCausalLM"], arch: "gemma", post_attention: "ffn_norm", ..GEMMA },
    Family { classes: &["Gemma2ForCausalLM"], arch: "gemma2", extra: Some(keys::gemma2), ..GEMMA },
    Family {
        classes: &["Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"],
        arch: "gemma3",
        extra: Some(keys::gemma3),
        ..GEMMA
    },
    Family { classes: &["Phi3ForCausalLM"], arch: "phi3", extra: Some(keys::phi3), ..PLAIN },
    Family { classes: &["PhiForCausalLM"], arch: "phi2", extra: Some(keys::phi2), ..PLAIN },
    Family {
        classes: &["Olmo2ForCausalLM", "Olmo3ForCausalLM"],
        arch: "olmo2",
        post_attention: "post_attention_norm",
        extra: Some(keys::olmo2),
        ..PLAIN
    },
    Family { classes: &["OlmoForCausalLM"], arch: "olmo", extra: Some(keys::olmo), ..LLAMA },
    Family { classes: &["OlmoeForCausalLM"], arch: "olmoe", ..PLAIN },
    Family { classes: &["Starcoder2ForCausalLM"], arch: "starcoder2", ..PLAIN },
    Family { classes: &["Glm4ForCausalLM"], arch: "glm4", extra: Some(keys::glm4), ..PLAIN },
    Family { classes: &["StableLmForCausalLM"], arch: "stablelm", extra: Some(keys::stablelm), ..PLAIN },
    Family { classes: &["CohereForCausalLM"], arch: "command-r", extra: Some(keys::command_r), ..PLAIN },
    Family { classes: &["Cohere2ForCausalLM"], arch: "cohere2", extra: Some(keys::cohere2), ..PLAIN },
    Family {
        classes: &["NemotronForCausalLM"],
        arch: "nemotron",
        norms_less_one: true,
        extra: Some(keys::nemotron),
        ..PLAIN
    },
    Family {
        classes: &["SeedOssForCausalLM"],
        arch: "seed_oss",
        post_attention: "post_attention_norm",
        ..PLAIN
    },
    Family {
        classes: &["Exaone4ForCausalLM"],
        arch: "exaone4",
        post_attention: "post_attention_norm",
        extra: Some(keys::exaone4),
        ..PLAIN
    },
    Family { classes: &["Ernie4_5_ForCausalLM", "Ernie4_5ForCausalLM"], arch: "ernie4_5", ..PLAIN },
    Family {
        classes: &["GPTNeoXForCausalLM"],
        arch: "gptneox",
        layout: Layout::FusedByHead,
        extra: Some(keys::gptneox),
        ..PLAIN
    },
    Family {
        classes: &["GPT2LMHeadModel"],
        arch: "gpt2",
        layout: Layout::Transposed,
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
        })
    }
}

/// Where a tensor of a directory goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The name in GGUF.
    pub(super) name: String,
    /// Which of several tensors that are stacked it is: an expert, a head.
    pub(super) part: Option<usize>,
}

/// Translates a tensor's name: `Ok(None)` for one that is not needed, `Err` for one that is not known.
pub(super) fn target(family: &Family, name: &str) -> Result<Option<Target>, ()> {
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
        if family.always_tied && stem == "lm_head" {
            return Ok(None);
        }
        let (_, to) = MODEL.iter().find(|(from, _)| *from == stem).ok_or(())?;
        return Ok(Some(Target { name: format!("{to}.{kind}"), part: None }));
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
    Ok(Some(Target { name: format!("blk.{index}.{to}.{kind}"), part }))
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
const MODEL: &[(&str, &str)] = &[
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
const LAYER: &[(&str, &str)] = &[
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
        target(by_arch(arch), from).unwrap().map(|target| target.name)
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
        let found = target(by_arch("llama"), "model.layers.4.block_sparse_moe.experts.7.w2.weight").unwrap();
        assert_eq!(found, Some(Target { name: "blk.4.ffn_down_exps.weight".to_owned(), part: Some(7) }));
        let found =
            target(by_arch("stablelm"), "model.layers.0.self_attn.k_layernorm.norms.1.weight").unwrap();
        assert_eq!(found, Some(Target { name: "blk.0.attn_k_norm.weight".to_owned(), part: Some(1) }));
    }

    #[test]
    fn what_is_not_needed_is_left_and_what_is_not_known_is_refused() {
        assert_eq!(name("gemma", "lm_head.weight"), None);
        assert_eq!(name("gpt2", "h.0.attn.bias"), None);
        assert_eq!(name("llama", "model.layers.0.self_attn.rotary_emb.inv_freq"), None);
        assert_eq!(name("gemma3", "vision_tower.encoder.layers.0.mlp.fc1.weight"), None);
        for unknown in
            ["", "x", "model.layers.0", "model.layers.x.mlp.up_proj.weight", "model.layers.0.y.weight"]
        {
            assert_eq!(target(by_arch("llama"), unknown), Err(()));
        }
    }
}
