//! What providers of every family answer, in the words of every dialect.

use serde_json::{Value, json};
use stack_testkit::{Recording, Said};

use super::{Answer, KEY, Server, every_family};

/// How a dialect is asked, and where its answers say what.
struct Dialect {
    path: &'static str,
    /// The request for an answer of this model, as a stream or not.
    request: fn(&str, bool) -> Value,
    /// Text, thought, call and its arguments of a whole answer.
    whole: fn(&Value) -> [String; 4],
    /// The same of a stream.
    stream: fn(&Answer) -> [String; 4],
    /// How often a stream says that it ended well.
    ends: fn(&Answer) -> usize,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The texts at a pointer of all records, one behind the other.
fn joined(answer: &Answer, pointer: &str) -> String {
    answer.records().iter().filter_map(|record| record.pointer(pointer)).map(text).collect()
}

fn function() -> Value {
    let parameters = json!({"type": "object", "properties": {"x": {"type": "integer"}}});
    json!({"name": "ls", "description": "lists", "parameters": parameters})
}

/// The block of a type in a list of blocks.
fn block<'a>(list: &'a Value, kind: &str) -> &'a Value {
    list.as_array().and_then(|list| list.iter().find(|block| block["type"] == kind)).unwrap_or(&Value::Null)
}

const DIALECTS: [Dialect; 4] = [
    Dialect {
        path: "/v1/chat/completions",
        request: |model, stream| {
            json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hi"}],
                "tools": [{"type": "function", "function": function()}]})
        },
        whole: |answer| {
            let message = &answer["choices"][0]["message"];
            let call = &message["tool_calls"][0]["function"];
            [&message["content"], &message["reasoning_content"], &call["name"], &call["arguments"]].map(text)
        },
        stream: |answer| {
            let delta = "/choices/0/delta";
            ["content", "reasoning_content", "tool_calls/0/function/name", "tool_calls/0/function/arguments"]
                .map(|field| joined(answer, &format!("{delta}/{field}")))
        },
        ends: |answer| answer.body.matches("data: [DONE]").count(),
    },
    Dialect {
        path: "/v1/responses",
        request: |model, stream| {
            let mut tool = function();
            tool["type"] = "function".into();
            json!({"model": model, "stream": stream, "input": "Hi", "tools": [tool]})
        },
        whole: |answer| {
            let output = &answer["output"];
            let thought = &block(output, "reasoning")["summary"][0]["text"];
            let thought =
                if thought.is_null() { &block(output, "reasoning")["content"][0]["text"] } else { thought };
            let call = block(output, "function_call");
            [&block(output, "message")["content"][0]["text"], thought, &call["name"], &call["arguments"]]
                .map(text)
        },
        stream: |answer| {
            let done = answer.records().into_iter().find(|record| record["type"] == "response.completed");
            (DIALECTS[1].whole)(&done.unwrap_or_default()["response"])
        },
        ends: |answer| answer.body.matches("event: response.completed").count(),
    },
    Dialect {
        path: "/v1/messages",
        request: |model, stream| {
            let tool = json!({"name": "ls", "input_schema": function()["parameters"]});
            json!({"model": model, "stream": stream, "max_tokens": 64, "tools": [tool],
                "messages": [{"role": "user", "content": "Hi"}]})
        },
        whole: |answer| {
            let content = &answer["content"];
            let call = block(content, "tool_use");
            let arguments = if call.is_null() { String::new() } else { call["input"].to_string() };
            let [said, thought, name] =
                [&block(content, "text")["text"], &block(content, "thinking")["thinking"], &call["name"]]
                    .map(text);
            [said, thought, name, arguments]
        },
        stream: |answer| {
            let delta = |field: &str| joined(answer, &format!("/delta/{field}"));
            [delta("text"), delta("thinking"), joined(answer, "/content_block/name"), delta("partial_json")]
        },
        ends: |answer| answer.body.matches("event: message_stop").count(),
    },
    Dialect {
        path: "/api/chat",
        request: |model, stream| {
            json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hi"}],
                "tools": [{"type": "function", "function": function()}]})
        },
        whole: |answer| {
            let message = &answer["message"];
            let call = &message["tool_calls"][0]["function"];
            let arguments = if call.is_null() { String::new() } else { call["arguments"].to_string() };
            let [said, thought, name] = [&message["content"], &message["thinking"], &call["name"]].map(text);
            [said, thought, name, arguments]
        },
        stream: |answer| {
            let calls = answer.records().iter().find_map(|record| {
                let call = record.pointer("/message/tool_calls/0/function")?;
                Some((text(&call["name"]), call["arguments"].to_string()))
            });
            let (name, arguments) = calls.unwrap_or_default();
            [joined(answer, "/message/content"), joined(answer, "/message/thinking"), name, arguments]
        },
        ends: |answer| answer.records().iter().filter(|record| record["done"] == true).count(),
    },
];

