//! Streams of each family: what they become, however they are cut and wherever they end.

use proptest::prelude::*;
use stack_chat::FailureKind;
use stack_wire::provider::Family;

use super::{STREAM, named, replay, sse, streamed, tell};

/// A stream, and what it becomes. The record that proves it complete is the one with this number.
pub(super) struct Fixture {
    pub(super) name: &'static str,
    pub(super) family: Family,
    pub(super) records: Vec<String>,
    proof: usize,
    events: &'static str,
}

impl Fixture {
    pub(super) fn text(&self) -> String {
        self.records.concat()
    }

    /// How many bytes there are when the proof is there.
    fn proof_bytes(&self) -> usize {
        self.records[..=self.proof].iter().map(String::len).sum()
    }
}

pub(super) fn fixtures() -> Vec<Fixture> {
    let fixture =
        |name, family, records: Vec<String>, proof, events| Fixture { name, family, records, proof, events };
    let plain = |records: &[&str]| records.iter().map(|record| sse(&[record])).collect::<Vec<_>>();
    let events = |records: &[&str]| records.iter().map(|record| named(&[record])).collect::<Vec<_>>();
    let lines = |records: &[&str]| records.iter().map(|record| format!("{record}\n")).collect::<Vec<_>>();
    vec![
        fixture(
            "chat, with reasoning, two interleaved calls and late usage",
            Family::OpenaiChat,
            plain(&[
                r#"{"id":"c1","model":"m-1-2026","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
                r#"{"choices":[{"index":0,"delta":{"reasoning_content":"Hm é"}}]}"#,
                r#"{"choices":[{"index":0,"delta":{"content":"Let "}}]}"#,
                r#"{"choices":[{"index":0,"delta":{"content":"me see."}}]}"#,
                r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"ls","arguments":""}}]}}]}"#,
                r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"cat","arguments":"{"}},{"index":0,"function":{"arguments":"{\"x\":"}}]}}]}"#,
                r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}},{"index":1,"function":{"arguments":"}"}}]}}]}"#,
                r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
                r#"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":7,"total_tokens":17,"completion_tokens_details":{"reasoning_tokens":2}}}"#,
                "[DONE]",
            ]),
            7,
            "started 0\n0 thinking\n0 + Hm é\n0 end\n1 text\n1 + Let \n1 + me see.\n1 end\n2 call a ls\n3 call b cat\n3 + {\n\
             2 + {\"x\":\n2 + 1}\n3 + }\nusage\n2 end\n3 end\nfinished ToolCalls\ndone 10+7 of 17\n",
        ),
        fixture(
            "chat, with a ping, a source and a refusal",
            Family::OpenaiChat,
            vec![
                sse(&[r#"{"choices":[{"delta":{"content":"It is so."}}]}"#]),
                ": ping\n\n".to_owned(),
                sse(&[
                    r#"{"choices":[{"delta":{"annotations":[{"type":"url_citation","url_citation":{"url":"https://a.example","title":"A"}}]}}]}"#,
                ]),
                sse(&[r#"{"choices":[{"delta":{"refusal":"No."}}]}"#]),
                sse(&[
                    r#"{"choices":[{"delta":{},"finish_reason":"content_filter"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
                ]),
            ],
            4,
            "started 0\n0 text\n0 + It is so.\nalive\n0 cites https://a.example\n0 end\n1 refusal\n1 + No.\nusage\n1 end\n\
             finished ContentFilter\ndone 1+2 of 3\n",
        ),
        fixture(
            "responses, with reasoning, text, a source and a call",
            Family::OpenaiResponses,
            events(&[
                r#"{"type":"response.created","response":{"id":"r1","model":"m-1","status":"in_progress","error":null}}"#,
                r#"{"type":"response.in_progress","response":{"id":"r1"}}"#,
                r#"{"type":"keepalive"}"#,
                r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[]}}"#,
                r#"{"type":"response.reasoning_summary_part.added","output_index":0,"summary_index":0}"#,
                r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"First"}"#,
                r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"then"}"#,
                r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs_1","encrypted_content":"gAAA="}}"#,
                r#"{"type":"response.output_item.added","output_index":1,"item":{"type":"message","role":"assistant","content":[]}}"#,
                r#"{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"Yes"}"#,
                r#"{"type":"response.output_text.annotation.added","output_index":1,"content_index":0,"annotation":{"type":"url_citation","url":"https://a.example"}}"#,
                r#"{"type":"response.output_text.done","output_index":1,"content_index":0,"text":"Yes"}"#,
                r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"message","content":[{"type":"output_text","text":"Yes"}]}}"#,
                r#"{"type":"response.output_item.added","output_index":2,"item":{"type":"function_call","call_id":"c1","name":"ls","arguments":""}}"#,
                r#"{"type":"response.function_call_arguments.delta","output_index":2,"delta":"{\"x\":1}"}"#,
                r#"{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","call_id":"c1","name":"ls","arguments":"{\"x\":1}"}}"#,
                r#"{"type":"response.completed","response":{"id":"r1","status":"completed","error":null,"usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":2},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":4},"total_tokens":14}}}"#,
            ]),
            16,
            "started 0\nalive\nalive\n0 thinking\n0 + First\n0 + \n\n\n0 + then\n\
             0 reasoning {\"type\":\"reasoning\",\"id\":\"rs_1\",\"encrypted_content\":\"gAAA=\"}\n0 end\n1 text\n1 + Yes\n\
             1 cites https://a.example\n1 end\n2 call c1 ls\n2 + {\"x\":1}\n2 end\nusage\nfinished ToolCalls\ndone 5+9 of 14\n",
        ),
        fixture(
            "responses, with a call of free text",
            Family::OpenaiResponses,
            events(&[
                r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"custom_tool_call","call_id":"c1","name":"patch","input":""}}"#,
                r#"{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":"a \"b\"\n"}"#,
                r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"custom_tool_call","call_id":"c1","name":"patch","input":"a \"b\"\n"}}"#,
                r#"{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}}"#,
            ]),
            3,
            "started 0\n0 call c1 patch\n0 + {\"input\":\"\n0 + a \\\"b\\\"\\n\n0 + \"}\n0 end\nfinished Length\ndone 0+0 of 0\n",
        ),
        fixture(
            "anthropic, with thinking of both kinds, text and a call",
            Family::Anthropic,
            events(&[
                r#"{"type":"message_start","message":{"id":"msg_1","model":"m-1","content":[],"usage":{"input_tokens":20,"cache_read_input_tokens":5,"output_tokens":1}}}"#,
                r#"{"type":"ping"}"#,
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}"#,
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB+/="}}"#,
                r#"{"type":"content_block_stop","index":0}"#,
                r#"{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"EmwK"}}"#,
                r#"{"type":"content_block_stop","index":1}"#,
                r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}"#,
                r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"Yes"}}"#,
                r#"{"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"type":"char_location","cited_text":"q","document_title":"D"}}}"#,
                r#"{"type":"content_block_stop","index":2}"#,
                r#"{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_1","name":"ls","input":{}}}"#,
                r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":""}}"#,
                r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"x\":1}"}}"#,
                r#"{"type":"content_block_stop","index":3}"#,
                r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}"#,
                r#"{"type":"message_stop"}"#,
            ]),
            17,
            "started 25\nalive\n0 thinking\n0 + Hm\n0 signature EqQB+/=\n0 end\n1 thinking\n1 redacted_thinking EmwK\n1 end\n\
             2 text\n2 + Yes\n2 cites D\n2 end\n3 call toolu_1 ls\n3 + {\"x\":1}\n3 end\nusage\nfinished ToolCalls\ndone 25+9 of 34\n",
        ),
        fixture(
            "gemini, with a thought, signatures and a call",
            Family::Gemini,
            plain(&[
                r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"Hm","thought":true}]}}],"modelVersion":"m-1","responseId":"g1"}"#,
                r#"{"candidates":[{"content":{"parts":[{"text":"Ye"}]}}]}"#,
                r#"{"candidates":[{"content":{"parts":[{"text":"s","thoughtSignature":"sig1"}]}}]}"#,
                r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"ls","args":{"x":1}},"thoughtSignature":"sig2"}]}}]}"#,
                r#"{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"sig3"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":3,"thoughtsTokenCount":2,"totalTokenCount":13}}"#,
            ]),
            4,
            "started 0\n0 thinking\n0 + Hm\n0 end\n1 text\n1 + Ye\n1 + s\n1 thought_signature sig1\n1 end\n2 call call_u_0 ls\n\
             2 thought_signature sig2\n2 + {\"x\":1}\n2 end\n3 text\n3 thought_signature sig3\n3 end\nusage\nfinished ToolCalls\n\
             done 8+5 of 13\n",
        ),
        fixture(
            "gemini, with a call in pieces",
            Family::Gemini,
            plain(&[
                r#"{"candidates":[{"content":{"parts":[{"functionCall":{"id":"c1","name":"ls","willContinue":true},"thoughtSignature":"sig1"}]}}]}"#,
                r#"{"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.in","stringValue":"a","willContinue":true}],"willContinue":true}}]}}]}"#,
                r#"{"candidates":[{"content":{"parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.in","stringValue":"b"},{"jsonPath":"$.n","numberValue":1}],"willContinue":true}}]}}]}"#,
                r#"{"candidates":[{"content":{"parts":[{"functionCall":{}}]}}]}"#,
                r#"{"candidates":[{"finishReason":"STOP"}]}"#,
            ]),
            4,
            "started 0\n0 call c1 ls\n0 thought_signature sig1\n0 + {\"in\":\"ab\",\"n\":1}\n0 end\nfinished ToolCalls\ndone 0+0 of 0\n",
        ),
        fixture(
            "ollama, with thinking and two calls",
            Family::Ollama,
            lines(&[
                r#"{"model":"m-1","message":{"role":"assistant","content":"","thinking":"Hm"},"done":false}"#,
                r#"{"model":"m-1","message":{"role":"assistant","content":"Yes é"},"done":false}"#,
                r#"{"model":"m-1","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"ls","arguments":{"x":1}}},{"id":"c9","function":{"name":"cat"}}]},"done":false}"#,
                r#"{"model":"m-1","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":4,"eval_count":6}"#,
            ]),
            3,
            "started 0\n0 thinking\n0 + Hm\n0 end\n1 text\n1 + Yes é\n1 end\n2 call call_u_0 ls\n2 + {\"x\":1}\n2 end\n\
             3 call c9 cat\n3 + {}\n3 end\nusage\nfinished ToolCalls\ndone 4+6 of 10\n",
        ),
    ]
}

