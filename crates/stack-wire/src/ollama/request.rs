//! `POST /api/chat` and `POST /api/generate`: the requests.

use stack_chat::{ChatRequest, Failure, Message, Part, Prompt, Role};

use super::message::{images, messages};
use super::options::{WORDS, delivery, model, options};
use crate::fields::Fields;
use crate::keep_alive::keep_alive;
use crate::openai::tools;
use crate::{Call, Ignored};

/// Parses the body of a chat. A request without messages only asks that the model is there.
///
/// # Errors
///
/// Of kind `InvalidRequest` or `Unsupported`, and naming the field at fault unless the body as a whole is wrong.
pub fn parse_chat(body: &[u8]) -> Result<Call<Option<ChatRequest>>, Failure> {
    let mut fields = Fields::parse(body)?;
    let mut ignored = Ignored::in_words(WORDS);
    let messages = messages(&mut fields, &mut ignored)?;
    let asks = !messages.is_empty();
    let mut request = ChatRequest::new(Prompt::Messages(messages));
    tools(&mut fields, &mut request, &mut ignored)?;
    finish(fields, request, asks, ignored)
}

/// Parses the body of a request to continue a prompt. A request without one only asks that the model is there.
///
/// # Errors
///
/// As [`parse_chat`].
pub fn parse_generate(body: &[u8]) -> Result<Call<Option<ChatRequest>>, Failure> {
    let mut fields = Fields::parse(body)?;
    let ignored = Ignored::in_words(WORDS);
    for name in ["suffix", "context"] {
        let is_neutral =
            |value: &serde_json::Value| value == "" || value.as_array().is_some_and(Vec::is_empty);
        if fields.take(name).is_some_and(|value| !is_neutral(&value)) {
            return Err(Failure::unsupported(name, format!("`{name}` is not supported here; leave it out")));
        }
    }
    let text = fields.text("prompt", usize::MAX)?.unwrap_or_default();
    let images = images(&mut fields)?;
    let system = fields.text("system", usize::MAX)?.filter(|system| !system.is_empty());
    let asks = !text.is_empty() || !images.is_empty();
    let prompt = if fields.flag("raw")?.unwrap_or(false) {
        if !images.is_empty() || system.is_some() {
            let message =
                "`raw` prompts are continued as they are: `system` and `images` have no place in them";
            return Err(Failure::invalid("raw", message));
        }
        Prompt::Text(text)
    } else {
        let parts = std::iter::once(Part::Text(text)).chain(images).collect();
        let user = Message { role: Role::User, name: None, parts };
        let system = system.map(|system| Message::new(Role::System, system));
        Prompt::Messages(system.into_iter().chain([user]).collect())
    };
    finish(fields, ChatRequest::new(prompt), asks, ignored)
}

fn finish(
    mut fields: Fields,
    mut request: ChatRequest,
    asks: bool,
    mut ignored: Ignored,
) -> Result<Call<Option<ChatRequest>>, Failure> {
    options(&mut fields, &mut request, &mut ignored)?;
    let model = model(&mut fields)?;
    let delivery = delivery(&mut fields)?;
    let keep_alive = keep_alive(&mut fields)?;
    fields.ignore_rest("", &mut ignored);
    Ok(Call { model, request: asks.then_some(request), delivery, ignored, keep_alive })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Delivery, KeepAlive};

    const STREAM: Delivery = Delivery::Stream { include_usage: true };

    #[test]
    fn a_chat_streams_unless_it_is_told_not_to() {
        let call = parse_chat(
            br#"{"model": "m:latest", "messages": [{"role": "user", "content": "Hi"}], "keep_alive": "5m",
                "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}], "options": {"seed": 1}}"#,
        );
        let call = call.unwrap();
        assert_eq!((call.model.as_deref(), call.delivery), (Some("m:latest"), STREAM));
        let request = call.request.unwrap();
        assert_eq!(request.prompt, Prompt::Messages(vec![Message::user("Hi")]));
        assert_eq!((request.tools.len(), request.sampling.seed), (1, Some(1)));
        assert_eq!(call.keep_alive, Some(KeepAlive::For(Duration::from_mins(5))));
        assert_eq!(call.ignored.header_value(), None);
        let whole = parse_chat(br#"{"messages": [{"role": "user"}], "stream": false}"#).unwrap();
        assert_eq!(whole.delivery, Delivery::Whole);
    }

    #[test]
    fn a_request_that_asks_nothing_loads_the_model() {
        for body in [&br#"{"model": "m"}"#[..], br#"{"model": "m", "messages": []}"#] {
            assert_eq!(parse_chat(body).unwrap().request, None);
        }
        assert_eq!(parse_generate(br#"{"model": "m", "prompt": ""}"#).unwrap().request, None);
    }

    #[test]
    fn a_prompt_is_a_conversation_unless_it_is_raw() {
        let call = parse_generate(br#"{"prompt": "Hi", "system": "Be brief.", "context": [], "suffix": ""}"#);
        let messages = vec![Message::new(Role::System, "Be brief."), Message::user("Hi")];
        assert_eq!(call.unwrap().request.unwrap().prompt, Prompt::Messages(messages));
        let raw = parse_generate(br#"{"prompt": "Hi", "raw": true}"#).unwrap();
        assert_eq!(raw.request.unwrap().prompt, Prompt::Text("Hi".into()));
    }

    #[test]
    fn the_field_at_fault_is_named() {
        for (json, want) in [
            (r#"{"prompt": 1}"#, "prompt"),
            (r#"{"prompt": "a", "suffix": "b"}"#, "suffix"),
            (r#"{"prompt": "a", "context": [1, 2]}"#, "context"),
            (r#"{"prompt": "a", "raw": 1}"#, "raw"),
            (r#"{"prompt": "a", "raw": true, "system": "b"}"#, "raw"),
            (r#"{"prompt": "a", "stream": "no"}"#, "stream"),
            (r#"{"prompt": "a", "model": {}}"#, "model"),
            (r#"{"prompt": "a", "system": []}"#, "system"),
        ] {
            assert_eq!(parse_generate(json.as_bytes()).unwrap_err().field.as_deref(), Some(want), "{json}");
        }
    }

    #[test]
    fn any_prefix_and_any_flipped_byte_is_an_error_or_a_request() {
        let body =
            br#"{"model":"m","messages":[{"role":"user","content":"\u00e9","images":["AQ=="]}],"think":true,
            "tools":[{"type":"function","function":{"name":"f"}}],"options":{"stop":["a"],"seed":-3}}"#;
        for end in 0..body.len() {
            assert!(parse_chat(&body[..end]).is_err() && parse_generate(&body[..end]).is_err());
        }
        let mut flipped = body.to_vec();
        for place in 0..body.len() {
            flipped[place] ^= 0x20;
            let _either = (parse_chat(&flipped), parse_generate(&flipped));
            flipped[place] ^= 0x20;
        }
    }
}
