//! Fields that are known and not honoured.
//!
//! A field that would change the answer is refused unless its value asks for what happens anyway. Fields that only
//! concern the service behind the original API (`user`, `metadata`, `store`, `service_tier`, `prompt_cache_key`) are not
//! listed: like unknown ones they stay untaken, and are reported as ignored.

use stack_chat::ChatError;

use crate::fields::Fields;

/// A known field that is not honoured.
pub(super) struct Rule {
    /// Its name.
    name: &'static str,
    /// The values, as compact JSON, that change nothing and are accepted.
    neutral: &'static [&'static str],
}

const fn rule(name: &'static str, neutral: &'static [&'static str]) -> Rule {
    Rule { name, neutral }
}

/// Refuses the fields that `rules` name, except where their value is neutral.
pub(super) fn refuse(fields: &mut Fields, rules: &[Rule]) -> Result<(), ChatError> {
    for Rule { name, neutral } in rules {
        let Some(value) = fields.take(name) else { continue };
        if !neutral.contains(&value.to_string().as_str()) {
            let accepted = if neutral.is_empty() {
                "leave it out".to_owned()
            } else {
                format!("leave it out or use {}", neutral.join(" or "))
            };
            return Err(ChatError::unsupported(*name, format!("`{name}` is not supported here; {accepted}")));
        }
    }
    Ok(())
}

/// Fields of chat completions and completions.
pub(super) const GENERATION: &[Rule] = &[
    rule("adaptive_target", &["-1", "-1.0"]),
    rule("cache_prompt", &["true"]),
    rule("dynatemp_range", &["0", "0.0"]),
    rule("grammar", &["\"\""]),
    rule("guided_choice", &[]),
    rule("guided_grammar", &[]),
    rule("guided_json", &[]),
    rule("guided_regex", &[]),
    rule("id_slot", &["-1"]),
    rule("json_schema", &[]),
    rule("lora", &["[]"]),
    rule("min_keep", &["0"]),
    rule("min_tokens", &["0"]),
    rule("mirostat", &["0"]),
    rule("n_predict", &["-1"]),
    rule("n_probs", &["0"]),
    rule("post_sampling_probs", &["false"]),
    rule("prompt_logprobs", &["false", "0"]),
    rule("response_fields", &["[]"]),
    rule("return_progress", &["false"]),
    rule("return_tokens", &["false"]),
    rule("samplers", &[]),
    rule("structured_outputs", &[]),
    rule("t_max_predict_ms", &["0", "-1"]),
    rule("timings_per_token", &["false"]),
    rule("top_n_sigma", &["-1", "-1.0", "0", "0.0"]),
];

/// Fields of chat completions alone.
pub(super) const CHAT: &[Rule] = &[
    rule("add_generation_prompt", &["true"]),
    rule("audio", &[]),
    rule("continue_final_message", &["false"]),
    rule("function_call", &["\"none\""]),
    rule("functions", &["[]"]),
    rule("modalities", &["[\"text\"]"]),
    rule("parallel_tool_calls", &["true"]),
    rule("reasoning_budget", &["-1"]),
    rule("reasoning_format", &["\"none\""]),
    rule("response_format", &["{\"type\":\"text\"}"]),
    rule("verbosity", &["\"medium\""]),
    rule("web_search_options", &[]),
];

/// Fields of completions alone.
pub(super) const COMPLETION: &[Rule] =
    &[rule("echo", &["false"]), rule("response_format", &["{\"type\":\"text\"}"]), rule("suffix", &["\"\""])];

#[cfg(test)]
mod tests {
    use stack_chat::ErrorKind;

    use super::*;

    #[test]
    fn every_rule_refuses_what_is_not_neutral_and_accepts_what_is() {
        for rules in [GENERATION, CHAT, COMPLETION] {
            for Rule { name, neutral } in rules {
                let refused = |value: &str| {
                    let body = format!("{{\"{name}\": {value}}}");
                    refuse(&mut Fields::parse(body.as_bytes()).unwrap(), rules).err()
                };
                let error = refused("{\"made\": [\"up\"]}").expect(name);
                assert_eq!(error.kind, ErrorKind::Unsupported);
                assert_eq!(error.field.as_deref(), Some(*name));
                for value in *neutral {
                    assert_eq!(refused(value), None, "{name}: {value}");
                }
                assert_eq!(refused("null"), None);
            }
        }
    }
}
