//! Replies that are no answers, and failures in the middle of one.

use std::time::Duration;

use stack_chat::{FailureKind, Overflow, Retry};
use stack_wire::provider::{ErrorReply, Family, Route};

use super::adapters::shipped;
use super::{STREAM, named, replay, route, sse, whole};

fn failure(family: Family, status: u16, headers: &[(&str, &str)], body: &str) -> stack_chat::Failure {
    // Phrases are the adapters' matter: those of a provider of the family that has the most.
    let adapter = shipped(match family {
        Family::OpenaiChat => "openai.chat.json",
        Family::OpenaiResponses => "xai.responses.json",
        Family::Anthropic => "anthropic.json",
        Family::Gemini => "gemini.json",
        Family::Ollama => "ollama.json",
    });
    let route = Route { adapter: Some(adapter), ..route(family) };
    ErrorReply { status, headers, body: body.as_bytes() }.failure(&route, 1_000_000_000)
}

#[test]
fn bodies_of_every_shape_are_told_apart() {
    use Family::{Anthropic, Gemini, Ollama, OpenaiChat, OpenaiResponses};
    for (family, status, body, want) in [
        // OpenAI.
        (
            OpenaiChat,
            429,
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            FailureKind::Billing,
        ),
        (
            OpenaiChat,
            429,
            r#"{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}"#,
            FailureKind::ProviderRateLimited,
        ),
        (
            OpenaiChat,
            400,
            r#"{"error":{"message":"maximum","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            FailureKind::ContextExceeded,
        ),
        (
            OpenaiChat,
            400,
            r#"{"error":{"message":"policy","type":"invalid_request_error","code":"content_policy_violation"}}"#,
            FailureKind::ContentRejected,
        ),
        (
            OpenaiChat,
            401,
            r#"{"error":{"message":"Incorrect API key provided: sk-1","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            FailureKind::AuthFailed,
        ),
        (
            OpenaiResponses,
            404,
            r#"{"error":{"message":"no","type":"invalid_request_error","code":"model_not_found"}}"#,
            FailureKind::ModelMissing,
        ),
        (
            OpenaiResponses,
            400,
            r#"{"error":{"message":"bad","type":"invalid_request_error","param":"tools","code":null}}"#,
            FailureKind::InvalidRequest,
        ),
        // vLLM.
        (
            OpenaiChat,
            400,
            r#"{"error":{"message":"This model's maximum context length is 10 tokens.","type":"BadRequestError","param":null,"code":400}}"#,
            FailureKind::ContextExceeded,
        ),
        (
            OpenaiChat,
            404,
            r#"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","param":null,"code":404}"#,
            FailureKind::ModelMissing,
        ),
        (OpenaiChat, 404, r#"{"detail":"Not Found"}"#, FailureKind::ModelMissing),
        // llama.cpp.
        (
            OpenaiChat,
            503,
            r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
            FailureKind::Loading,
        ),
        (
            OpenaiChat,
            400,
            r#"{"error":{"code":400,"message":"too long","type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":8}}"#,
            FailureKind::ContextExceeded,
        ),
        // Anthropic.
        (
            Anthropic,
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}"#,
            FailureKind::Overloaded,
        ),
        (
            Anthropic,
            429,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#,
            FailureKind::ProviderRateLimited,
        ),
        (
            Anthropic,
            429,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"limits","details":{"error_code":"enforced_spend_limit_reached"}}}"#,
            FailureKind::Billing,
        ),
        (
            Anthropic,
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}"#,
            FailureKind::ContextExceeded,
        ),
        (
            Anthropic,
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the API."}}"#,
            FailureKind::Billing,
        ),
        (
            Anthropic,
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits."}}"#,
            FailureKind::Billing,
        ),
        (
            Anthropic,
            401,
            r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
            FailureKind::AuthFailed,
        ),
        (
            Anthropic,
            413,
            r#"{"type":"error","error":{"type":"request_too_large","message":"x"}}"#,
            FailureKind::InvalidRequest,
        ),
        (
            Anthropic,
            500,
            r#"{"type":"error","error":{"type":"api_error","message":"x"}}"#,
            FailureKind::ServerError,
        ),
        // Gemini.
        (
            Gemini,
            429,
            r#"{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED"}}"#,
            FailureKind::ProviderRateLimited,
        ),
        (
            Gemini,
            400,
            r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}"#,
            FailureKind::AuthFailed,
        ),
        (
            Gemini,
            400,
            r#"{"error":{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (8).","status":"INVALID_ARGUMENT"}}"#,
            FailureKind::ContextExceeded,
        ),
        (
            Gemini,
            503,
            r#"[{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}]"#,
            FailureKind::Overloaded,
        ),
        (Gemini, 504, r#"{"error":{"code":504,"status":"DEADLINE_EXCEEDED"}}"#, FailureKind::Timeout),
        // xAI.
        (
            OpenaiResponses,
            429,
            r#"{"code":"Some resource has been exhausted","error":"Your team has used all available credits."}"#,
            FailureKind::Billing,
        ),
        (
            OpenaiResponses,
            400,
            r#"{"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 8 but the request contains 9 tokens."}"#,
            FailureKind::ContextExceeded,
        ),
        (
            OpenaiChat,
            410,
            r#"{"code":"x","error":"The requested API is deprecated."}"#,
            FailureKind::ModelMissing,
        ),
        // Ollama.
        (
            Ollama,
            404,
            r#"{"error":"model \"x\" not found, try pulling it first"}"#,
            FailureKind::ModelMissing,
        ),
        (
            Ollama,
            503,
            r#"{"error":"server busy, please try again. maximum pending requests exceeded"}"#,
            FailureKind::Overloaded,
        ),
        (Ollama, 400, r#"{"error":"\"x\" does not support tools"}"#, FailureKind::InvalidRequest),
        // Anybody between.
        (OpenaiChat, 302, r#"{"error":{"code":"invalid_api_key"}}"#, FailureKind::Redirected),
        (OpenaiChat, 402, "pay", FailureKind::Billing),
        (OpenaiChat, 403, "<html>forbidden</html>", FailureKind::AuthFailed),
        (OpenaiChat, 408, "", FailureKind::Timeout),
        (OpenaiChat, 409, "", FailureKind::ServerError),
        (OpenaiChat, 502, "<html>bad gateway</html>", FailureKind::ServerError),
        (OpenaiChat, 503, "", FailureKind::Overloaded),
        (OpenaiChat, 418, "[1,2", FailureKind::InvalidRequest),
        (OpenaiChat, 700, "\u{0}", FailureKind::Other),
    ] {
        assert_eq!(failure(family, status, &[], body).kind, want, "{status} {body}");
    }
}

#[test]
fn a_failure_says_what_callers_may_know_and_no_more() {
    let body = r#"{"error":{"message":"Incorrect API key provided: sk-1","code":"invalid_api_key"}}"#;
    let auth = failure(Family::OpenaiChat, 401, &[], body);
    assert!(!auth.message.contains("sk-1") && auth.message.starts_with("acme "), "{}", auth.message);
    assert!(auth.cause.is_some_and(|cause| cause.starts_with("401 [invalid_api_key]")));

    let body =
        r#"{"error":{"message":"`tools[0]` is wrong","type":"invalid_request_error","param":"tools[0]"}}"#;
    let wrong = failure(Family::OpenaiChat, 400, &[], body);
    assert_eq!(
        (wrong.message.as_str(), wrong.field.as_deref()),
        ("acme: `tools[0]` is wrong", Some("tools[0]"))
    );

    let body = r#"{"error":{"type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":8}}"#;
    let long = failure(Family::OpenaiChat, 400, &[], body);
    assert_eq!(long.overflow, Some(Overflow { prompt_tokens: 9, context: 8 }));

    let long = "x".repeat(100_000);
    let raw = failure(Family::Gemini, 400, &[], &long);
    assert!(raw.message.len() < 600 && raw.cause.unwrap().len() < 600);
}

#[test]
fn who_wants_to_be_left_alone_says_how_long() {
    let after = |seconds| Retry::After(Duration::from_secs_f64(seconds));
    let details = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"x/RetryInfo","retryDelay":"34.5s"}]}}"#;
    assert_eq!(failure(Family::Gemini, 429, &[], details).retry, after(34.5));
    assert_eq!(failure(Family::Gemini, 429, &[("retry-after", "2")], details).retry, after(2.0));
    let busy = [("Retry-After-Ms", "250"), ("retry-after", "1")];
    assert_eq!(failure(Family::OpenaiChat, 503, &busy, "").retry, after(0.25));
    let reset = [
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("anthropic-ratelimit-requests-reset", "2001-09-09T01:46:50Z"),
    ];
    assert_eq!(failure(Family::Anthropic, 429, &reset, "").retry, after(10.0));
    // Waiting does not turn a wrong request into a right one.
    assert_eq!(failure(Family::OpenaiChat, 400, &busy, "").retry, Retry::Never);
}

