//! A tiny model of every architecture of the table, written from what llama.cpp expects of each, not from the table.

use crate::tiny::{INNER, Key, Tiny, WIDTH};

const HEADS: usize = 2;
const HEAD: usize = WIDTH / HEADS;
const EXPERTS: usize = 4;

const CLASSIC: &[&str] = &[
    "starcoder2",
    "codeshell",
    "pockettts",
    "nemotron",
    "jais2",
    "phi2",
    "falcon",
    "gptneox",
    "gpt2",
    "starcoder",
    "bloom",
    "mpt",
];
const PARALLEL: &[&str] = &["command-r", "cohere2", "cohere2moe", "phi2", "falcon", "plamo"];
const LATENT: &[&str] = &["deepseek2", "mistral4", "minicpm3"];
const HEAD_NORMS: &[&str] = &[
    "openelm",
    "laguna",
    "qwen3",
    "qwen3moe",
    "qwen3vl",
    "qwen3vlmoe",
    "gemma3",
    "lfm2",
    "lfm2moe",
    "apertus",
    "dots1",
    "bailingmoe2",
    "hunyuan-dense",
    "hunyuan-moe",
    "hunyuan_vl",
    "afmoe",
    "exaone4",
    "exaone-moe",
    "maincoder",
    "mellum",
    "hy_v3",
    "plamo3",
];
/// Layers normalize by `LayerNorm`, whose weights have biases.
const NORM_BIASES: &[&str] = &[
    "starcoder2",
    "codeshell",
    "pockettts",
    "nemotron",
    "jais2",
    "phi2",
    "falcon",
    "gptneox",
    "gpt2",
    "starcoder",
    "bloom",
    "stablelm",
    "orion",
    "phimoe",
    "jais",
];
const ATTENTION_BIASES: &[&str] = &["gpt-oss", "pangu-embedded", "starcoder2", "jais2", "phimoe"];
const FUSED: &[&str] = &[
    "cogvlm",
    "dbrx",
    "mpt",
    "openelm",
    "plamo3",
    "qwen",
    "falcon",
    "gptneox",
    "gpt2",
    "starcoder",
    "bloom",
    "jais",
    "codeshell",
    "phi2",
];
const FUSED_BIASES: &[&str] = &["qwen", "gptneox", "gpt2", "starcoder", "bloom", "jais", "codeshell", "phi2"];
const MLP_BIASES: &[&str] =
    &["starcoder2", "codeshell", "jais2", "phi2", "gptneox", "gpt2", "starcoder", "bloom", "jais"];
/// The gate lies above the rest in one matrix.
const GATE_ABOVE: &[&str] = &["chatglm", "glm4", "phi3"];
const TIED: &[&str] = &["command-r", "gemma", "gemma2", "cohere2", "cohere2moe"];
const WHOLE_NORMS: &[&str] = &["olmo2", "olmoe", "minimax-m2"];
const WITH_EXPERTS: &[&str] = &[
    "cohere2moe",
    "dbrx",
    "ernie4_5-moe",
    "exaone-moe",
    "glm4moe",
    "gpt-oss",
    "granitemoe",
    "grok",
    "hunyuan-moe",
    "lfm2moe",
    "llama4",
    "mellum",
    "minimax-m2",
    "olmoe",
    "phimoe",
    "qwen2moe",
    "qwen3moe",
    "qwen3vlmoe",
    "smallthinker",
];
const WINDOWED: &[&str] = &["gemma2", "gemma3", "cohere2", "cohere2moe", "gpt-oss", "mimo2", "laguna"];

