//! Metadata from `config.json`, under GGUF's keys.

use std::path::Path;

use serde_json::Value as Json;

use super::super::{LoadError, Metadata, Value};
use super::config::Config;
use super::family::Family;
use super::rope::Rope;
use super::windows;

/// Adds what only one family has.
pub(super) type Extra = fn(&mut Keys, &Config<'_>, &Rope<'_>) -> Result<(), LoadError>;

/// Keys being collected; a later value replaces an earlier one.
pub(super) struct Keys {
    arch: &'static str,
    entries: Vec<(String, Value)>,
}

impl Keys {
    fn set(&mut self, key: String, value: Value) {
        match self.entries.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => self.entries.push((key, value)),
        }
    }

    /// Sets a key of the architecture, if there is a value.
    pub(super) fn integer(&mut self, key: &str, value: Option<usize>) {
        if let Some(value) = value {
            self.set(format!("{}.{key}", self.arch), Value::Unsigned(value as u64));
        }
    }

    fn float(&mut self, key: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.set(format!("{}.{key}", self.arch), Value::Float(value));
        }
    }

    fn boolean(&mut self, key: &str, value: Option<bool>) {
        if let Some(value) = value {
            self.set(format!("{}.{key}", self.arch), Value::Bool(value));
        }
    }

    fn text(&mut self, key: &str, value: &str) {
        self.set(format!("{}.{key}", self.arch), Value::String(value.into()));
    }

    /// Sets which layers have a window.
    pub(super) fn window_pattern(&mut self, windowed: Vec<i64>) {
        self.set(format!("{}.attention.sliding_window_pattern", self.arch), Value::Integers(windowed));
    }
}

/// Returns the metadata of a model of a family.
pub(super) fn metadata(
    path: &Path,
    family: &Family,
    config: &Config<'_>,
    rope: &Rope<'_>,
) -> Result<Metadata, LoadError> {
    let mut keys = Keys { arch: family.arch, entries: Vec::new() };
    keys.set("general.architecture".to_owned(), Value::String(family.arch.into()));
    if let Some(name) = path.file_name() {
        keys.set("general.name".to_owned(), Value::String(name.to_string_lossy().as_bytes().into()));
    }
    shape(&mut keys, config)?;
    experts(&mut keys, config)?;
    rotary(&mut keys, family, config, rope)?;
    windows::set(&mut keys, family, config)?;
    if let Some(extra) = family.extra {
        extra(&mut keys, config, rope)?;
    }
    tokens(&mut keys, config);
    let mut metadata = Metadata::default();
    for (key, value) in keys.entries {
        metadata.insert(key, value);
    }
    Ok(metadata)
}

/// Heads of attention.
pub(super) fn heads(config: &Config<'_>) -> Result<usize, LoadError> {
    config.required(&["num_attention_heads", "n_head", "n_heads"])
}

/// Heads that have keys and values of their own.
pub(super) fn kv_heads(config: &Config<'_>) -> Result<usize, LoadError> {
    match config.integer(&["num_key_value_heads", "n_kv_heads"])? {
        Some(0) | None => heads(config),
        Some(heads) => Ok(heads),
    }
}

/// Layers.
pub(super) fn blocks(config: &Config<'_>) -> Result<usize, LoadError> {
    config.required(&["num_hidden_layers", "n_layers", "n_layer", "num_layers"])
}

/// Elements of a head.
pub(super) fn head_size(config: &Config<'_>) -> Result<usize, LoadError> {
    match config.integer(&["head_dim"])? {
        Some(0) | None => Ok(width(config)? / heads(config)?),
        Some(size) => Ok(size),
    }
}

fn width(config: &Config<'_>) -> Result<usize, LoadError> {
    config.required(&["hidden_size", "n_embd", "dim"])
}

