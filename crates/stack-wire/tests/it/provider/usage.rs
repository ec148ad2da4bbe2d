//! What each family counts, made disjoint.

use stack_chat::{Money, Usage};
use stack_wire::Delivery;
use stack_wire::provider::{Family, ReplyFacts};

use super::replay;

fn facts(family: Family, body: &str) -> ReplyFacts {
    replay(family, Delivery::Whole, [body.as_bytes()]).1
}

fn usage([input, cache_read, cache_write_5m, cache_write_1h, answer, reasoning]: [u32; 6]) -> Usage {
    Usage { input, cache_read, cache_write_5m, cache_write_1h, answer, reasoning, inconsistent: false }
}

#[test]
fn no_token_is_counted_twice() {
    let chat = |usage: &str| {
        format!(r#"{{"choices":[{{"message":{{"content":"a"}},"finish_reason":"stop"}}],"usage":{usage}}}"#)
    };
    let responses = |usage: &str| format!(r#"{{"status":"completed","output":[],"usage":{usage}}}"#);
    let anthropic = |usage: &str| format!(r#"{{"content":[],"stop_reason":"end_turn","usage":{usage}}}"#);
    let gemini =
        |usage: &str| format!(r#"{{"candidates":[{{"finishReason":"STOP"}}],"usageMetadata":{usage}}}"#);
    for (family, body, want) in [
        (
            Family::OpenaiChat,
            chat(
                r#"{"prompt_tokens":100,"prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":10},"completion_tokens":30,"completion_tokens_details":{"reasoning_tokens":20},"total_tokens":130}"#,
            ),
            usage([30, 60, 10, 0, 10, 20]),
        ),
        (
            Family::OpenaiResponses,
            responses(
                r#"{"input_tokens":100,"input_tokens_details":{"cached_tokens":60,"cache_write_tokens":10},"output_tokens":30,"output_tokens_details":{"reasoning_tokens":20},"total_tokens":130}"#,
            ),
            usage([30, 60, 10, 0, 10, 20]),
        ),
        (
            Family::Anthropic,
            anthropic(
                r#"{"input_tokens":7,"cache_read_input_tokens":60,"cache_creation_input_tokens":30,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":30,"output_tokens_details":{"thinking_tokens":25}}"#,
            ),
            usage([7, 60, 10, 20, 5, 25]),
        ),
        (
            Family::Anthropic,
            anthropic(r#"{"input_tokens":7,"cache_creation_input_tokens":30,"output_tokens":3}"#),
            usage([7, 0, 30, 0, 3, 0]),
        ),
        (
            Family::Gemini,
            gemini(
                r#"{"promptTokenCount":100,"cachedContentTokenCount":60,"toolUsePromptTokenCount":5,"candidatesTokenCount":10,"thoughtsTokenCount":20,"totalTokenCount":135}"#,
            ),
            usage([45, 60, 0, 0, 10, 20]),
        ),
        (
            Family::Ollama,
            r#"{"message":{},"done":true,"done_reason":"stop","prompt_eval_count":4,"eval_count":6}"#
                .to_owned(),
            usage([4, 0, 0, 0, 6, 0]),
        ),
        (
            Family::Ollama,
            r#"{"message":{},"done":true,"done_reason":"stop","eval_count":6}"#.to_owned(),
            usage([0, 0, 0, 0, 6, 0]),
        ),
        // Where figures contradict each other, the reading that adds up.
        (
            Family::OpenaiChat,
            chat(
                r#"{"prompt_tokens":10,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":300},"total_tokens":315}"#,
            ),
            Usage { inconsistent: true, ..usage([10, 0, 0, 0, 5, 300]) },
        ),
        (
            Family::Gemini,
            gemini(
                r#"{"promptTokenCount":10,"candidatesTokenCount":30,"thoughtsTokenCount":20,"totalTokenCount":40}"#,
            ),
            Usage { inconsistent: true, ..usage([10, 0, 0, 0, 10, 20]) },
        ),
        (
            Family::Anthropic,
            anthropic(
                r#"{"input_tokens":7,"output_tokens":3,"output_tokens_details":{"thinking_tokens":9}}"#,
            ),
            Usage { inconsistent: true, ..usage([7, 0, 0, 0, 0, 9]) },
        ),
    ] {
        assert_eq!(facts(family, &body).usage, Some(want), "{body}");
    }
}

#[test]
fn counts_that_are_missing_are_not_zero() {
    for (family, body) in [
        (
            Family::OpenaiChat,
            r#"{"choices":[{"message":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":"7"}}"#,
        ),
        (Family::Anthropic, r#"{"content":[],"stop_reason":"end_turn"}"#),
        (Family::Gemini, r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{}}"#),
        (Family::Ollama, r#"{"message":{},"done":true,"done_reason":"stop"}"#),
    ] {
        let facts = facts(family, body);
        assert_eq!((facts.usage, facts.unknown.len()), (None, 1), "{family:?}");
    }
}

#[test]
fn what_xai_charges_is_taken_over() {
    let body = r#"{"status":"completed","output":[],"usage":{"input_tokens":1,"output_tokens":1,"cost_in_usd_ticks":318319000}}"#;
    assert_eq!(facts(Family::OpenaiResponses, body).billed, Some(Money(318_319_000)));
}