/// The model of an architecture.
pub(crate) fn tiny(architecture: &'static str) -> Tiny {
    let is = |names: &[&str]| names.contains(&architecture);
    let mut keys = vec![
        ("attention.layer_norm_epsilon", Key::F32(1e-5)),
        ("attention.layer_norm_rms_epsilon", Key::F32(1e-5)),
        ("vocab_size", Key::U32(16)),
        ("feed_forward_length", Key::U32(INNER as u32)),
    ];
    if is(WINDOWED) {
        keys.push(("attention.sliding_window", Key::U32(4)));
    }
    if is(WITH_EXPERTS) {
        keys.push(("expert_count", Key::U32(EXPERTS as u32)));
        keys.push(("expert_used_count", Key::U32(2)));
        keys.push(("expert_feed_forward_length", Key::U32(INNER as u32)));
    }
    if is(LATENT) {
        keys.push(("attention.key_length_mla", Key::U32(6)));
        keys.push(("attention.value_length_mla", Key::U32(4)));
        keys.push(("attention.q_lora_rank", Key::U32(3)));
        keys.push(("attention.kv_lora_rank", Key::U32(5)));
        keys.push(("rope.dimension_count", Key::U32(2)));
    }
    let one = |name| (name, Key::U32(1));
    if is(&[
        "afmoe",
        "bailingmoe",
        "bailingmoe2",
        "deepseek",
        "deepseek2",
        "dots1",
        "hy_v3",
        "mimo2",
        "mistral4",
        "laguna",
        "glm4moe",
    ]) {
        keys.push(("expert_feed_forward_length", Key::U32(INNER as u32)));
        keys.push(("leading_dense_block_count", Key::U32(2)));
        keys.push(one("expert_shared_count"));
        keys.push(("expert_weights_scale", Key::F32(1.0)));
    }
    if is(&[
        "cohere2",
        "cohere2moe",
        "command-r",
        "granite",
        "granitemoe",
        "granite_swa",
        "minicpm",
        "minicpm3",
        "muse-glimmer",
    ]) {
        keys.push(("logit_scale", Key::F32(0.5)));
    }
    if is(&["llama4", "ernie4_5-moe"]) {
        keys.push(one("interleave_moe_layer_step"));
        keys.push(("expert_shared_count", Key::U32(0)));
    }
    if is(&["exaone-moe", "muse-glimmer", "spark2_5", "plamo3", "afmoe", "granite_swa", "mellum"]) {
        keys.push(("attention.sliding_window", Key::U32(4)));
    }
    if is(&["smallthinker", "exaone-moe", "lfm2moe", "bailingmoe2"]) {
        keys.push(("expert_gating_func", Key::U32(2)));
    }
    if is(&["dbrx"]) {
        keys.push(("attention.clamp_kqv", Key::F32(3.0)));
    }
    if is(&["granite_swa", "mimo2", "spark2_5"]) {
        keys.push(("attention.sliding_window_pattern", Key::I32s(vec![1, 0])));
    }
    if is(&["cohere2moe"]) {
        keys.push(("leading_dense_block_count", Key::U32(0)));
    }
    if is(&["gptneox"]) {
        keys.push(("use_parallel_residual", Key::Bool(true)));
    }
    if is(&["lfm2", "lfm2moe"]) {
        keys.push(("shortconv.l_cache", Key::U32(3)));
    }
    if is(&["qwen2vl", "qwen3vl", "qwen3vlmoe", "paddleocr", "hunyuan_vl"]) {
        keys.push(("rope.dimension_sections", Key::I32s(vec![1, 1, 0, 0])));
    }
    if is(&["minicpm3"]) {
        keys.push(("attention.key_length", Key::U32(6)));
        keys.push(("attention.value_length", Key::U32(4)));
    }
    let mut known = std::collections::HashSet::new();
    keys.reverse();
    keys.retain(|(name, _)| known.insert(*name));
    let mut tiny = Tiny::new(architecture, keys, |layer| {
        [mixer(architecture, layer), feeds(architecture, layer)].concat()
    });
    if is(&["phi2", "phimoe"]) {
        tiny.tensors.push(("output.bias".to_owned(), vec![16]));
    }
    if is(TIED) {
        tiny.tensors.retain(|(name, _)| name != "output.weight");
    }
    if is(NORM_BIASES) {
        let biases = tiny.tensors.iter().filter_map(|(name, shape)| {
            let stem = name.strip_suffix(".weight").filter(|stem| stem.ends_with("norm"))?;
            Some((format!("{stem}.bias"), shape.clone()))
        });
        let biases = biases.collect::<Vec<_>>();
        tiny.tensors.extend(biases);
    }
    if is(&["lfm2", "lfm2moe"]) {
        "token_embd_norm.weight".clone_into(&mut tiny.tensors[1].0);
    }
    if is(&["olmo"]) {
        tiny.tensors.remove(1);
    }
    if is(&["gpt2", "starcoder"]) {
        tiny.tensors.push(("position_embd.weight".to_owned(), vec![32, WIDTH]));
    }
    if is(&["bloom"]) {
        tiny.tensors.push(("token_embd_norm.weight".to_owned(), vec![WIDTH]));
        tiny.tensors.push(("token_embd_norm.bias".to_owned(), vec![WIDTH]));
    }
    if is(&["apertus"]) {
        tiny.foreign =
            vec![("xielu.alpha_p", 0.8), ("xielu.alpha_n", 0.8), ("xielu.beta", 0.5), ("xielu.eps", -1e-6)];
    }
    tiny
}