fn shape(keys: &mut Keys, config: &Config<'_>) -> Result<(), LoadError> {
    const CONTEXT: &[&str] = &[
        "max_position_embeddings",
        "n_ctx",
        "n_positions",
        "max_length",
        "max_sequence_length",
        "model_max_length",
    ];
    keys.integer("block_count", Some(blocks(config)?));
    keys.integer("vocab_size", config.integer(&["vocab_size"])?);
    keys.integer("context_length", config.integer(CONTEXT)?);
    config.excuse(CONTEXT);
    keys.integer("embedding_length", Some(width(config)?));
    keys.integer("feed_forward_length", config.integer(&["intermediate_size", "n_inner", "hidden_dim"])?);
    keys.integer("attention.head_count", Some(heads(config)?));
    keys.integer("attention.head_count_kv", config.integer(&["num_key_value_heads", "n_kv_heads"])?);
    keys.integer("attention.key_length", config.integer(&["head_dim"])?);
    keys.integer("attention.value_length", config.integer(&["head_dim"])?);
    keys.float("attention.layer_norm_rms_epsilon", config.float(&["rms_norm_eps", "norm_eps"])?);
    let epsilon = config.float(&["layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"])?;
    keys.float("attention.layer_norm_epsilon", epsilon);
    if config.boolean(&["is_causal"])? == Some(false) {
        keys.boolean("attention.causal", Some(false));
    }
    Ok(())
}

fn experts(keys: &mut Keys, config: &Config<'_>) -> Result<(), LoadError> {
    keys.integer("expert_count", config.integer(&["num_local_experts", "num_experts", "n_routed_experts"])?);
    let used = config.integer(&["num_experts_per_tok", "num_experts_per_token", "top_k_experts"])?;
    keys.integer("expert_used_count", used);
    Ok(())
}

fn rotary(keys: &mut Keys, family: &Family, config: &Config<'_>, rope: &Rope<'_>) -> Result<(), LoadError> {
    let settings = rope.scaling();
    let factor = settings.float(&["factor"])?;
    match rope.kind()? {
        Some("linear") if factor.is_some() => {
            keys.text("rope.scaling.type", "linear");
            keys.float("rope.scaling.factor", factor);
        }
        Some("yarn") if factor.is_some() => {
            keys.text("rope.scaling.type", "yarn");
            keys.float("rope.scaling.factor", factor);
            keys.integer("rope.scaling.original_context_length", rope.original_context()?);
            keys.float("rope.scaling.yarn_beta_fast", settings.float(&["beta_fast"])?);
            keys.float("rope.scaling.yarn_beta_slow", settings.float(&["beta_slow"])?);
            keys.float("rope.scaling.attn_factor", rope.yarn_attenuation()?);
        }
        Some("longrope" | "su") => {
            keys.text("rope.scaling.type", "longrope");
            keys.integer("rope.scaling.original_context_length", rope.original_context()?);
            let context = config.integer(&["max_position_embeddings"])?;
            keys.float("rope.scaling.attn_factor", rope.long_attenuation(context)?);
        }
        // Llama 3's becomes a tensor; the default scales nothing, the dynamic one not before the context is exceeded.
        Some("llama3" | "default" | "dynamic") | None => {
            if let Some(context) = rope.original_context()? {
                keys.integer("rope.scaling.original_context_length", Some(context));
            }
        }
        Some("linear" | "yarn") => {
            return Err(LoadError::new("config.json, rope_scaling", "has no factor"));
        }
        Some(unknown) => {
            return Err(LoadError::new(
                "config.json, rope_scaling",
                format!("is of the unknown kind {unknown:?}"),
            ));
        }
    }
    if family.arch != "gpt2" {
        keys.float("rope.freq_base", rope.base()?.or(Some(family.rope_base)));
        keys.float("rope.freq_base_swa", rope.local_base()?);
    }
    if family.rope_part.is_none()
        && let Some(part) = rope.partial()?
        && part != 1.0
    {
        let problem = format!("is {part}, but {} rotates whole heads here", family.arch);
        return Err(LoadError::new("config.json, partial_rotary_factor", problem));
    }
    Ok(())
}

