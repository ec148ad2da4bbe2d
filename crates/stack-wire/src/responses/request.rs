//! `POST /v1/responses` and `POST /v1/responses/input_tokens`: the request.

use serde_json::Value;
use stack_chat::{ChatRequest, Failure, Output, Prompt, Schema, Thinking};

use super::echo::Echo;
use super::input::messages;
use super::item::ReplyOptions;
use super::stored::{Find, StoredInput};
use super::tool::tools;
use crate::fields::{Fields, mismatch};
use crate::ignored::Words;
use crate::openai::effort;
use crate::schema::schema;
use crate::{Call, Delivery, Ignored};

/// What the model is asked, and what its answer must know of the request.
#[derive(Clone, Debug, PartialEq)]
pub struct ResponseRequest {
    /// What the model is asked.
    pub request: ChatRequest,
    /// What the response repeats.
    pub echo: Echo,
    /// What the items of the answer depend on.
    pub options: ReplyOptions,
    /// The items that it answers, if the response is to be stored.
    pub stored: Option<StoredInput>,
    /// Whether it is made while nobody waits for it; then it is stored.
    pub background: bool,
}

/// Parses the body of a request for a response. A server that stores responses says how to `find` them.
///
/// # Errors
///
/// Of kind `InvalidRequest` or `Unsupported`, and naming the field at fault unless the body as a whole is wrong.
pub fn parse_response(body: &[u8], find: Option<&Find<'_>>) -> Result<Call<ResponseRequest>, Failure> {
    let mut fields = Fields::parse(body)?;
    let mut call = conversation(&mut fields, find, find.is_some())?;
    let request = &mut call.request.request;
    request.max_tokens = fields.integer("max_output_tokens", 1..=i32::MAX)?.map(i32::cast_unsigned);
    request.sampling.temperature = fields.number("temperature", 0.0..=2.0)?;
    request.sampling.top_p = fields.number("top_p", 0.0..=1.0)?;
    request.sampling.presence_penalty = fields.number("presence_penalty", -2.0..=2.0)?;
    request.sampling.frequency_penalty = fields.number("frequency_penalty", -2.0..=2.0)?;
    if fields.flag("stream")?.unwrap_or(false) {
        call.delivery = Delivery::Stream { include_usage: true };
    }
    if call.request.background {
        check_background(&call)?;
    }
    fields.ignore_rest("", &mut call.ignored);
    Ok(call)
}

/// Parses the body of a request to count the tokens of a conversation.
///
/// # Errors
///
/// As [`parse_response`].
pub fn parse_count(body: &[u8], find: Option<&Find<'_>>) -> Result<Call<ChatRequest>, Failure> {
    let mut fields = Fields::parse(body)?;
    let mut call = conversation(&mut fields, find, false)?;
    fields.ignore_rest("", &mut call.ignored);
    Ok(call.map(|asked| asked.request))
}

/// Takes what both routes have in common.
fn conversation(
    fields: &mut Fields,
    find: Option<&Find<'_>>,
    can_store: bool,
) -> Result<Call<ResponseRequest>, Failure> {
    let mut ignored = Ignored::in_words(WORDS);
    let is_stored = is_stored(fields, can_store, &mut ignored)?;
    let echo = Echo::of(fields.rest(), is_stored);
    let background = fields.flag("background")?.unwrap_or(false);
    refuse(fields, &mut ignored)?;
    let (messages, stored) = messages(fields, find, is_stored, &mut ignored)?;
    let mut request = ChatRequest::new(Prompt::Messages(messages));
    let custom = tools(fields, &mut request, &mut ignored)?;
    request.output = output(fields, &mut ignored)?;
    let (thinking, summary) = thinking(fields, &mut ignored)?;
    request.thinking = thinking;
    let options = ReplyOptions { custom, summary };
    let model = fields.text("model", 512)?.filter(|name| !name.is_empty());
    Ok(Call {
        model,
        request: ResponseRequest { request, echo, options, stored, background },
        delivery: Delivery::Whole,
        ignored,
        keep_alive: None,
    })
}