fn mixer(architecture: &str, layer: usize) -> Vec<(String, Vec<usize>)> {
    let is = |names: &[&str]| names.contains(&architecture);
    let part = |part: &str, shape: &[usize]| (format!("blk.{layer}.{part}.weight"), shape.to_vec());
    let mut parts = Vec::new();
    if !is(&["olmo2", "exaone4", "olmo"]) {
        parts.push(part("attn_norm", &[WIDTH]));
    }
    if is(LATENT) {
        parts.extend([
            part("attn_q_a", &[3, WIDTH]),
            part("attn_q_a_norm", &[3]),
            part("attn_q_b", &[HEADS * 6, 3]),
            part("attn_kv_a_mqa", &[5 + 2, WIDTH]),
            part("attn_kv_a_norm", &[5]),
            part("attn_k_b", &[HEADS, 5, 4]),
            part("attn_v_b", &[HEADS, 4, 5]),
            part("attn_output", &[WIDTH, HEADS * 4]),
        ]);
        return parts;
    }
    if is(FUSED) {
        parts.push(part("attn_qkv", &[WIDTH + 2 * HEAD, WIDTH]));
        if is(FUSED_BIASES) {
            parts.push((format!("blk.{layer}.attn_qkv.bias"), vec![WIDTH + 2 * HEAD]));
        }
    } else {
        parts.extend([
            part("attn_q", &[WIDTH, WIDTH]),
            part("attn_k", &[HEAD, WIDTH]),
            part("attn_v", &[HEAD, WIDTH]),
        ]);
    }
    parts.push(part("attn_output", &[WIDTH, WIDTH]));
    if is(ATTENTION_BIASES) {
        for (name, length) in [("attn_q", WIDTH), ("attn_k", HEAD), ("attn_v", HEAD)] {
            parts.push((format!("blk.{layer}.{name}.bias"), vec![length]));
        }
    }
    if is(ATTENTION_BIASES) || (is(FUSED_BIASES) && !is(&["qwen"])) {
        parts.push((format!("blk.{layer}.attn_output.bias"), vec![WIDTH]));
    }
    if is(&["bitnet"]) {
        parts.push(part("attn_sub_norm", &[WIDTH]));
        parts.push(part("ffn_sub_norm", &[INNER]));
    }
    if is(HEAD_NORMS) {
        parts.extend([part("attn_q_norm", &[HEAD]), part("attn_k_norm", &[HEAD])]);
    }
    if is(WHOLE_NORMS) {
        parts.extend([part("attn_q_norm", &[WIDTH]), part("attn_k_norm", &[HEAD])]);
    }
    if is(&["gpt-oss"]) {
        parts.push(part("attn_sinks", &[HEADS]));
    }
    if is(&["gemma2", "gemma3", "glm4", "olmo2", "exaone4", "plamo3", "afmoe"]) {
        parts.push(part("post_attention_norm", &[WIDTH]));
    }
    if is(&["afmoe"]) {
        parts.push(part("attn_gate", &[WIDTH, WIDTH]));
    }
    if is(&["laguna", "spark2_5"]) {
        parts.push(part("attn_gate", &[HEADS, WIDTH]));
    }
    if is(&["grok"]) {
        parts.push(part("attn_output_norm", &[WIDTH]));
    }
    parts
}