/// Sets the special tokens that the configuration knows; the tokenizer's files know more.
fn tokens(keys: &mut Keys, config: &Config<'_>) {
    for (name, key) in [("bos_token_id", "bos"), ("eos_token_id", "eos"), ("pad_token_id", "padding")] {
        let value = config.value(&[name]).map(|(_, value)| value);
        // Several tokens may end a generation; the first is the one that models are trained with.
        let first = value.and_then(|value| value.as_array().map_or(Some(value), |list| list.first()));
        if let Some(id) = first.and_then(serde_json::Value::as_u64) {
            keys.set(format!("tokenizer.ggml.{key}_token_id"), Value::Unsigned(id));
        }
    }
}

pub(super) fn llama(keys: &mut Keys, config: &Config<'_>, _: &Rope<'_>) -> Result<(), LoadError> {
    keys.integer("rope.dimension_count", Some(head_size(config)?));
    Ok(())
}

pub(super) fn granite(keys: &mut Keys, config: &Config<'_>, rope: &Rope<'_>) -> Result<(), LoadError> {
    llama(keys, config, rope)?;
    keys.float("attention.scale", config.float(&["attention_multiplier"])?.or(Some(1.0)));
    keys.float("embedding_scale", config.float(&["embedding_multiplier"])?);
    keys.float("residual_scale", config.float(&["residual_multiplier"])?);
    keys.float("logit_scale", config.float(&["logits_scaling"])?);
    Ok(())
}

pub(super) fn minicpm(keys: &mut Keys, config: &Config<'_>, rope: &Rope<'_>) -> Result<(), LoadError> {
    llama(keys, config, rope)?;
    let layers = blocks(config)? as f64;
    keys.float("embedding_scale", config.float(&["scale_emb"])?);
    keys.float("residual_scale", config.float(&["scale_depth"])?.map(|depth| depth / layers.sqrt()));
    let base = config.required(&["dim_model_base"])?;
    keys.float("logit_scale", Some(width(config)? as f64 / base as f64));
    Ok(())
}

/// Layers without rotation are each fourth, whatever the names of the settings.
pub(super) fn smollm3(keys: &mut Keys, config: &Config<'_>, rope: &Rope<'_>) -> Result<(), LoadError> {
    llama(keys, config, rope)?;
    expect(config, "no_rope_layer_interval", &Json::from(4), true)?;
    let layers = blocks(config)?.min(BLOCKS_MAX);
    let rotated: Vec<usize> = (1..=layers).map(|n| usize::from(!n.is_multiple_of(4))).collect();
    expect(config, "no_rope_layers", &Json::from(rotated), true)
}

/// The weights of chosen experts are not normalized, and every layer has experts.
pub(super) fn qwen2_moe(keys: &mut Keys, config: &Config<'_>, _: &Rope<'_>) -> Result<(), LoadError> {
    expect(config, "norm_topk_prob", &Json::from(false), true)?;
    qwen_moe(keys, config)
}

/// The weights of chosen experts are normalized; a configuration that does not say so means that they are not.
pub(super) fn qwen3_moe(keys: &mut Keys, config: &Config<'_>, _: &Rope<'_>) -> Result<(), LoadError> {
    expect(config, "norm_topk_prob", &Json::from(true), false)?;
    qwen_moe(keys, config)
}

fn qwen_moe(keys: &mut Keys, config: &Config<'_>) -> Result<(), LoadError> {
    expect(config, "decoder_sparse_step", &Json::from(1), true)?;
    expect(config, "mlp_only_layers", &Json::Array(Vec::new()), true)?;
    keys.integer("expert_feed_forward_length", config.integer(&["moe_intermediate_size"])?);
    keys.integer("expert_shared_feed_forward_length", config.integer(&["shared_expert_intermediate_size"])?);
    Ok(())
}

pub(super) fn olmoe(_: &mut Keys, config: &Config<'_>, _: &Rope<'_>) -> Result<(), LoadError> {
    expect(config, "norm_topk_prob", &Json::from(false), true)
}