/// Takes whether the response is to be stored: where that is possible, it is unless the request says otherwise.
fn is_stored(fields: &mut Fields, can_store: bool, ignored: &mut Ignored) -> Result<bool, Failure> {
    let wanted = fields.flag("store")?;
    if wanted == Some(true) && !can_store {
        ignored.note("store");
    }
    Ok(can_store && wanted.unwrap_or(true))
}

/// Refuses to work in the background where nobody could learn the outcome.
fn check_background(call: &Call<ResponseRequest>) -> Result<(), Failure> {
    let problem = if call.request.stored.is_none() {
        "`background` needs a response that is stored: leave `store` out, and start the server with `--stored-responses`"
    } else if call.delivery != Delivery::Whole {
        "`background` and `stream` do not go together here; ask for the response until it is complete"
    } else {
        return Ok(());
    };
    Err(Failure::unsupported("background", problem))
}

/// Refuses what needs a service behind it.
fn refuse(fields: &mut Fields, ignored: &mut Ignored) -> Result<(), Failure> {
    for (name, what) in [("conversation", "conversations"), ("prompt", "prompts")] {
        if fields.take(name).is_some() {
            let message = format!("`{name}` is not supported: {what} are not kept here; send it in `input`");
            return Err(Failure::unsupported(name, message));
        }
    }
    if fields.integer("top_logprobs", 0..=20)?.unwrap_or(0) > 0 {
        let message = "`top_logprobs` is not supported on this route; use /v1/chat/completions";
        return Err(Failure::unsupported("top_logprobs", message));
    }
    // Nothing is cut to fit.
    if fields.text("truncation", 64)?.is_some_and(|truncation| truncation != "disabled") {
        ignored.note("truncation");
    }
    Ok(())
}

fn output(fields: &mut Fields, ignored: &mut Ignored) -> Result<Output, Failure> {
    let Some(mut text) = fields.object("text")? else { return Ok(Output::Text) };
    let output = match text.object("format")? {
        None => Output::Text,
        Some(mut format) => {
            let path = format.path("type");
            let output = match format.require("type")? {
                Value::String(kind) if kind == "text" => Output::Text,
                Value::String(kind) if kind == "json_object" => Output::Json,
                Value::String(kind) if kind == "json_schema" => {
                    let path = format.path("schema");
                    Output::Schema(Schema {
                        name: format.text("name", 256)?,
                        schema: schema(&path, &format.require("schema")?)?,
                        strict: format.flag("strict")?.unwrap_or(false),
                    })
                }
                other => return Err(mismatch(path, "\"text\", \"json_object\" or \"json_schema\"", &other)),
            };
            format.ignore_rest("text.format", ignored);
            output
        }
    };
    if text.text("verbosity", 64)?.is_some_and(|verbosity| verbosity != "medium") {
        ignored.note("text.verbosity");
    }
    text.ignore_rest("text", ignored);
    Ok(output)
}

/// Takes how hard to think, and whether to tell of it in a summary.
fn thinking(fields: &mut Fields, ignored: &mut Ignored) -> Result<(Thinking, bool), Failure> {
    let Some(mut reasoning) = fields.object("reasoning")? else { return Ok((Thinking::Default, false)) };
    let path = reasoning.path("effort");
    let thinking = match reasoning.take("effort") {
        None => Thinking::Default,
        Some(value) => value.as_str().and_then(effort).ok_or_else(|| {
            let words = "\"none\", \"minimal\", \"low\", \"medium\", \"high\" or \"xhigh\"";
            mismatch(path, words, &value)
        })?,
    };
    // Its former name is still in use. All of it is told, whatever the word says of its length.
    let old = reasoning.text("generate_summary", 32)?;
    let summary = reasoning.text("summary", 32)?.or(old);
    reasoning.ignore_rest("reasoning", ignored);
    Ok((thinking, summary.is_some_and(|length| length != "none")))
}