#[test]
fn every_provider_answers_in_every_dialect() {
    let providers = every_family(|family, _| {
        let call = Said::Call { name: "ls", arguments: "{\"x\":1}" };
        Recording::of(family, &[Said::Thought("Hm"), Said::Text("Hel"), Said::Text("lo"), call]).reply()
    });
    let server = Server::start(&providers, "", &[]);
    let want = ["Hello", "Hm", "ls", "{\"x\":1}"];
    for provider in &providers {
        let model = format!("{}/m-1", provider.name);
        for Dialect { path, request, whole, stream, ends } in &DIALECTS {
            let at = format!("{model} at {path}");
            let answer = server.post(path, &request(&model, false));
            assert_eq!((answer.status, answer.is_whole), (200, true), "{at}: {}", answer.body);
            let json = answer.json();
            assert_eq!(json["model"], model.as_str(), "{at}");
            // Responses have one message item for each text.
            let found = whole(&json);
            assert_eq!(found[1..], want[1..], "{at}: {json}");
            assert!(want[0].starts_with(&found[0]) && !found[0].is_empty(), "{at}: {json}");
            let answer = server.post(path, &request(&model, true));
            assert_eq!((answer.status, answer.is_whole), (200, true), "{at}: {}", answer.body);
            let found = stream(&answer);
            assert_eq!(found[1..], want[1..], "{at}: {}", answer.body);
            assert!(want[0].starts_with(&found[0]) && !found[0].is_empty(), "{at}: {}", answer.body);
            assert_eq!(ends(&answer), 1, "{at}: {}", answer.body);
        }
        let asked = provider.server.requests();
        assert_eq!(asked.len(), 8, "{}", provider.name);
        assert!(asked.iter().all(|request| String::from_utf8_lossy(&request.body).contains("\"ls\"")));
    }
    let said = server.stop();
    assert!(!said.contains(KEY), "{said}");
}

#[test]
fn the_native_dialect_tells_who_answered_and_from_where() {
    let providers = every_family(|family, _| Recording::of(family, &[Said::Text("Yes")]).reply());
    let server = Server::start(&providers, "", &[]);
    for model in [json!({"model": "claude/m-1"}), json!({"model": "m-1", "provider": "claude"})] {
        let mut request = json!({"messages": [{"role": "user", "content": "Hi"}]});
        request.as_object_mut().unwrap().extend(model.as_object().unwrap().clone());
        let answer = server.post("/api/v1/chat", &request).json();
        assert_eq!((&answer["content"], &answer["provider"]), (&json!("Yes"), &json!("claude")), "{answer}");
        assert_eq!(answer["lineage"]["class"], "loopback", "{answer}");
        assert_eq!((&answer["usage"]["input"], &answer["usage"]["output"]), (&json!(11), &json!(7)));
    }
    let models = server.get("/api/v1/models").json();
    let claude =
        models["models"].as_array().unwrap().iter().find(|model| model["id"] == "claude/m-1").unwrap();
    assert_eq!((&claude["provider"], &claude["tier"]), (&json!("claude"), &json!("sovereign")));
    for (path, list) in [("/v1/models", "data"), ("/api/tags", "models")] {
        let list = server.get(path).json()[list].to_string();
        assert!(list.contains("gemini/m-1") && list.contains("default"), "{list}");
    }
    // Only what is listed may be asked, and nothing is sent to count tokens.
    let unknown = server.post(
        "/v1/chat/completions",
        &json!({"model": "chat/m-2", "messages": [{"role": "user", "content": "Hi"}]}),
    );
    assert_eq!(unknown.status, 404, "{}", unknown.body);
    let asked = providers[2].server.requests().len();
    let count = json!({"model": "claude/m-1", "messages": [{"role": "user", "content": "Hi"}]});
    assert!(server.post("/v1/messages/count_tokens", &count).json()["input_tokens"].as_u64().unwrap() > 5);
    assert_eq!(providers[2].server.requests().len(), asked);
    server.stop();
}