fn feeds(architecture: &str, layer: usize) -> Vec<(String, Vec<usize>)> {
    let is = |names: &[&str]| names.contains(&architecture);
    let part = |part: &str, shape: &[usize]| (format!("blk.{layer}.{part}.weight"), shape.to_vec());
    let mut parts = Vec::new();
    if is(&["glm4moe", "gpt-oss", "seed_oss"]) {
        parts.push(part("post_attention_norm", &[WIDTH]));
    } else if is(&["dbrx"]) {
        parts.push(part("attn_output_norm", &[WIDTH]));
    } else if !is(PARALLEL) && !is(&["olmo2", "exaone4", "olmo"]) {
        parts.push(part("ffn_norm", &[WIDTH]));
    }
    if is(&["gemma2", "gemma3", "glm4", "olmo2", "exaone4", "plamo3", "afmoe"]) {
        parts.push(part("post_ffw_norm", &[WIDTH]));
    }
    if is(&["grok"]) {
        parts.push(part("layer_output_norm", &[WIDTH]));
    }
    if is(WITH_EXPERTS) {
        if is(&["minimax-m2"]) {
            parts.push((format!("blk.{layer}.exp_probs_b.bias"), vec![EXPERTS]));
        }
        if is(&["qwen2moe"]) {
            parts.push(part("ffn_gate_inp_shexp", &[WIDTH]));
        }
        if is(&["qwen2moe", "hunyuan-moe", "llama4"]) {
            parts.extend([
                part("ffn_gate_shexp", &[INNER, WIDTH]),
                part("ffn_up_shexp", &[INNER, WIDTH]),
                part("ffn_down_shexp", &[WIDTH, INNER]),
            ]);
        }
        if is(&["gpt-oss"]) {
            let bias = |name: &str, shape: &[usize]| (format!("blk.{layer}.{name}.bias"), shape.to_vec());
            parts.extend([
                bias("ffn_gate_inp", &[EXPERTS]),
                bias("ffn_gate_exps", &[EXPERTS, INNER]),
                bias("ffn_up_exps", &[EXPERTS, INNER]),
                bias("ffn_down_exps", &[EXPERTS, WIDTH]),
            ]);
        }
        parts.extend([
            part("ffn_gate_inp", &[EXPERTS, WIDTH]),
            part("ffn_gate_exps", &[EXPERTS, INNER, WIDTH]),
            part("ffn_up_exps", &[EXPERTS, INNER, WIDTH]),
            part("ffn_down_exps", &[EXPERTS, WIDTH, INNER]),
        ]);
        return parts;
    }
    if is(GATE_ABOVE) {
        parts.extend([part("ffn_up", &[2 * INNER, WIDTH]), part("ffn_down", &[WIDTH, INNER])]);
        return parts;
    }
    if is(MLP_BIASES) {
        parts.push((format!("blk.{layer}.ffn_up.bias"), vec![INNER]));
        parts.push((format!("blk.{layer}.ffn_down.bias"), vec![WIDTH]));
        if is(&["jais"]) {
            parts.push((format!("blk.{layer}.ffn_gate.bias"), vec![INNER]));
        }
    }
    if !is(CLASSIC) && !is(&["arcee", "apertus"]) {
        parts.push(part("ffn_gate", &[INNER, WIDTH]));
    }
    parts.extend([part("ffn_up", &[INNER, WIDTH]), part("ffn_down", &[WIDTH, INNER])]);
    parts
}
