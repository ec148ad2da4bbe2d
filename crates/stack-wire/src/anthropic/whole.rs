//! Answers as one message, and counts of tokens.

use serde_json::{Value, json};
use stack_chat::{FinishReason, PartKind, Usage};

use super::stream::Reply;
use crate::answer::{Answer, Choice, arguments};
use crate::opaque::kept_text;

/// Renders how many tokens a conversation has.
pub fn count_object(tokens: u32) -> String {
    json!({"input_tokens": tokens}).to_string()
}

/// Renders a complete answer, which has one choice in this dialect.
pub(super) fn whole(reply: &Reply, answer: &Answer) -> String {
    let choice = answer.choices.first();
    let mut message = reply.message(answer.usage);
    message["content"] = choice.map(blocks).unwrap_or_default().into();
    if let Some(Choice { finish: Some(reason), stop, .. }) = choice {
        message["stop_reason"] = stop_reason(*reason, stop.as_deref()).into();
        message["stop_sequence"] = stop.as_deref().into();
    }
    message.to_string()
}

fn blocks(choice: &Choice) -> Vec<Value> {
    let block = |(number, (kind, text)): (u32, &(PartKind, String))| {
        let mut block = block(kind, text);
        if let Some(opaque) = choice.opaque_of(number).filter(|_| *kind == PartKind::Thinking) {
            block["signature"] = kept_text(opaque).into();
        }
        block
    };
    (0..).zip(&choice.parts).map(block).collect()
}

/// Renders one part as a content block. Arguments that are no object, because the answer ends within them, are none.
pub(super) fn block(kind: &PartKind, text: &str) -> Value {
    match kind {
        PartKind::Text | PartKind::Refusal => json!({"type": "text", "text": text}),
        PartKind::Thinking => json!({"type": "thinking", "thinking": text, "signature": ""}),
        PartKind::ToolCall { id, name } => {
            let input = serde_json::from_str(arguments(text)).ok().filter(Value::is_object);
            json!({"type": "tool_use", "id": id, "name": name, "input": input.unwrap_or_else(|| json!({}))})
        }
    }
}

/// Renders why an answer ended, in a stop text or not.
pub(super) fn stop_reason(reason: FinishReason, stop: Option<&str>) -> &'static str {
    match reason {
        FinishReason::Stop if stop.is_some() => "stop_sequence",
        FinishReason::Stop => "end_turn",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::Length => "max_tokens",
        FinishReason::ContentFilter => "refusal",
        FinishReason::Paused => "pause_turn",
    }
}

/// Renders the token counts of a message.
pub(super) fn usage_object(usage: Usage) -> Value {
    let mut object = delta_usage(usage);
    object["cache_creation"] = json!({
        "ephemeral_5m_input_tokens": usage.cache_write_5m,
        "ephemeral_1h_input_tokens": usage.cache_write_1h,
    });
    object
}

/// Renders the token counts at the end of a stream, which do not say how long what was cached is kept.
pub(super) fn delta_usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write(),
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.generated(),
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
    })
}

#[cfg(test)]
mod tests {
    use stack_chat::{ChatEvent, Timings};

    use super::*;

    #[test]
    fn a_message_holds_its_parts_in_order() {
        let call = PartKind::ToolCall { id: "t".into(), name: "f".into() };
        let mut answer = Answer::new(1);
        answer.choices[0].parts = vec![
            (PartKind::Thinking, "hm".into()),
            (PartKind::Text, "Let me see.".into()),
            (call.clone(), r#"{"b":1,"a":2}"#.into()),
            (call, r#"{"cut"#.into()),
        ];
        for event in [
            ChatEvent::Finished { choice: 0, reason: FinishReason::ToolCalls, stop: None },
            ChatEvent::Done {
                usage: Usage { input: 1, cache_read: 2, answer: 3, reasoning: 4, ..Usage::default() },
                timings: Timings::default(),
            },
        ] {
            answer.push(event);
        }
        let reply = Reply { unique: "1".into(), model: "m".into() };
        let got: Value = serde_json::from_str(&whole(&reply, &answer)).unwrap();
        assert_eq!(
            got,
            json!({
                "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": ""},
                    {"type": "text", "text": "Let me see."},
                    {"type": "tool_use", "id": "t", "name": "f", "input": {"b": 1, "a": 2}},
                    {"type": "tool_use", "id": "t", "name": "f", "input": {}},
                ],
                "stop_reason": "tool_use", "stop_sequence": null,
                "usage": {
                    "input_tokens": 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 2,
                    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
                    "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 4},
                },
            })
        );
    }
}
