//! OpenAI's responses.

use serde_json::{Value, json};

use super::{ANSWER_TOKENS, PROMPT_TOKENS, Said, event};

pub(super) fn records(said: &[Said]) -> Vec<String> {
    let begun = json!({"id": "resp_1", "model": "m-1", "status": "in_progress", "error": null});
    let mut records = vec![event(&json!({"type": "response.created", "response": begun}))];
    for (index, part) in said.iter().enumerate() {
        let mut push = |kind: &str, mut value: Value| {
            value["type"] = format!("response.{kind}").into();
            value["output_index"] = index.into();
            records.push(event(&value));
        };
        match part {
            Said::Text(text) => {
                let item = json!({"type": "message", "id": "msg_1", "role": "assistant", "content": []});
                push("output_item.added", json!({"item": item}));
                push("output_text.delta", json!({"content_index": 0, "delta": text}));
                push("output_text.done", json!({"content_index": 0, "text": text}));
                let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
                let item = json!({"type": "message", "id": "msg_1", "role": "assistant", "content": content});
                push("output_item.done", json!({"item": item}));
            }
            Said::Thought(text) => {
                push(
                    "output_item.added",
                    json!({"item": {"type": "reasoning", "id": "rs_1", "summary": []}}),
                );
                push("reasoning_summary_text.delta", json!({"summary_index": 0, "delta": text}));
                let summary = json!([{"type": "summary_text", "text": text}]);
                let item = json!({"type": "reasoning", "id": "rs_1", "summary": summary,
                    "encrypted_content": "b3BhcXVl"});
                push("output_item.done", json!({"item": item}));
            }
            Said::Call { name, arguments } => {
                let call = |arguments: &str| {
                    json!({"item": {"type": "function_call", "id": format!("fc_{index}"),
                        "call_id": format!("call_{index}"), "name": name, "arguments": arguments}})
                };
                push("output_item.added", call(""));
                push("function_call_arguments.delta", json!({"delta": arguments}));
                push("output_item.done", call(arguments));
            }
        }
    }
    let usage = json!({
        "input_tokens": PROMPT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": ANSWER_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": PROMPT_TOKENS + ANSWER_TOKENS,
    });
    let done = json!({"id": "resp_1", "model": "m-1", "status": "completed", "error": null, "usage": usage});
    records.push(event(&json!({"type": "response.completed", "response": done})));
    records
}
