//! An answer as JSON lines, an event on each.

use serde_json::{Value, json};
use stack_chat::{ChatEvent, Fragment, PartKind};

/// Describes an event in one line; `None` of what says nothing to a reader.
pub(super) fn line(event: &ChatEvent) -> Option<Value> {
    Some(match event {
        ChatEvent::Started { prompt_tokens, seed, .. } => {
            json!({"event": "started", "prompt_tokens": prompt_tokens, "seed": seed})
        }
        ChatEvent::PartStarted { part, kind: PartKind::ToolCall { id, name }, .. } => {
            json!({"event": "tool_call", "part": part, "id": id, "name": name})
        }
        ChatEvent::Delta(delta) if !delta.fragment.as_str().is_empty() => {
            let name = match delta.fragment {
                Fragment::Text(_) => "text",
                Fragment::Thinking(_) => "thinking",
                Fragment::Arguments(_) => "tool_arguments",
                Fragment::Refusal(_) => "refusal",
            };
            json!({"event": name, "part": delta.part, "text": delta.fragment.as_str()})
        }
        ChatEvent::Finished { reason, stop, .. } => {
            json!({"event": "finished", "finish_reason": reason.name(), "stop": stop})
        }
        ChatEvent::Done { usage, timings } => json!({
            "event": "done",
            "usage": {
                "prompt_tokens": usage.prompt(),
                "cached_tokens": usage.cache_read,
                "generated_tokens": usage.generated(),
                "reasoning_tokens": usage.reasoning,
            },
            "timings": {
                "queue_seconds": timings.queue.as_secs_f64(),
                "prefill_seconds": timings.prefill.as_secs_f64(),
                "decode_seconds": timings.decode.as_secs_f64(),
            },
        }),
        ChatEvent::PartStarted { .. }
        | ChatEvent::PartEnded { .. }
        | ChatEvent::Delta(_)
        | ChatEvent::OpaqueAdded { .. }
        | ChatEvent::CitationAdded { .. }
        | ChatEvent::Usage(_)
        | ChatEvent::Alive => return None,
    })
}

#[cfg(test)]
mod tests {
    use stack_chat::{Delta, FinishReason};

    use super::*;

    #[test]
    fn events_without_news_have_no_line() {
        let delta = |text: &str| {
            let fragment = Fragment::Text(text.into());
            ChatEvent::Delta(Delta { choice: 0, part: 0, fragment, tokens: Vec::new() })
        };
        assert_eq!(line(&delta("")), None);
        assert_eq!(line(&delta("a")), Some(json!({"event": "text", "part": 0, "text": "a"})));
        assert_eq!(line(&ChatEvent::Alive), None);
        let finished = ChatEvent::Finished { choice: 0, reason: FinishReason::Stop, stop: Some("x".into()) };
        assert_eq!(line(&finished), Some(json!({"event": "finished", "finish_reason": "stop", "stop": "x"})));
    }
}
