//! Whole bodies.

use stack_wire::provider::Family;

use super::whole;

#[test]
fn bodies_become_the_events_of_streams() {
    let cases = [
        (
            Family::OpenaiChat,
            r#"{"id":"c1","model":"m","choices":[{"index":0,"message":{"role":"assistant","reasoning_content":"Hm","content":"Yes","refusal":null,
            "tool_calls":[{"id":"a","type":"function","function":{"name":"ls","arguments":"{}"}},{"id":"b","function":{"name":"cat","arguments":""}}]},
            "finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#,
            "started 0\n0 thinking\n0 + Hm\n0 end\n1 text\n1 + Yes\n1 end\n2 call a ls\n2 + {}\n3 call b cat\nusage\n2 end\n3 end\n\
             finished ToolCalls\ndone 1+2 of 3\n",
        ),
        (
            Family::OpenaiResponses,
            r#"{"id":"r1","status":"completed","error":null,"output":[
            {"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"e"},
            {"type":"message","content":[{"type":"refusal","refusal":"No."}]}],
            "usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}"#,
            "started 0\n0 thinking\n0 + a\n0 + \n\n\n0 + b\n0 reasoning {\"type\":\"reasoning\",\"id\":\"rs\",\"summary\":\
             [{\"type\":\"summary_text\",\"text\":\"a\"},{\"type\":\"summary_text\",\"text\":\"b\"}],\"encrypted_content\":\"e\"}\n\
             0 end\n1 refusal\n1 + No.\n1 end\nusage\nfinished ContentFilter\ndone 1+2 of 3\n",
        ),
        (
            Family::Anthropic,
            r#"{"id":"msg","type":"message","model":"m","content":[{"type":"thinking","thinking":"Hm","signature":"s"},
            {"type":"text","text":"Yes","citations":[{"type":"web_search_result_location","url":"https://a.example","cited_text":"q"}]},
            {"type":"tool_use","id":"t","name":"ls","input":{"x":1}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":2}}"#,
            "started 1\n0 thinking\n0 + Hm\n0 signature s\n0 end\n1 text\n1 + Yes\n1 cites https://a.example\n1 end\n2 call t ls\n\
             2 + {\"x\":1}\n2 end\nusage\nfinished ToolCalls\ndone 1+2 of 3\n",
        ),
        (
            Family::Gemini,
            r#"{"candidates":[{"content":{"parts":[{"text":"Yes"}]},"finishReason":"STOP",
            "citationMetadata":{"citationSources":[{"uri":"https://a.example"}]}}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}"#,
            "started 0\n0 text\n0 + Yes\n0 cites https://a.example\nusage\n0 end\nfinished Stop\ndone 1+2 of 3\n",
        ),
        (
            Family::Ollama,
            r#"{"model":"m","message":{"role":"assistant","content":"Yes"},"done":true,"done_reason":"length","prompt_eval_count":1,"eval_count":2}"#,
            "started 0\n0 text\n0 + Yes\nusage\n0 end\nfinished Length\ndone 1+2 of 3\n",
        ),
    ];
    for (family, body, events) in cases {
        assert_eq!(whole(family, body), events);
        for len in 0..body.len() {
            let told = whole(family, &body[..len]);
            assert_eq!(told, "fail provider_stream_truncated\n", "{family:?}: {len} of {}", body.len());
        }
    }
}

#[test]
fn what_is_missing_in_a_body_is_named() {
    for (family, body) in [
        (Family::OpenaiChat, "{}"),
        (Family::OpenaiChat, r#"{"choices":[]}"#),
        (Family::OpenaiResponses, r#"{"status":"completed"}"#),
        (Family::OpenaiResponses, r#"{"output":[]}"#),
        (Family::Anthropic, r#"{"stop_reason":"end_turn"}"#),
        (Family::Anthropic, r#"{"content":[]}"#),
        (Family::Gemini, "{}"),
        (Family::Gemini, r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#),
        (Family::Ollama, r#"{"done":true,"done_reason":"stop"}"#),
        (Family::Ollama, r#"{"message":{"content":"a"},"done":true}"#),
    ] {
        let told = whole(family, body);
        assert!(told.ends_with("fail provider_schema_drift\n"), "{family:?} {body}: {told}");
    }
    assert_eq!(whole(Family::OpenaiChat, "<html>"), "fail provider_stream_malformed\n");
    assert_eq!(whole(Family::OpenaiChat, "[]"), "fail provider_stream_malformed\n");
    assert_eq!(whole(Family::OpenaiChat, " "), "fail provider_stream_truncated\n");
}
