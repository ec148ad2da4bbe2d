//! `POST /v1/chat/completions`: the request.

use serde_json::Value;
use stack_chat::{ChatError, ChatRequest, Json, Logprobs, Prompt, TemplateOptions};

use super::message::messages;
use super::options::{self, Call, TOKENS_MAX};
use super::tool::tools;
use super::unsupported::{self, CHAT, GENERATION};
use crate::Ignored;
use crate::fields::{Fields, bounded, mismatch};

/// Parses the body of a chat completion.
///
/// # Errors
///
/// Of kind `Invalid` or `Unsupported`, and naming the field at fault unless the body as a whole is wrong.
pub fn parse_chat(body: &[u8]) -> Result<Call<ChatRequest>, ChatError> {
    let mut fields = Fields::parse(body)?;
    let mut ignored = Ignored::default();
    unsupported::refuse(&mut fields, GENERATION)?;
    unsupported::refuse(&mut fields, CHAT)?;
    let mut request = ChatRequest::new(Prompt::Messages(messages(&mut fields, &mut ignored)?));
    options::generation(&mut fields, &mut request)?;
    request.tools = tools(&mut fields)?;
    request.template = template(&mut fields)?;
    request.max_tokens = max_tokens(&mut fields)?;
    request.logprobs = logprobs(&mut fields)?;
    let model = options::model(&mut fields)?;
    let delivery = options::delivery(&mut fields, &mut ignored)?;
    fields.ignore_rest("", &mut ignored);
    Ok(Call { model, request, delivery, ignored })
}

/// `max_completion_tokens` is the newer name and wins.
fn max_tokens(fields: &mut Fields) -> Result<Option<u32>, ChatError> {
    let old = fields.integer("max_tokens", 1..=TOKENS_MAX)?;
    Ok(fields.integer("max_completion_tokens", 1..=TOKENS_MAX)?.or(old))
}

fn logprobs(fields: &mut Fields) -> Result<Option<Logprobs>, ChatError> {
    let wanted = fields.flag("logprobs")?.unwrap_or(false);
    let top = fields.integer("top_logprobs", 0..=20_u8)?;
    if top.is_some_and(|top| top > 0) && !wanted {
        return Err(ChatError::invalid("top_logprobs", "`top_logprobs` needs `logprobs: true`"));
    }
    Ok(wanted.then_some(Logprobs { top: top.unwrap_or(0) }))
}

/// Takes the values that a chat template may look at.
fn template(fields: &mut Fields) -> Result<TemplateOptions, ChatError> {
    let mut template = TemplateOptions::default();
    if let Some(mut variables) = fields.object("chat_template_kwargs")? {
        template.enable_thinking = variables.flag("enable_thinking")?;
        let rest: Vec<_> = variables.into_rest().collect();
        bounded("chat_template_kwargs", rest.len(), VARIABLES_MAX)?;
        template.variables = rest.into_iter().map(|(name, value)| (name, Json(value.to_string()))).collect();
    }
    if let Some(thinking) = fields.flag("enable_thinking")? {
        template.enable_thinking = Some(thinking);
    }
    match fields.take("reasoning_effort") {
        None => {}
        Some(effort @ Value::String(_)) => {
            template.variables.push(("reasoning_effort".to_owned(), Json(effort.to_string())));
        }
        Some(other) => return Err(mismatch("reasoning_effort".into(), "a string", &other)),
    }
    Ok(template)
}

const VARIABLES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use stack_chat::{ErrorKind, Message};

    use super::*;
    use crate::openai::Delivery;

    /// Parses a request of one message and the given further fields.
    fn parse(more: &str) -> Result<Call<ChatRequest>, ChatError> {
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
        let variable = |name: &str, value: &str| (name.to_owned(), Json(value.to_owned()));
        assert_eq!(
            call.request.template.variables,
            [variable("tone", "\"dry\""), variable("reasoning_effort", "\"low\"")]
        );
    }

    #[test]
    fn what_has_no_effect_is_reported() {
        let call =
            parse(r#", "user": "me", "store": true, "made_up": 1, "seed": 5, "metadata": null"#).unwrap();
        assert_eq!(call.ignored.header_value().as_deref(), Some("made_up, store, user"));
    }

    #[test]
    fn options_that_contradict_each_other_are_invalid() {
        for (more, field) in [
            (r#", "top_logprobs": 2"#, "top_logprobs"),
            (r#", "stream_options": {"include_usage": true}"#, "stream_options"),
            (r#", "stop": [""]"#, "stop"),
            (r#", "stop": ["a", 1]"#, "stop"),
            (r#", "n": 0"#, "n"),
            (r#", "n": 17"#, "n"),
            (r#", "max_tokens": 0"#, "max_tokens"),
            (r#", "max_tokens": -1"#, "max_tokens"),
            (r#", "top_logprobs": 21"#, "top_logprobs"),
        ] {
            let error = parse(more).unwrap_err();
            assert_eq!((error.kind, error.field.as_deref()), (ErrorKind::Invalid, Some(field)), "{more}");
        }
    }

    #[test]
    fn a_response_format_is_refused_unless_it_is_text() {
        assert!(parse(r#", "response_format": {"type": "text"}"#).is_ok());
        let error = parse(r#", "response_format": {"type": "json_object"}"#).unwrap_err();
        assert_eq!((error.kind, error.field.as_deref()), (ErrorKind::Unsupported, Some("response_format")));
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
