//! `POST /v1/chat/completions`: the request.

use stack_chat::{
    ChatRequest, Effort, Failure, Json, Logprobs, Prompt, PromptEnd, TemplateOptions, Thinking,
};

use super::message::messages;
use super::options;
use super::output::output;
use super::tool::tools;
use super::unsupported::{self, CHAT, GENERATION};
use crate::fields::{Fields, bounded, mismatch};
use crate::{Call, Ignored};

/// Parses the body of a chat completion.
///
/// # Errors
///
/// Of kind `Invalid` or `Unsupported`, and naming the field at fault unless the body as a whole is wrong.
pub fn parse_chat(body: &[u8]) -> Result<Call<ChatRequest>, Failure> {
    let mut fields = Fields::parse(body)?;
    let mut ignored = Ignored::default();
    unsupported::refuse(&mut fields, GENERATION)?;
    unsupported::refuse(&mut fields, CHAT)?;
    let mut request = ChatRequest::new(Prompt::Messages(messages(&mut fields, &mut ignored)?));
    options::generation(&mut fields, &mut request)?;
    tools(&mut fields, &mut request, &mut ignored)?;
    request.output = output(&mut fields, &mut ignored)?;
    request.template = template(&mut fields, &mut ignored)?;
    request.thinking = thinking(&mut fields, &mut request.template, &mut ignored)?;
    request.max_tokens =
        options::max_tokens(&mut fields, &["max_completion_tokens", "max_tokens", "n_predict"], None)?;
    request.logprobs = logprobs(&mut fields)?;
    let model = options::model(&mut fields)?;
    let delivery = options::delivery(&mut fields, &mut ignored)?;
    unsupported::note(&mut fields, &mut ignored);
    fields.ignore_rest("", &mut ignored);
    Ok(Call { model, request, delivery, ignored, keep_alive: None })
}

fn logprobs(fields: &mut Fields) -> Result<Option<Logprobs>, Failure> {
    let wanted = fields.flag("logprobs")?.unwrap_or(false);
    let top = fields.integer("top_logprobs", 0..=20_u8)?;
    if top.is_some_and(|top| top > 0) && !wanted {
        return Err(Failure::invalid("top_logprobs", "`top_logprobs` needs `logprobs: true`"));
    }
    Ok(wanted.then_some(Logprobs { top: top.unwrap_or(0) }))
}

/// Takes the values that a chat template may look at.
fn template(fields: &mut Fields, ignored: &mut Ignored) -> Result<TemplateOptions, Failure> {
    let mut template = TemplateOptions { end: end(fields)?, ..TemplateOptions::default() };
    if let Some(mut variables) = fields.object("chat_template_kwargs")? {
        template.enable_thinking = variables.flag("enable_thinking")?;
        let rest: Vec<_> = variables.into_rest().collect();
        bounded("chat_template_kwargs", rest.len(), VARIABLES_MAX)?;
        let thinking = template.enable_thinking.map(|_| "enable_thinking");
        let names = rest.iter().map(|(name, _)| name.as_str()).chain(thinking);
        names.for_each(|name| ignored.template_kwarg(name));
        template.variables = rest.into_iter().map(|(name, value)| (name, Json(value.to_string()))).collect();
    }
    if let Some(thinking) = fields.flag("enable_thinking")? {
        template.enable_thinking = Some(thinking);
    }
    Ok(template)
}

/// Takes `reasoning_effort`, which wins over a template variable of that name.
fn thinking(
    fields: &mut Fields,
    template: &mut TemplateOptions,
    ignored: &mut Ignored,
) -> Result<Thinking, Failure> {
    let Some(value) = fields.take("reasoning_effort") else { return Ok(Thinking::Default) };
    template.variables.retain(|(name, _)| name != "reasoning_effort");
    let Some(thinking) = value.as_str().and_then(effort) else {
        let words = "\"none\", \"minimal\", \"low\", \"medium\", \"high\" or \"xhigh\"";
        return Err(mismatch("reasoning_effort".into(), words, &value));
    };
    if thinking == Thinking::Off && template.enable_thinking.is_none() {
        ignored.thinking_is("reasoning_effort");
    }
    Ok(thinking)
}

/// Returns what a word for how hard to think means.
pub(crate) fn effort(word: &str) -> Option<Thinking> {
    Some(match word {
        "none" => Thinking::Off,
        "minimal" => Thinking::Effort(Effort::Minimal),
        "low" => Thinking::Effort(Effort::Low),
        "medium" => Thinking::Effort(Effort::Medium),
        "high" => Thinking::Effort(Effort::High),
        "xhigh" | "max" => Thinking::Effort(Effort::Max),
        _ => return None,
    })
}

