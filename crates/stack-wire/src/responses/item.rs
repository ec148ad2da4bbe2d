//! Items of an answer.

use serde_json::{Value, json};
use stack_chat::{FinishReason, PartKind, Timings, Usage};

use crate::answer::arguments;

/// Renders how many tokens a conversation has.
pub fn count_object(tokens: u32) -> String {
    json!({"object": "response.input_tokens", "input_tokens": tokens}).to_string()
}

/// How far an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Begun,
    Complete,
    /// The answer ends within it.
    Cut,
}

/// What the items of an answer depend on in its request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplyOptions {
    /// The tools that take free text.
    pub custom: Vec<String>,
    /// Whether what the model thinks is told as a summary, which is all that many clients look at.
    pub summary: bool,
}

impl Progress {
    /// How far the last item of an answer is that ended for this reason.
    pub(super) fn of_last(reason: Option<FinishReason>) -> Self {
        match reason {
            Some(FinishReason::Length | FinishReason::Paused | FinishReason::ContentFilter) => Self::Cut,
            Some(FinishReason::Stop | FinishReason::ToolCalls) | None => Self::Complete,
        }
    }
}

/// Renders one part of an answer as an item. One that has begun holds nothing yet.
pub(super) fn item(
    id: &str,
    kind: &PartKind,
    text: &str,
    options: &ReplyOptions,
    progress: Progress,
) -> Value {
    let is_begun = progress == Progress::Begun;
    let status = match progress {
        Progress::Begun => "in_progress",
        Progress::Complete => "completed",
        Progress::Cut => "incomplete",
    };
    let parts = || if is_begun { Vec::new() } else { vec![content(kind, text)] };
    match kind {
        PartKind::Text | PartKind::Refusal => {
            json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": parts()})
        }
        PartKind::Thinking if options.summary => {
            let summary: Vec<_> = (!is_begun).then(|| summary(text)).into_iter().collect();
            json!({"id": id, "type": "reasoning", "status": status, "summary": summary})
        }
        PartKind::Thinking => {
            json!({"id": id, "type": "reasoning", "status": status, "summary": [], "content": parts()})
        }
        PartKind::ToolCall { id: call, name } if options.custom.contains(name) => {
            let input = if is_begun { String::new() } else { input(text) };
            json!({"id": id, "type": "custom_tool_call", "status": status, "call_id": call, "name": name, "input": input})
        }
        PartKind::ToolCall { id: call, name } => {
            let arguments = if is_begun { "" } else { arguments(text) };
            json!({
                "id": id,
                "type": "function_call",
                "status": status,
                "call_id": call,
                "name": name,
                "arguments": arguments,
            })
        }
    }
}

/// Renders the content of an item.
pub(super) fn content(kind: &PartKind, text: &str) -> Value {
    match kind {
        PartKind::Refusal => json!({"type": "refusal", "refusal": text}),
        PartKind::Thinking => json!({"type": "reasoning_text", "text": text}),
        PartKind::Text | PartKind::ToolCall { .. } => {
            json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
        }
    }
}

/// Renders what the model thought as a summary.
pub(super) fn summary(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}

/// Returns the free text of a call whose arguments are an object that holds it, or else the arguments as they are.
pub(super) fn input(text: &str) -> String {
    let object: Option<Value> = serde_json::from_str(text).ok();
    match object.as_ref().and_then(|object| object["input"].as_str()) {
        Some(input) => input.to_owned(),
        None => text.to_owned(),
    }
}

/// Returns the first letters of an item's identifier.
pub(super) fn prefix(kind: &PartKind, custom: &[String]) -> &'static str {
    match kind {
        PartKind::Text | PartKind::Refusal => "msg",
        PartKind::Thinking => "rs",
        PartKind::ToolCall { name, .. } if custom.contains(name) => "ctc",
        PartKind::ToolCall { .. } => "fc",
    }
}

/// Writes into a response how it ended, and after how much time.
pub(super) fn finish(response: &mut Value, reason: Option<FinishReason>, usage: Usage, timings: Timings) {
    let incomplete = match reason {
        Some(FinishReason::Stop | FinishReason::ToolCalls) | None => None,
        Some(FinishReason::Length | FinishReason::Paused) => Some("max_output_tokens"),
        Some(FinishReason::ContentFilter) => Some("content_filter"),
    };
    response["status"] = if incomplete.is_some() { "incomplete" } else { "completed" }.into();
    response["incomplete_details"] = incomplete.map(|reason| json!({"reason": reason})).into();
    response["usage"] = usage_object(usage);
    if incomplete.is_none() {
        let took_s = timings.total().as_secs();
        let completed = response["created_at"].as_u64().map(|created_s| created_s + took_s);
        response["completed_at"] = completed.into();
    }
}

/// Renders the token counts. Clients require every one of them.
fn usage_object(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt(),
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write(),
        },
        "output_tokens": usage.generated(),
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_custom_tools_hold_their_text() {
        let call = |name: &str| PartKind::ToolCall { id: "c".into(), name: name.into() };
        let options = ReplyOptions { custom: vec!["patch".to_owned()], summary: false };
        let render = |name, text| item("i", &call(name), text, &options, Progress::Complete);
        let patch = render("patch", r#"{"input":"*** é"}"#);
        assert_eq!((&patch["type"], &patch["input"]), (&json!("custom_tool_call"), &json!("*** é")));
        assert_eq!(render("patch", "plain")["input"], "plain", "what is no object is the text itself");
        let function = render("ls", "");
        assert_eq!((&function["type"], &function["arguments"]), (&json!("function_call"), &json!("{}")));
    }

    #[test]
    fn an_answer_that_is_cut_is_incomplete() {
        for (reason, status, why) in [
            (FinishReason::Stop, "completed", Value::Null),
            (FinishReason::ToolCalls, "completed", Value::Null),
            (FinishReason::Length, "incomplete", json!("max_output_tokens")),
            (FinishReason::ContentFilter, "incomplete", json!("content_filter")),
        ] {
            let mut response = json!({});
            finish(&mut response, Some(reason), Usage::default(), Timings::default());
            assert_eq!(
                (&response["status"], &response["incomplete_details"]["reason"]),
                (&json!(status), &why)
            );
        }
    }
}