/// Refuses a setting of another value than the one by which the architecture is computed.
fn expect(config: &Config<'_>, name: &str, expected: &Json, is_default: bool) -> Result<(), LoadError> {
    let subject = || format!("config.json, {name}");
    match config.value(&[name]) {
        Some((_, found)) if found == expected => Ok(()),
        Some((_, found)) => {
            let problem = format!("is {found}; only {expected} is computed here");
            Err(LoadError::new(subject(), problem))
        }
        None if is_default => Ok(()),
        None => Err(LoadError::new(subject(), format!("is missing, which does not mean {expected}"))),
    }
}

/// A cap that is null is none, and one that is missing is that of the first model.
pub(super) fn gemma2(keys: &mut Keys, config: &Config<'_>, _: &Rope<'_>) -> Result<(), LoadError> {
    for name in ["attn_logit_softcapping", "final_logit_softcapping"] {
        let none = config.is_null(name).then_some(0.0);
        keys.float(name, config.float(&[name])?.or(none));
    }
    gemma_heads(keys, config, 46)
}

/// The length of a head, and the scale of queries: by the length of a head, or in the largest model by the share that
/// each head has of the width.
fn gemma_heads(keys: &mut Keys, config: &Config<'_>, largest: usize) -> Result<(), LoadError> {
    let head = config.integer(&["head_dim"])?.unwrap_or(256);
    keys.integer("attention.key_length", Some(head));
    keys.integer("attention.value_length", Some(head));
    let computed = if blocks(config)? == largest { width(config)? / heads(config)? } else { head };
    let stated = config.float(&["query_pre_attn_scalar"])?.unwrap_or(256.0);
    if stated != computed as f64 {
        let problem = format!("is {stated}; only {computed} is computed here");
        return Err(LoadError::new("config.json, query_pre_attn_scalar", problem));
    }
    Ok(())
}

/// Configurations of Gemma 3 leave out what is as in the first of them.
pub(super) fn gemma3(keys: &mut Keys, config: &Config<'_>, _: &Rope<'_>) -> Result<(), LoadError> {
    gemma_heads(keys, config, 62)?;
    keys.integer("context_length", config.integer(&["max_position_embeddings"])?.or(Some(131_072)));
    keys.integer("attention.head_count_kv", config.integer(&["num_key_value_heads"])?.or(Some(4)));
    keys.float("attention.layer_norm_rms_epsilon", config.float(&["rms_norm_eps"])?.or(Some(1e-6)));
    keys.float("final_logit_softcapping", config.float(&["final_logit_softcapping"])?);
    Ok(())
}

pub(super) fn phi2(keys: &mut Keys, config: &Config<'_>, rope: &Rope<'_>) -> Result<(), LoadError> {
    partial_of_width(keys, config, rope, 0.5)
}

pub(super) fn phi3(keys: &mut Keys, config: &Config<'_>, rope: &Rope<'_>) -> Result<(), LoadError> {
    keys.integer("rope.scaling.original_context_length", rope.original_context()?);
    partial_of_width(keys, config, rope, 1.0)
}

pub(super) fn olmo(keys: &mut Keys, config: &Config<'_>, _: &Rope<'_>) -> Result<(), LoadError> {
    keys.float("attention.layer_norm_epsilon", Some(1e-5));
    keys.float("attention.clamp_kqv", config.float(&["clip_qkv"])?);
    Ok(())
}

pub(super) fn glm4(keys: &mut Keys, config: &Config<'_>, rope: &Rope<'_>) -> Result<(), LoadError> {
    let part = rope.partial()?.unwrap_or(0.5);
    keys.integer("rope.dimension_count", Some((head_size(config)? as f64 * part) as usize));
    Ok(())
}

pub(super) fn stablelm(keys: &mut Keys, config: &Config<'_>, rope: &Rope<'_>) -> Result<(), LoadError> {
    keys.float("attention.layer_norm_epsilon", config.float(&["layer_norm_eps", "norm_eps"])?);
    partial_of_head(keys, config, rope, 0.25)
}

