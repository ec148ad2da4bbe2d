//! Settings of `config.json` that do not matter to the numbers: each by name, with the reason.

use serde_json::Value as Json;

/// Says why a setting that nothing asked for does not matter; `None` if it may.
pub(crate) fn setting(name: &str, value: &Json) -> Option<&'static str> {
    if is_neutral(value) {
        return Some("says no, none or nothing");
    }
    let named = |(names, reason): &(&[&str], &'static str)| names.contains(&name).then_some(*reason);
    let begins = |(prefixes, reason): &(&[&str], &'static str)| {
        prefixes.iter().any(|prefix| name.starts_with(prefix)).then_some(*reason)
    };
    NAMES.iter().find_map(named).or_else(|| PREFIXES.iter().find_map(begins))
}

/// Whether a value says nothing. Settings whose absence means yes are asked for by the families that have them.
fn is_neutral(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Bool(flag) => !flag,
        Json::Number(number) => number.as_f64() == Some(0.0),
        Json::String(text) => text.is_empty(),
        Json::Array(list) => list.is_empty(),
        Json::Object(object) => object.is_empty(),
    }
}

const NAMES: &[(&[&str], &str)] = &[
    (
        &[
            "architectures",
            "auto_map",
            "dtype",
            "model_type",
            "name_or_path",
            "torch_dtype",
            "transformers_version",
            "transformers.js_config",
            "unsloth_fixed",
            "unsloth_version",
            "custom_pipelines",
            "model_name",
            "license",
            "language",
            "library_name",
            "adapters",
        ],
        "says what wrote the files, and which code reads them",
    ),
    (
        &[
            "bos_token_id",
            "eos_token_id",
            "pad_token_id",
            "sep_token_id",
            "cls_token_id",
            "unk_token_id",
            "mask_token_id",
            "decoder_start_token_id",
            "forced_bos_token_id",
            "forced_eos_token_id",
            "begin_suppress_tokens",
            "suppress_tokens",
            "bad_words_ids",
            "tokenizer_class",
            "tokenizer_type",
            "prefix",
            "im_start_id",
            "im_end_id",
            "bos_token",
            "eos_token",
            "pad_token",
        ],
        "names tokens, which the tokenizer's files know better",
    ),
    (
        &[
            "attention_dropout",
            "attention_dropout_prob",
            "attention_probs_dropout_prob",
            "attn_pdrop",
            "aux_loss_alpha",
            "classifier_dropout",
            "classifier_dropout_prob",
            "dropout",
            "embd_pdrop",
            "embedding_dropout",
            "embedding_dropout_prob",
            "ep_size",
            "gradient_checkpointing",
            "hidden_dropout",
            "hidden_dropout_prob",
            "init_method",
            "init_std",
            "initializer_factor",
            "initializer_range",
            "input_jitter_noise",
            "label_smoothing",
            "layerdrop",
            "mup_base_height",
            "output_router_logits",
            "pretraining_tp",
            "resid_pdrop",
            "residual_dropout",
            "rescale_prenorm_residual",
            "router_aux_loss_coef",
            "router_jitter_noise",
            "router_z_loss_coef",
            "seq_aux",
            "max_sequence_length_train",
            "seq_length",
            "z_loss_coef",
        ],
        "concerns training only",
    ),
    (
        &[
            "_attn_implementation",
            "_attn_implementation_autoset",
            "_attn_implementation_internal",
            "_experts_implementation",
            "attn_implementation",
            "cache_implementation",
            "chunk_size_feed_forward",
            "flash_attn",
            "fp32",
            "bf16",
            "fp16",
            "fused_dropout_add_ln",
            "fuse_rms_norm",
            "fuse_softmax_mask",
            "gemm_impl",
            "reorder_and_upcast_attn",
            "return_dict",
            "torchscript",
            "use_bfloat16",
            "use_cache",
            "use_cache_kernel",
            "use_cache_quantization",
            "use_flash_attention",
            "use_flash_attn",
            "use_fused_rms_norm",
            "use_memory_efficient_attention",
            "use_sdpa",
            "is_decoder",
            "tf_legacy_loss",
            "output_attentions",
            "output_hidden_states",
            "output_past",
            "keys_to_ignore_at_inference",
        ],
        "says how something is computed, or what else is returned, not what",
    ),
    (
        &[
            "diversity_penalty",
            "do_sample",
            "early_stopping",
            "encoder_no_repeat_ngram_size",
            "exponential_decay_length_penalty",
            "generation_config",
            "length_penalty",
            "max_length",
            "max_new_tokens",
            "min_length",
            "no_repeat_ngram_size",
            "num_beam_groups",
            "num_beams",
            "num_return_sequences",
            "output_scores",
            "remove_invalid_values",
            "repetition_penalty",
            "return_dict_in_generate",
            "temperature",
            "top_k",
            "top_p",
            "typical_p",
        ],
        "a default of sampling, which generation_config.json says today",
    ),
    (
        &["finetuning_task", "id2label", "label2id", "num_labels", "problem_type", "task_specific_params"],
        "concerns heads that are not used for text",
    ),
    (
        &[
            "audio_config",
            "boa_token_id",
            "boi_token_index",
            "eoa_token_id",
            "eoi_token_index",
            "image_token_id",
            "image_token_index",
            "mm_tokens_per_image",
            "text_config",
            "video_token_id",
            "vision_config",
            "vision_end_token_id",
            "vision_start_token_id",
            "vision_token_id",
        ],
        "concerns images and sound only",
    ),
];

const PREFIXES: &[(&[&str], &str)] = &[
    (&["_name_or_path", "_commit_hash"], "says where the files came from"),
    (&["summary_"], "concerns heads that are not used for text"),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_that_say_nothing_or_are_named_do_not_matter_and_others_may() {
        for (name, value) in [
            ("new_thing", json!(null)),
            ("new_thing", json!(false)),
            ("new_thing", json!({})),
            ("attention_dropout", json!(0.1)),
            ("_name_or_path", json!("x")),
            ("summary_type", json!("cls_index")),
        ] {
            assert!(setting(name, &value).is_some(), "{name} {value}");
        }
        for (name, value) in [
            ("new_thing", json!(true)),
            ("sliding_window", json!(4096)),
            ("use_bidirectional_attention", json!(true)),
            ("residual_multiplier", json!(0.5)),
        ] {
            assert!(setting(name, &value).is_none(), "{name} {value}");
        }
    }
}
