//! Google's `generateContent`, whose records are whole replies each.

use serde_json::{Value, json};

use super::{ANSWER_TOKENS, PROMPT_TOKENS, Said, data};

pub(super) fn records(said: &[Said]) -> Vec<String> {
    let record = |parts: Value, finish: Option<&str>| {
        let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": parts}});
        if let Some(finish) = finish {
            candidate["finishReason"] = finish.into();
        }
        let usage = json!({
            "promptTokenCount": PROMPT_TOKENS,
            "candidatesTokenCount": ANSWER_TOKENS,
            "totalTokenCount": PROMPT_TOKENS + ANSWER_TOKENS,
        });
        data(&json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m-1"}))
    };
    let mut records: Vec<String> = said
        .iter()
        .map(|part| match part {
            Said::Text(text) => record(json!([{"text": text}]), None),
            Said::Thought(text) => record(json!([{"text": text, "thought": true}]), None),
            Said::Call { name, arguments } => {
                let args: Value = serde_json::from_str(arguments).expect("arguments are a JSON object");
                let call = json!({"name": name, "args": args});
                record(json!([{"functionCall": call, "thoughtSignature": "c2lnbmVk"}]), None)
            }
        })
        .collect();
    records.push(record(json!([{"text": ""}]), Some("STOP")));
    records
}