#[test]
fn an_error_in_the_middle_ends_the_answer() {
    let text = |family| match family {
        Family::OpenaiChat => sse(&[r#"{"choices":[{"delta":{"content":"a"}}]}"#]),
        Family::Gemini => sse(&[r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#]),
        Family::Ollama => "{\"message\":{\"content\":\"a\"}}\n".to_owned(),
        Family::Anthropic => named(&[
            r#"{"type":"message_start","message":{}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a"}}"#,
        ]),
        Family::OpenaiResponses => named(&[
            r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message"}}"#,
            r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a"}"#,
        ]),
    };
    for (family, error, want) in [
        // vLLM, with an integer for a code, and the sentinel after it.
        (
            Family::OpenaiChat,
            "data: {\"error\":{\"message\":\"x\",\"type\":\"InternalServerError\",\"code\":500}}\n\ndata: [DONE]\n\n".to_owned(),
            FailureKind::ServerError,
        ),
        (Family::OpenaiChat, sse(&[r#"{"object":"error","message":"x","code":503}"#]), FailureKind::Overloaded),
        // llama.cpp, in a field of the framing.
        (
            Family::OpenaiChat,
            "error: {\"code\":500,\"message\":\"x\",\"type\":\"server_error\"}\n\ndata: [DONE]\n\n".to_owned(),
            FailureKind::ServerError,
        ),
        (Family::OpenaiChat, "error: out of memory\n\n".to_owned(), FailureKind::ServerError),
        (Family::OpenaiChat, sse(&[r#"{"error":"overloaded","code":"x"}"#]), FailureKind::ServerError),
        (Family::Gemini, sse(&[r#"[{"error":{"code":503,"status":"UNAVAILABLE"}}]"#]), FailureKind::Overloaded),
        (Family::Gemini, sse(&[r#"{"error":{"code":429,"message":"x"}}"#]), FailureKind::ProviderRateLimited),
        (Family::Ollama, "{\"error\":\"an error was encountered\"}\n".to_owned(), FailureKind::ServerError),
        (
            Family::Anthropic,
            named(&[r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#]),
            FailureKind::Overloaded,
        ),
        (
            Family::OpenaiResponses,
            named(&[r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"x"}}}"#]),
            FailureKind::ProviderRateLimited,
        ),
        (
            Family::OpenaiResponses,
            named(&[r#"{"type":"response.failed","response":{"status":"failed","error":null}}"#]),
            FailureKind::ServerError,
        ),
        (
            Family::OpenaiResponses,
            named(&[r#"{"type":"error","code":"server_is_overloaded","message":"x","param":null}"#]),
            FailureKind::Overloaded,
        ),
        (
            Family::OpenaiResponses,
            named(&[r#"{"type":"error","error":{"type":"invalid_request_error","message":"x"}}"#]),
            FailureKind::InvalidRequest,
        ),
    ] {
        let stream = text(family) + &error;
        let items = replay(family, STREAM, [stream.as_bytes()]).0;
        let (last, before) = items.split_last().unwrap();
        assert_eq!(last.as_ref().unwrap_err().kind, want, "{error}");
        assert!(before.len() >= 3 && before.iter().all(Result::is_ok), "what came before it stays: {error}");
    }
}

#[test]
fn an_error_in_a_body_that_promised_an_answer_is_one() {
    for (family, body, want) in [
        (Family::OpenaiChat, r#"{"error":{"message":"x","code":500}}"#, "server_error"),
        (
            Family::OpenaiResponses,
            r#"{"status":"failed","error":{"code":"server_error","message":"x"},"output":[]}"#,
            "server_error",
        ),
        (
            Family::Anthropic,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#,
            "overloaded",
        ),
        (Family::Gemini, r#"[{"error":{"code":503,"message":"x"}}]"#, "overloaded"),
        (Family::Ollama, r#"{"error":"x"}"#, "server_error"),
    ] {
        assert_eq!(whole(family, body), format!("fail provider_{want}\n"), "{body}");
    }
}
