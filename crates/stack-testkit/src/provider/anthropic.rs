//! Anthropic's messages.

use serde_json::{Value, json};

use super::{ANSWER_TOKENS, PROMPT_TOKENS, Said, event};

pub(super) fn records(said: &[Said]) -> Vec<String> {
    let usage = json!({"input_tokens": PROMPT_TOKENS, "output_tokens": 1});
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1",
        "content": [], "stop_reason": null, "usage": usage});
    let mut records =
        vec![event(&json!({"type": "message_start", "message": message})), event(&json!({"type": "ping"}))];
    let mut has_calls = false;
    for (index, part) in said.iter().enumerate() {
        let mut push = |kind: &str, name: &str, value: Value| {
            let mut event_of = json!({"type": kind, "index": index});
            if !name.is_empty() {
                event_of[name] = value;
            }
            records.push(event(&event_of));
        };
        let (block, deltas) = match part {
            Said::Text(text) => {
                (json!({"type": "text", "text": ""}), vec![json!({"type": "text_delta", "text": text})])
            }
            Said::Thought(text) => (
                json!({"type": "thinking", "thinking": "", "signature": ""}),
                vec![
                    json!({"type": "thinking_delta", "thinking": text}),
                    json!({"type": "signature_delta", "signature": "c2lnbmVk"}),
                ],
            ),
            Said::Call { name, arguments } => {
                has_calls = true;
                (
                    json!({"type": "tool_use", "id": format!("toolu_{index}"), "name": name, "input": {}}),
                    vec![json!({"type": "input_json_delta", "partial_json": arguments})],
                )
            }
        };
        push("content_block_start", "content_block", block);
        deltas.into_iter().for_each(|delta| push("content_block_delta", "delta", delta));
        push("content_block_stop", "", Value::Null);
    }
    let reason = if has_calls { "tool_use" } else { "end_turn" };
    records.push(event(&json!({"type": "message_delta", "delta": {"stop_reason": reason},
        "usage": {"output_tokens": ANSWER_TOKENS}})));
    records.push(event(&json!({"type": "message_stop"})));
    records
}
