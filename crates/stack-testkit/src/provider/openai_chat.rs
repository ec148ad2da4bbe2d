//! OpenAI's chat completions.

use serde_json::{Value, json};

use super::{ANSWER_TOKENS, PROMPT_TOKENS, Said, data};

pub(super) fn records(said: &[Said]) -> Vec<String> {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        data(&json!({
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m-1-2026",
            "choices": [choice],
            "usage": null,
        }))
    };
    let mut records = vec![chunk(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null)];
    let mut calls = 0;
    for part in said {
        match part {
            Said::Text(text) => records.push(chunk(json!({"content": text}), Value::Null)),
            Said::Thought(text) => records.push(chunk(json!({"reasoning_content": text}), Value::Null)),
            Said::Call { name, arguments } => {
                let function = json!({"name": name, "arguments": ""});
                let id = format!("call_{calls}");
                let call = json!({"index": calls, "id": id, "type": "function", "function": function});
                records.push(chunk(json!({"tool_calls": [call]}), Value::Null));
                let more = json!({"index": calls, "function": {"arguments": arguments}});
                records.push(chunk(json!({"tool_calls": [more]}), Value::Null));
                calls += 1;
            }
        }
    }
    records.push(chunk(json!({}), if calls > 0 { "tool_calls" } else { "stop" }.into()));
    let usage = json!({
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": ANSWER_TOKENS,
        "total_tokens": PROMPT_TOKENS + ANSWER_TOKENS,
    });
    records.push(data(&json!({"id": "chatcmpl-1", "model": "m-1-2026", "choices": [], "usage": usage})));
    records.push("data: [DONE]\n\n".to_owned());
    records
}
