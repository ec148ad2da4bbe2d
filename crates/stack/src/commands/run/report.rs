//! Answers as JSON objects.

use serde_json::{Value, json};
use stack_chat::FinishReason;

use crate::chat::answer::Answer;
use crate::models::ready::Ready;

/// Describes an answer, and the model that gave it.
pub(super) fn report(ready: &Ready, answer: &Answer) -> Value {
    let mut object = json!({"model": ready.id});
    if let (Some(object), Value::Object(answer)) = (object.as_object_mut(), answer_object(answer)) {
        object.extend(answer);
    }
    object["timings"]["load_seconds"] = ready.load.as_secs_f64().into();
    object
}

/// Describes an answer.
pub(super) fn answer_object(answer: &Answer) -> Value {
    let mut object = json!({
        "text": answer.text,
        "finish_reason": answer.finish.map(FinishReason::name),
        "seed": answer.seed,
        "usage": {
            "prompt_tokens": answer.usage.prompt(),
            "cached_tokens": answer.usage.cache_read,
            "generated_tokens": answer.usage.generated(),
            "reasoning_tokens": answer.usage.reasoning,
        },
        "timings": {
            "queue_seconds": answer.timings.queue.as_secs_f64(),
            "prefill_seconds": answer.timings.prefill.as_secs_f64(),
            "decode_seconds": answer.timings.decode.as_secs_f64(),
        },
    });
    if !answer.thinking.is_empty() {
        object["thinking"] = answer.thinking.as_str().into();
    }
    if !answer.calls.is_empty() {
        let call = |call: &stack_chat::ToolCall| {
            let text = &call.arguments.0;
            // Arguments that are no JSON, because the answer ends within them, stay text.
            let arguments = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
            json!({"id": call.id, "name": call.name, "arguments": arguments})
        };
        object["tool_calls"] = answer.calls.iter().map(call).collect();
    }
    object
}