const WORDS: Words = Words {
    strict_tools: "tools[].strict",
    parallel_tool_calls: "parallel_tool_calls",
    tool_errors: "input[].output",
    speaker_names: "input[].name",
    reasoning: "input[].content",
    thinking: "reasoning.effort",
    effort: "reasoning.effort",
};

#[cfg(test)]
mod tests {
    use stack_chat::{Effort, Message, Unused};

    use super::*;

    fn parse(more: &str) -> Result<Call<ResponseRequest>, Failure> {
        parse_response(format!(r#"{{"input": "Hi"{more}}}"#).as_bytes(), None)
    }

    #[test]
    fn the_smallest_request_leaves_everything_to_the_model() {
        let call = parse("").unwrap();
        assert_eq!(call.request.request, ChatRequest::new(Prompt::Messages(vec![Message::user("Hi")])));
        assert_eq!((call.model, call.delivery), (None, Delivery::Whole));
        assert_eq!(call.ignored.header_value(), None);
    }

    #[test]
    fn a_request_of_a_coding_agent_is_taken() {
        let call = parse(
            r#", "model": "m", "instructions": "You are an agent.", "stream": true, "store": false,
               "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k", "parallel_tool_calls": false,
               "reasoning": {"effort": "high", "summary": "auto"}, "tool_choice": "auto",
               "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "strict": true,
                        "schema": {"type": "object"}}},
               "tools": [{"type": "function", "name": "shell_command", "strict": false,
                          "parameters": {"type": "object"}}, {"type": "web_search"}]"#,
        );
        let mut call = call.unwrap();
        assert_eq!(call.delivery, Delivery::Stream { include_usage: true });
        assert_eq!(call.request.request.thinking, Thinking::Effort(Effort::High));
        assert!(call.request.options.summary);
        assert!(matches!(&call.request.request.output, Output::Schema(schema) if schema.strict));
        call.ignored.note_unused(&Unused::Variable("reasoning_effort".into()));
        let expected = "include, prompt_cache_key, reasoning.effort, text.verbosity, \
            tools[].web_search";
        assert_eq!(call.ignored.header_value().as_deref(), Some(expected));
    }

    #[test]
    fn the_field_at_fault_is_named() {
        for (more, field) in [
            (r#", "model": 1"#, "model"),
            (r#", "stream": "yes""#, "stream"),
            (r#", "store": 1"#, "store"),
            (r#", "max_output_tokens": 0"#, "max_output_tokens"),
            (r#", "temperature": 3"#, "temperature"),
            (r#", "top_p": []"#, "top_p"),
            (r#", "previous_response_id": "resp_1""#, "previous_response_id"),
            (r#", "conversation": "c""#, "conversation"),
            (r#", "prompt": {"id": "p"}"#, "prompt"),
            (r#", "background": true"#, "background"),
            (r#", "top_logprobs": 3"#, "top_logprobs"),
            (r#", "instructions": []"#, "instructions"),
            (r#", "reasoning": 1"#, "reasoning"),
            (r#", "reasoning": {"effort": "extreme"}"#, "reasoning.effort"),
            (r#", "text": {"format": {"type": "xml"}}"#, "text.format.type"),
            (r#", "text": {"format": {"type": "json_schema"}}"#, "text.format.schema"),
        ] {
            assert_eq!(parse(more).unwrap_err().field.as_deref(), Some(field), "{more}");
        }
    }

    #[test]
    fn any_prefix_and_any_flipped_byte_is_an_error_or_a_request() {
        let body = br#"{"input":[{"role":"user","content":[{"type":"input_text","text":"\u00e9"}]},{"type":"custom_tool_call",
            "call_id":"c","name":"f","input":"x"}],"tools":[{"type":"custom","name":"f"}],"reasoning":{"effort":"low"}}"#;
        for end in 0..body.len() {
            assert!(parse_response(&body[..end], None).is_err());
        }
        let mut flipped = body.to_vec();
        for place in 0..body.len() {
            flipped[place] ^= 0x20;
            let _either = parse_response(&flipped, None);
            flipped[place] ^= 0x20;
        }
    }
}