#[test]
fn streams_become_events() {
    for fixture in fixtures() {
        assert_eq!(streamed(fixture.family, &fixture.text()), fixture.events, "{}", fixture.name);
    }
}

#[test]
fn the_events_do_not_depend_on_how_the_bytes_are_cut() {
    for fixture in fixtures() {
        let text = fixture.text();
        for step in [1, 2, 3, 7, 64] {
            let items = replay(fixture.family, STREAM, text.as_bytes().chunks(step)).0;
            assert_eq!(tell(&items), fixture.events, "{}, {step} bytes at a time", fixture.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nor_does_any_other_cut_change_them(cuts in prop::collection::vec(0.0..1.0_f64, 0..8)) {
        for fixture in fixtures() {
            let text = fixture.text();
            let mut places: Vec<_> = cuts.iter().map(|cut| (cut * text.len() as f64) as usize).collect();
            places.sort_unstable();
            let (mut pieces, mut from) = (Vec::new(), 0);
            for place in places.into_iter().chain([text.len()]) {
                pieces.push(&text.as_bytes()[from..place]);
                from = place;
            }
            let items = replay(fixture.family, STREAM, pieces).0;
            prop_assert_eq!(tell(&items), fixture.events, "{}", fixture.name);
        }
    }
}

#[test]
fn a_stream_that_ends_before_its_proof_has_failed() {
    for fixture in fixtures() {
        let (text, proof) = (fixture.text(), fixture.proof_bytes());
        for len in 0..=text.len() {
            let last = replay(fixture.family, STREAM, [&text.as_bytes()[..len]]).0.pop().unwrap();
            // A line of JSON is whole before its line end.
            let is_line = fixture.family == Family::Ollama && len == proof - 1;
            assert_eq!(last.is_ok(), len >= proof || is_line, "{}: {len} of {}", fixture.name, text.len());
        }
    }
}

#[test]
fn the_sentinel_proves_nothing() {
    for fixture in fixtures().iter().filter(|fixture| fixture.family != Family::Ollama) {
        let mut records = fixture.records[..fixture.proof].concat();
        records.push_str("data: [DONE]\n\n");
        let failure = replay(fixture.family, STREAM, [records.as_bytes()]).0.pop().unwrap().unwrap_err();
        assert_eq!(failure.kind, FailureKind::StreamTruncated, "{}", fixture.name);
    }
}

#[test]
fn finish_words_are_known_or_a_failure() {
    let chat = |word: &str| sse(&[&format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"{word}"}}]}}"#)]);
    let anthropic = |word: &str| {
        named(&[
            r#"{"type":"message_start","message":{}}"#,
            &format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"{word}"}},"usage":{{}}}}"#),
            r#"{"type":"message_stop"}"#,
        ])
    };
    let gemini = |word: &str| sse(&[&format!(r#"{{"candidates":[{{"finishReason":"{word}"}}]}}"#)]);
    let ollama = |word: &str| format!(r#"{{"done":true,"done_reason":"{word}","eval_count":1}}"#);
    let incomplete = |word: &str| {
        let response = format!(r#"{{"status":"incomplete","incomplete_details":{{"reason":"{word}"}}}}"#);
        named(&[&format!(r#"{{"type":"response.incomplete","response":{response}}}"#)])
    };
    let drift = "fail provider_schema_drift";
    let error = "fail provider_server_error";
    for (family, text, want) in [
        (Family::OpenaiChat, chat("stop"), "Stop"),
        (Family::OpenaiChat, chat("function_call"), "ToolCalls"),
        (Family::OpenaiChat, chat("length"), "Length"),
        (Family::OpenaiChat, chat("error"), error),
        (Family::OpenaiChat, chat("eos"), drift),
        (Family::Anthropic, anthropic("end_turn"), "Stop"),
        (Family::Anthropic, anthropic("stop_sequence"), "Stop"),
        (Family::Anthropic, anthropic("max_tokens"), "Length"),
        (Family::Anthropic, anthropic("model_context_window_exceeded"), "Length"),
        (Family::Anthropic, anthropic("refusal"), "ContentFilter"),
        (Family::Anthropic, anthropic("pause_turn"), "Paused"),
        (Family::Anthropic, anthropic("error"), error),
        (Family::Anthropic, anthropic("bored"), drift),
        (Family::Gemini, gemini("STOP"), "Stop"),
        (Family::Gemini, gemini("MAX_TOKENS"), "Length"),
        (Family::Gemini, gemini("CONTINUATION"), "Paused"),
        (Family::Gemini, gemini("SAFETY"), "ContentFilter"),
        (Family::Gemini, gemini("IMAGE_SAFETY"), "ContentFilter"),
        (Family::Gemini, gemini("MODEL_ARMOR"), "ContentFilter"),
        (Family::Gemini, gemini("MALFORMED_FUNCTION_CALL"), error),
        (Family::Gemini, gemini("MISSING_THOUGHT_SIGNATURE"), error),
        (Family::Gemini, gemini("OTHER"), drift),
        (Family::Gemini, sse(&[r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#]), "ContentFilter"),
        (Family::Ollama, ollama("stop"), "Stop"),
        (Family::Ollama, ollama("length"), "Length"),
        (Family::Ollama, ollama("load"), error),
        (Family::Ollama, ollama("unload"), error),
        (Family::Ollama, ollama("tired"), drift),
        (Family::Ollama, r#"{"done":true}"#.to_owned(), drift),
        (Family::OpenaiResponses, incomplete("max_output_tokens"), "Length"),
        (Family::OpenaiResponses, incomplete("content_filter"), "ContentFilter"),
        (Family::OpenaiResponses, incomplete("steps"), drift),
    ] {
        let told = streamed(family, &text);
        let found = told.lines().any(|line| line == want || line == format!("finished {want}"));
        assert!(found, "{text}\n{told}");
    }
}

#[test]
fn what_a_reply_says_about_itself_is_kept() {
    for (family, id, word) in [
        (Family::OpenaiChat, "c1", "tool_calls"),
        (Family::OpenaiResponses, "r1", "completed"),
        (Family::Anthropic, "msg_1", "tool_use"),
        (Family::Gemini, "g1", "STOP"),
    ] {
        let fixture = fixtures().into_iter().find(|fixture| fixture.family == family).unwrap();
        let facts = replay(family, STREAM, [fixture.text().as_bytes()]).1;
        assert_eq!((facts.id.as_deref(), facts.finish_word.as_deref()), (Some(id), Some(word)), "{family:?}");
        assert!(facts.model.is_some_and(|model| model.starts_with("m-1")));
        assert!(facts.usage.is_some() && facts.unknown.is_empty());
    }
    let line = r#"{"model":"m","remote_host":"https://far.example:443","remote_model":"x","message":{}}"#;
    let facts = replay(Family::Ollama, STREAM, [line.as_bytes()]).1;
    assert_eq!(facts.forwarded_to.as_deref(), Some("https://far.example:443"));
}

#[test]
fn what_is_unknown_is_noted_and_alone_no_answer() {
    let unknown = named(&[r#"{"type":"message_begin","text":"Hello"}"#, r#"{"type":"message_end"}"#]);
    let (items, facts) = replay(Family::Anthropic, STREAM, [unknown.as_bytes()]);
    assert_eq!(tell(&items), "fail provider_schema_drift\n");
    assert_eq!(facts.unknown, [r#"event "message_begin""#, r#"event "message_end""#]);

    let fixture = fixtures().into_iter().find(|fixture| fixture.family == Family::Anthropic).unwrap();
    let before = named(&[r#"{"type":"weather","temperature":21}"#]);
    let (items, facts) = replay(Family::Anthropic, STREAM, [before.as_bytes(), fixture.text().as_bytes()]);
    assert_eq!((tell(&items).as_str(), facts.unknown.len()), (fixture.events, 1));
}

#[test]
fn a_text_and_a_refusal_of_one_number_are_two_parts() {
    let delta = |kind: &str| {
        format!(r#"{{"type":"response.{kind}.delta","output_index":0,"content_index":0,"delta":"a"}}"#)
    };
    let told = streamed(
        Family::OpenaiResponses,
        &named(&[
            r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message"}}"#,
            &delta("output_text"),
            &delta("refusal"),
            &delta("output_text"),
        ]),
    );
    let want = "started 0\n0 text\n0 + a\n1 refusal\n1 + a\n0 + a\nfail provider_stream_truncated\n";
    assert_eq!(told, want);
}

#[test]
fn calls_are_told_apart_however_servers_number_them() {
    let call = |fields: &str| format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{{{fields}}}]}}}}]}}"#);
    let end = r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#;
    // All with one number.
    let told = streamed(
        Family::OpenaiChat,
        &sse(&[
            &call(r#""index":0,"id":"a","function":{"name":"f","arguments":"{}"}"#),
            &call(r#""index":0,"id":"b","function":{"name":"g","arguments":"{}"}"#),
            end,
        ]),
    );
    assert!(told.contains("0 call a f\n0 + {}\n1 call b g\n1 + {}\n"), "{told}");
    // Without numbers, the name after the identifier, and the identifier once more.
    let told = streamed(
        Family::OpenaiChat,
        &sse(&[
            &call(r#""id":"a","function":{"arguments":"{\"x\""}"#),
            &call(r#""id":"a","function":{"name":"f","arguments":":1"}"#),
            &call(r#""function":{"arguments":"}"}"#),
            end,
        ]),
    );
    assert!(told.contains("0 call a f\n0 + {\"x\"\n0 + :1\n0 + }\n"), "{told}");
    // Without identifiers.
    let told = streamed(Family::OpenaiChat, &sse(&[&call(r#""index":0,"function":{"name":"f"}"#), end]));
    assert!(told.contains("0 call call_u_0 f\n0 end\n"), "{told}");
    // Without a name.
    let told = streamed(Family::OpenaiChat, &sse(&[&call(r#""index":0,"id":"a","function":{}"#), end]));
    assert_eq!(told, "started 0\nfail provider_schema_drift\n");
    // As it was before there were tools.
    let old = r#"{"choices":[{"delta":{"function_call":{"name":"f","arguments":"{}"}}}]}"#;
    let told = streamed(Family::OpenaiChat, &sse(&[old, end]));
    assert!(told.contains("0 call call_u_0 f\n0 + {}\n"), "{told}");
}