/// Command-R was trained on more than `max_position_embeddings` says.
pub(super) fn command_r(keys: &mut Keys, config: &Config<'_>, rope: &Rope<'_>) -> Result<(), LoadError> {
    keys.integer("context_length", config.integer(&["model_max_length", "max_position_embeddings"])?);
    config.excuse(&["model_max_length", "max_position_embeddings"]);
    cohere(keys, config, rope)
}

pub(super) fn cohere2(keys: &mut Keys, config: &Config<'_>, rope: &Rope<'_>) -> Result<(), LoadError> {
    cohere(keys, config, rope)?;
    partial_of_head(keys, config, rope, 1.0)
}

fn cohere(keys: &mut Keys, config: &Config<'_>, rope: &Rope<'_>) -> Result<(), LoadError> {
    keys.float("logit_scale", config.float(&["logit_scale"])?.or(Some(0.0625)));
    // Transformers also has these, and no model changes them.
    expect(config, "use_embedding_sharing", &Json::from(true), true)?;
    expect(config, "use_parallel_block", &Json::from(true), true)?;
    expect(config, "use_gated_activation", &Json::from(true), true)?;
    expect(config, "position_embedding_type", &Json::from("rope_gptj"), true)?;
    if rope.kind()?.is_none() {
        keys.text("rope.scaling.type", "none");
    }
    Ok(())
}

pub(super) fn nemotron(keys: &mut Keys, config: &Config<'_>, rope: &Rope<'_>) -> Result<(), LoadError> {
    let epsilon = config.float(&["layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps"])?;
    keys.float("attention.layer_norm_epsilon", epsilon);
    partial_of_width(keys, config, rope, 0.5)
}

/// Windows are known of the largest model only.
pub(super) fn exaone4(_: &mut Keys, config: &Config<'_>, _: &Rope<'_>) -> Result<(), LoadError> {
    if let Some(window) = config.integer(&["sliding_window"])?
        && blocks(config)? != 64
    {
        let problem = format!("is {window}, but only the model of 64 layers is known with windows");
        return Err(LoadError::new("config.json, sliding_window", problem));
    }
    Ok(())
}

pub(super) fn gptneox(keys: &mut Keys, config: &Config<'_>, rope: &Rope<'_>) -> Result<(), LoadError> {
    keys.boolean("use_parallel_residual", config.boolean(&["use_parallel_residual"])?.or(Some(true)));
    partial_of_head(keys, config, rope, 0.25)
}

pub(super) fn gpt2(keys: &mut Keys, config: &Config<'_>, _: &Rope<'_>) -> Result<(), LoadError> {
    expect(config, "scale_attn_weights", &Json::from(true), true)?;
    let inner = config.integer(&["n_inner"])?.map_or_else(|| width(config).map(|width| 4 * width), Ok)?;
    keys.integer("feed_forward_length", Some(inner));
    Ok(())
}

/// Rotated elements as ⌊part · width⌋ / heads.
fn partial_of_width(
    keys: &mut Keys,
    config: &Config<'_>,
    rope: &Rope<'_>,
    default: f64,
) -> Result<(), LoadError> {
    let rotated = (rope.partial()?.unwrap_or(default) * width(config)? as f64) as usize / heads(config)?;
    keys.integer("rope.dimension_count", Some(rotated));
    Ok(())
}

/// Rotated elements as ⌊part · head⌋.
fn partial_of_head(
    keys: &mut Keys,
    config: &Config<'_>,
    rope: &Rope<'_>,
    default: f64,
) -> Result<(), LoadError> {
    let head = width(config)? / heads(config)?;
    keys.integer("rope.dimension_count", Some((rope.partial()?.unwrap_or(default) * head as f64) as usize));
    Ok(())
}

/// A configuration may claim any number of layers; this many are written into a list.
pub(super) const BLOCKS_MAX: usize = 1 << 16;