/// Takes where the prompt ends: `add_generation_prompt` and `continue_final_message`, with the meanings that
/// transformers gives them.
fn end(fields: &mut Fields) -> Result<PromptEnd, Failure> {
    let prompt = fields.flag("add_generation_prompt")?;
    match (fields.flag("continue_final_message")?, prompt) {
        (Some(true), Some(true)) => {
            let message = "`continue_final_message` and `add_generation_prompt` cannot both be true";
            Err(Failure::invalid("continue_final_message", message))
        }
        (Some(true), _) => Ok(PromptEnd::Continue),
        (_, Some(false)) => Ok(PromptEnd::Closed),
        (Some(false), _) => Ok(PromptEnd::Answer),
        (None, _) => Ok(PromptEnd::Auto),
    }
}

const VARIABLES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use stack_chat::{FailureKind, Message, Unused};

    use super::*;
    use crate::Delivery;

    /// Parses a request of one message and the given further fields.
    fn parse(more: &str) -> Result<Call<ChatRequest>, Failure> {
        parse_chat(format!(r#"{{"messages": [{{"role": "user", "content": "Hi"}}]{more}}}"#).as_bytes())
    }

    #[test]
    fn the_smallest_request_has_every_option_at_its_default() {
        let call = parse("").unwrap();
        assert_eq!(call.request, ChatRequest::new(Prompt::Messages(vec![Message::user("Hi")])));
        assert_eq!((call.model, call.delivery, call.ignored), (None, Delivery::Whole, Ignored::default()));
    }

    #[test]
    fn options_arrive() {
        let call = parse(
            r#", "model": "m", "stream": true, "stream_options": {"include_usage": true}, "n": 2, "stop": "x",
               "max_tokens": 5, "max_completion_tokens": 7, "logprobs": true, "top_logprobs": 3, "ignore_eos": true,
               "chat_template_kwargs": {"enable_thinking": false, "tone": "dry"}, "reasoning_effort": "low""#,
        );
        let call = call.unwrap();
        assert_eq!(call.model.as_deref(), Some("m"));
        assert_eq!(call.delivery, Delivery::Stream { include_usage: true });
        assert_eq!((call.request.choices, call.request.max_tokens), (2, Some(7)));
        assert_eq!(call.request.stop, ["x"]);
        assert_eq!(call.request.logprobs, Some(Logprobs { top: 3 }));
        assert!(call.request.ignore_eos);
        assert_eq!(call.request.template.enable_thinking, Some(false));
        assert_eq!(call.request.thinking, Thinking::Effort(Effort::Low));
        let variable = |name: &str, value: &str| (name.to_owned(), Json(value.to_owned()));
        assert_eq!(call.request.template.variables, [variable("tone", "\"dry\"")]);
    }

    #[test]
    fn what_has_no_effect_is_reported() {
        let call =
            parse(r#", "user": "me", "store": true, "made_up": 1, "seed": 5, "metadata": null"#).unwrap();
        assert_eq!(call.ignored.header_value().as_deref(), Some("made_up, store, user"));
    }

    #[test]
    fn the_newest_name_of_the_limit_wins_and_minus_one_is_none() {
        for (more, want) in [
            (r#", "max_tokens": -1"#, None),
            (r#", "max_completion_tokens": -1"#, None),
            (r#", "n_predict": -1"#, None),
            (r#", "n_predict": 3"#, Some(3)),
            (r#", "n_predict": 3, "max_tokens": 4"#, Some(4)),
            (r#", "n_predict": 3, "max_tokens": 4, "max_completion_tokens": 5"#, Some(5)),
            (r#", "max_tokens": 4, "max_completion_tokens": -1"#, None),
            (r#", "max_tokens": 4, "max_completion_tokens": null"#, Some(4)),
        ] {
            let call = parse(more).unwrap();
            assert_eq!((call.request.max_tokens, call.ignored), (want, Ignored::default()), "{more}");
        }
    }

    #[test]
    fn the_end_of_the_prompt_can_be_chosen() {
        for (more, end) in [
            ("", PromptEnd::Auto),
            (r#", "add_generation_prompt": true"#, PromptEnd::Auto),
            (r#", "continue_final_message": true, "add_generation_prompt": false"#, PromptEnd::Continue),
            (r#", "continue_final_message": false"#, PromptEnd::Answer),
            (r#", "add_generation_prompt": false"#, PromptEnd::Closed),
        ] {
            assert_eq!(parse(more).unwrap().request.template.end, end, "{more}");
        }
    }

    #[test]
    fn a_model_without_a_name_is_none() {
        assert_eq!(parse(r#", "model": """#).unwrap().model, None);
    }

    #[test]
    fn what_changes_no_answer_is_reported_unless_it_asks_for_what_happens_anyway() {
        let asked =
            r#", "cache_prompt": false, "id_slot": 3, "timings_per_token": true, "return_progress": true"#;
        let ignored = parse(asked).unwrap().ignored;
        let want = "cache_prompt, id_slot, return_progress, timings_per_token";
        assert_eq!(ignored.header_value().as_deref(), Some(want));
        let neutral =
            r#", "cache_prompt": true, "id_slot": -1, "timings_per_token": false, "return_progress": false"#;
        assert_eq!(parse(neutral).unwrap().ignored, Ignored::default());
    }

    #[test]
    fn a_variable_is_known_by_where_it_was_given() {
        let inside = r#", "chat_template_kwargs": {"enable_thinking": true}"#;
        for (more, expected) in [
            (inside, "chat_template_kwargs.enable_thinking"),
            (r#", "enable_thinking": true"#, "enable_thinking"),
        ] {
            let mut ignored = parse(more).unwrap().ignored;
            assert_eq!(ignored.header_value(), None);
            ignored.note_unused(&Unused::EnableThinking);
            assert_eq!(ignored.header_value().as_deref(), Some(expected));
        }
    }

    #[test]
    fn options_that_contradict_each_other_are_invalid() {
        for (more, field) in [
            (r#", "continue_final_message": true, "add_generation_prompt": true"#, "continue_final_message"),
            (r#", "top_logprobs": 2"#, "top_logprobs"),
            (r#", "stream_options": {"include_usage": true}"#, "stream_options"),
            (r#", "stop": [""]"#, "stop"),
            (r#", "stop": ["a", 1]"#, "stop"),
            (r#", "n": 0"#, "n"),
            (r#", "n": 17"#, "n"),
            (r#", "max_tokens": 0"#, "max_tokens"),
            (r#", "max_tokens": -2"#, "max_tokens"),
            (r#", "max_completion_tokens": 0"#, "max_completion_tokens"),
            (r#", "max_completion_tokens": 5, "n_predict": -2"#, "n_predict"),
            (r#", "top_logprobs": 21"#, "top_logprobs"),
        ] {
            let error = parse(more).unwrap_err();
            assert_eq!(
                (error.kind, error.field.as_deref()),
                (FailureKind::InvalidRequest, Some(field)),
                "{more}"
            );
        }
    }

    #[test]
    fn how_hard_to_think_is_one_of_a_few_words() {
        for (word, want) in [
            ("none", Thinking::Off),
            ("minimal", Thinking::Effort(Effort::Minimal)),
            ("xhigh", Thinking::Effort(Effort::Max)),
        ] {
            let call = parse(&format!(r#", "reasoning_effort": "{word}""#)).unwrap();
            assert_eq!(call.request.thinking, want);
        }
        for value in ["\"extreme\"", "1", "[]"] {
            let failure = parse(&format!(r#", "reasoning_effort": {value}"#)).unwrap_err();
            assert_eq!(failure.field.as_deref(), Some("reasoning_effort"));
        }
        let mut ignored = parse(r#", "reasoning_effort": "none""#).unwrap().ignored;
        ignored.note_unused(&Unused::EnableThinking);
        assert_eq!(ignored.header_value().as_deref(), Some("reasoning_effort"));
    }

    #[test]
    fn any_prefix_and_any_flipped_byte_is_an_error_or_a_request() {
        let body =
            br#"{"messages":[{"role":"user","content":[{"type":"text","text":"\u00e9"}]}],"n":1,"stop":["a"],
            "tools":[{"type":"function","function":{"name":"f"}}],"logit_bias":{"1":2},"seed":-3}"#;
        for end in 0..body.len() {
            assert!(parse_chat(&body[..end]).is_err());
        }
        let mut flipped = body.to_vec();
        for index in 0..body.len() {
            for mask in [0x01, 0x20, 0x80, 0xff] {
                flipped[index] ^= mask;
                let _either = parse_chat(&flipped).is_ok();
                flipped[index] ^= mask;
            }
        }
    }
}
