//! Fields that are known and not honoured.
//!
//! A field that would change the answer is refused unless its value asks for what happens anyway. Fields that only
//! say how the answer should be computed, or ask for progress beside it, are reported as ignored instead. Fields that only
//! concern the service behind the original API (`user`, `metadata`, `store`, `service_tier`, `prompt_cache_key`) are not
//! listed: like unknown ones they stay untaken, and are reported as ignored.

use stack_chat::Failure;

use crate::Ignored;
use crate::fields::Fields;

/// A known field that is not honoured.
pub(crate) struct Rule {
    /// Its name.
    name: &'static str,
    /// The values, as compact JSON, that change nothing and are accepted.
    neutral: &'static [&'static str],
}

const fn rule(name: &'static str, neutral: &'static [&'static str]) -> Rule {
    Rule { name, neutral }
}

/// Refuses the fields that `rules` name, except where their value is neutral.
pub(crate) fn refuse(fields: &mut Fields, rules: &[Rule]) -> Result<(), Failure> {
    for Rule { name, neutral } in rules {
        let Some(value) = fields.take(name) else { continue };
        if !neutral.contains(&value.to_string().as_str()) {
            let accepted = if neutral.is_empty() {
                "leave it out".to_owned()
            } else {
                format!("leave it out or use {}", neutral.join(" or "))
            };
            return Err(Failure::unsupported(*name, format!("`{name}` is not supported here; {accepted}")));
        }
    }
    Ok(())
}

/// Reports the fields of [`NOTED`] as ignored, except where their value asks for what happens anyway.
pub(crate) fn note(fields: &mut Fields, ignored: &mut Ignored) {
    for Rule { name, neutral } in NOTED {
        if fields.take(name).is_some_and(|value| !neutral.contains(&value.to_string().as_str())) {
            ignored.note(name);
        }
    }
}

/// Fields without influence on the text of an answer. What is in the prompt cache never changes an answer, and which
/// slot computes it does not either.
const NOTED: &[Rule] = &[
    rule("cache_prompt", &["true"]),
    rule("id_slot", &["-1"]),
    rule("return_progress", &["false"]),
    rule("timings_per_token", &["false"]),
];

/// Fields of chat completions and completions.
pub(crate) const GENERATION: &[Rule] = &[
    rule("adaptive_target", &["-1", "-1.0"]),
    rule("allowed_token_ids", &[]),
    rule("bad_words", &["[]"]),
    rule("dynatemp_range", &["0", "0.0"]),
    rule("echo", &["false"]),
    rule("format", &["\"\""]),
    rule("image_data", &["[]"]),
    rule("include_stop_str_in_output", &["false"]),
    rule("input_extra", &["[]"]),
    rule("instructions", &["\"\""]),
    rule("length_penalty", &["1", "1.0"]),
    rule("logits_processors", &["[]"]),
    rule("lora", &["[]"]),
    rule("min_keep", &["0"]),
    rule("min_tokens", &["0"]),
    rule("mirostat", &["0"]),
    rule("multimodal_data", &["[]"]),
    rule("n_indent", &["0"]),
    rule("n_probs", &["0"]),
    rule("post_sampling_probs", &["false"]),
    rule("prompt_logprobs", &["false", "0"]),
    rule("response_fields", &["[]"]),
    rule("return_token_ids", &["false"]),
    rule("return_tokens", &["false"]),
    rule("return_tokens_as_token_ids", &["false"]),
    // The order in which they are applied here.
    rule("samplers", &[SAMPLERS, SAMPLERS_WITHOUT_SIGMA]),
    rule("skip_special_tokens", &["true"]),
    rule("stop_token_ids", &["[]"]),
    rule("system", &["\"\""]),
    rule("t_max_predict_ms", &["0", "-1"]),
    rule("tfs_z", &["1", "1.0"]),
    rule("top_a", &["0", "0.0"]),
    rule("top_n_sigma", &["-1", "-1.0", "0", "0.0"]),
    rule("truncate_prompt_tokens", &[]),
    rule("use_beam_search", &["false"]),
];

const SAMPLERS: &str =
    r#"["penalties","dry","top_n_sigma","top_k","typ_p","top_p","min_p","xtc","temperature"]"#;
const SAMPLERS_WITHOUT_SIGMA: &str =
    r#"["penalties","dry","top_k","typ_p","top_p","min_p","xtc","temperature"]"#;

/// Fields of chat completions alone.
pub(super) const CHAT: &[Rule] = &[
    rule("add_special_tokens", &["false"]),
    rule("audio", &[]),
    rule("best_of", &["1"]),
    rule("chat_template", &["\"\""]),
    rule("documents", &["[]"]),
    rule("function_call", &["\"none\""]),
    rule("functions", &["[]"]),
    rule("include_reasoning", &["true"]),
    rule("modalities", &["[\"text\"]"]),
    rule("reasoning_budget", &["-1"]),
    rule("reasoning_budget_tokens", &["-1"]),
    rule("reasoning_format", &["\"auto\"", "\"deepseek\""]),
    rule("thinking_budget_tokens", &["-1"]),
    rule("thinking_token_budget", &["-1"]),
    rule("verbosity", &["\"medium\""]),
    rule("web_search_options", &[]),
];

/// Fields of requests to rank documents. Documents are neither cut nor split, and scores are the model's own.
pub(crate) const RERANK: &[Rule] = &[
    rule("max_chunks_per_doc", &[]),
    rule("max_tokens_per_doc", &[]),
    rule("overlap_tokens", &[]),
    rule("rank_fields", &["[]", "[\"text\"]"]),
    rule("raw_scores", &["true"]),
    rule("truncate", &["false"]),
    rule("truncate_prompt_tokens", &[]),
    rule("truncation", &["false"]),
];

/// Fields of completions alone.
pub(super) const COMPLETION: &[Rule] = &[rule("add_special_tokens", &["true"])];

/// Fields of embeddings.
pub(crate) const EMBEDDING: &[Rule] = &[
    rule("add_special_tokens", &["true"]),
    rule("embd_normalize", &["2"]),
    rule("normalize", &["true"]),
    rule("truncate", &["false"]),
    rule("truncate_prompt_tokens", &[]),
];

#[cfg(test)]
mod tests {
    use stack_chat::FailureKind;

    use super::*;

    #[test]
    fn every_rule_refuses_what_is_not_neutral_and_accepts_what_is() {
        for rules in [GENERATION, CHAT, COMPLETION, EMBEDDING, RERANK] {
            for Rule { name, neutral } in rules {
                let refused = |value: &str| {
                    let body = format!("{{\"{name}\": {value}}}");
                    refuse(&mut Fields::parse(body.as_bytes()).unwrap(), rules).err()
                };
                let error = refused("{\"made\": [\"up\"]}").expect(name);
                assert_eq!(error.kind, FailureKind::Unsupported);
                assert_eq!(error.field.as_deref(), Some(*name));
                for value in *neutral {
                    assert_eq!(refused(value), None, "{name}: {value}");
                }
                assert_eq!(refused("null"), None);
            }
        }
    }
}
