//! Ollama's chat.

use serde_json::{Value, json};

use super::{ANSWER_TOKENS, PROMPT_TOKENS, Said};

pub(super) fn records(said: &[Said]) -> Vec<String> {
    let line = |message: Value| {
        format!(
            "{}\n",
            json!({"model": "m-1", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": false})
        )
    };
    let mut records: Vec<String> = said
        .iter()
        .map(|part| match part {
            Said::Text(text) => line(json!({"role": "assistant", "content": text})),
            Said::Thought(text) => line(json!({"role": "assistant", "content": "", "thinking": text})),
            Said::Call { name, arguments } => {
                let arguments: Value = serde_json::from_str(arguments).expect("arguments are a JSON object");
                let call = json!({"function": {"name": name, "arguments": arguments}});
                line(json!({"role": "assistant", "content": "", "tool_calls": [call]}))
            }
        })
        .collect();
    records.push(format!(
        "{}\n",
        json!({"model": "m-1", "created_at": "2026-01-01T00:00:00Z",
            "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "stop",
            "prompt_eval_count": PROMPT_TOKENS, "eval_count": ANSWER_TOKENS})
    ));
    records
}
