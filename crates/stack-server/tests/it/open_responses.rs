//! The cases of Open Responses (openresponses.org/compliance), written anew: every body and every event has the fields that
//! the specification demands, of the type that it demands.

use std::sync::Arc;

use axum::Router;
use serde_json::{Value, json};
use stack_chat::{Failure, Part, Prompt};
use stack_testkit::ScriptedModel;

use crate::support::{Reply, post, serving};

/// The fields of a response, each with the types that it may have.
const RESPONSE: &[(&str, &str)] = &[
    ("id", "string"),
    ("object", "string"),
    ("created_at", "integer"),
    ("completed_at", "integer null"),
    ("status", "string"),
    ("incomplete_details", "object null"),
    ("model", "string"),
    ("previous_response_id", "string null"),
    ("instructions", "string null"),
    ("output", "array"),
    ("error", "object null"),
    ("tools", "array"),
    ("tool_choice", "string object"),
    ("truncation", "string"),
    ("parallel_tool_calls", "boolean"),
    ("text", "object"),
    ("top_p", "number"),
    ("presence_penalty", "number"),
    ("frequency_penalty", "number"),
    ("top_logprobs", "integer"),
    ("temperature", "number"),
    ("reasoning", "object null"),
    ("usage", "object null"),
    ("max_output_tokens", "integer null"),
    ("max_tool_calls", "integer null"),
    ("store", "boolean"),
    ("background", "boolean"),
    ("service_tier", "string"),
    ("metadata", "object"),
    ("safety_identifier", "string null"),
    ("prompt_cache_key", "string null"),
];

/// The fields of each kind of item.
const ITEMS: &[(&str, &[(&str, &str)])] = &[
    ("message", &[("id", "string"), ("status", "string"), ("role", "string"), ("content", "array")]),
    ("reasoning", &[("id", "string"), ("summary", "array")]),
    (
        "function_call",
        &[
            ("id", "string"),
            ("call_id", "string"),
            ("name", "string"),
            ("arguments", "string"),
            ("status", "string"),
        ],
    ),
];

/// The fields of each event beside its type and number.
const EVENTS: &[(&str, &[(&str, &str)])] = &[
    ("response.created", &[("response", "object")]),
    ("response.in_progress", &[("response", "object")]),
    ("response.completed", &[("response", "object")]),
    ("response.incomplete", &[("response", "object")]),
    ("response.output_item.added", &[("output_index", "integer"), ("item", "object")]),
    ("response.output_item.done", &[("output_index", "integer"), ("item", "object")]),
    (
        "response.content_part.added",
        &[
            ("item_id", "string"),
            ("output_index", "integer"),
            ("content_index", "integer"),
            ("part", "object"),
        ],
    ),
    (
        "response.content_part.done",
        &[
            ("item_id", "string"),
            ("output_index", "integer"),
            ("content_index", "integer"),
            ("part", "object"),
        ],
    ),
    (
        "response.output_text.delta",
        &[
            ("item_id", "string"),
            ("output_index", "integer"),
            ("content_index", "integer"),
            ("delta", "string"),
            ("logprobs", "array"),
        ],
    ),
    (
        "response.output_text.done",
        &[
            ("item_id", "string"),
            ("output_index", "integer"),
            ("content_index", "integer"),
            ("text", "string"),
            ("logprobs", "array"),
        ],
    ),
    (
        "response.function_call_arguments.delta",
        &[("item_id", "string"), ("output_index", "integer"), ("delta", "string")],
    ),
    (
        "response.function_call_arguments.done",
        &[("item_id", "string"), ("output_index", "integer"), ("arguments", "string")],
    ),
];

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn assert_fields(value: &Value, fields: &[(&str, &str)]) {
    for (name, kinds) in fields {
        let found = value.get(*name).map_or("absent", kind);
        let fits =
            kinds.split(' ').any(|wanted| wanted == found || (wanted == "number" && found == "integer"));
        assert!(fits, "`{name}` is {found}, not {kinds}: {value}");
    }
}

fn assert_item(item: &Value) {
    let (_, fields) =
        ITEMS.iter().find(|(kind, _)| item["type"] == *kind).unwrap_or_else(|| panic!("{item}"));
    assert_fields(item, fields);
    for part in item["content"].as_array().into_iter().flatten().filter(|part| part["type"] == "output_text")
    {
        assert_fields(part, &[("text", "string"), ("annotations", "array"), ("logprobs", "array")]);
    }
}

fn assert_response(response: &Value) {
    assert_fields(response, RESPONSE);
    assert_eq!(response["object"], "response");
    response["output"].as_array().unwrap().iter().for_each(assert_item);
    for tool in response["tools"].as_array().unwrap() {
        assert_fields(
            tool,
            &[
                ("name", "string"),
                ("description", "string null"),
                ("parameters", "object null"),
                ("strict", "boolean null"),
            ],
        );
    }
    assert_fields(&response["text"], &[("format", "object")]);
    assert_fields(&response["reasoning"], &[("effort", "string null"), ("summary", "string null")]);
    if response["status"] == "completed" {
        let counts = ["input_tokens", "output_tokens", "total_tokens"].map(|name| (name, "integer"));
        assert_fields(&response["usage"], &counts);
        assert_fields(&response["usage"]["input_tokens_details"], &[("cached_tokens", "integer")]);
        assert_fields(&response["usage"]["output_tokens_details"], &[("reasoning_tokens", "integer")]);
        assert!(response["completed_at"].as_u64() >= response["created_at"].as_u64());
    }
}

fn user(content: impl Into<Value>) -> Value {
    json!({"type": "message", "role": "user", "content": content.into()})
}

async fn respond(router: &Router, body: Value) -> Reply {
    post(router, "/v1/responses", body.to_string()).await
}

async fn completed(router: &Router, body: Value) -> Value {
    let reply = respond(router, body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let response = reply.json();
    assert_response(&response);
    assert_eq!(response["status"], "completed");
    assert_ne!(response["output"], json!([]), "it says something");
    response
}

fn speaker() -> Arc<ScriptedModel> {
    Arc::new(ScriptedModel::new("m", &["Hello", " to", " you"]))
}

#[tokio::test]
async fn basic_text() {
    let body = json!({"model": "m", "input": [user("Say hello in exactly 3 words.")]});
    let response = completed(&serving(&speaker()), body).await;
    assert_eq!(response["output"][0]["content"][0]["text"], "Hello to you");
}

#[tokio::test]
async fn streaming() {
    let weather = ScriptedModel::new("m", &["One", ", two"]).calling("c", "count", &["{\"to\"", ":5}"]);
    for model in [speaker(), Arc::new(weather)] {
        let body = json!({"model": "m", "input": [user("Count from 1 to 5.")], "stream": true});
        let reply = respond(&serving(&model), body).await;
        assert_eq!(reply.header("content-type"), "text/event-stream");
        let events = reply.text.strip_suffix("data: [DONE]\n\n").expect("the last event is the end mark");
        let mut text = String::new();
        let mut last = Value::Null;
        for (number, frame) in events.split_terminator("\n\n").enumerate() {
            let (name, data) = frame.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            let event: Value = serde_json::from_str(data).unwrap();
            assert_eq!((&event["type"], &event["sequence_number"]), (&json!(name), &json!(number)));
            let (_, fields) =
                EVENTS.iter().find(|(kind, _)| *kind == name).unwrap_or_else(|| panic!("{event}"));
            assert_fields(&event, fields);
            event.get("response").into_iter().for_each(assert_response);
            event.get("item").into_iter().for_each(assert_item);
            if name == "response.output_text.delta" {
                text.push_str(event["delta"].as_str().unwrap());
            }
            last = event;
        }
        assert_eq!(
            (&last["type"], &last["response"]["status"]),
            (&json!("response.completed"), &json!("completed"))
        );
        assert_eq!(last["response"]["output"][0]["content"][0]["text"], text);
    }
}

#[tokio::test]
async fn a_system_prompt() {
    let model = speaker();
    let system = json!({"type": "message", "role": "system", "content": "You are a pirate. Always respond in pirate speak."});
    completed(&serving(&model), json!({"model": "m", "input": [system, user("Say hello.")]})).await;
    let Prompt::Messages(messages) = &model.requests()[0].prompt else { panic!() };
    assert_eq!(messages[0].role.as_str(), "system");
    assert_eq!(messages[0].parts, [Part::Text("You are a pirate. Always respond in pirate speak.".into())]);
}

#[tokio::test]
async fn tool_calling() {
    let model =
        Arc::new(ScriptedModel::new("m", &[]).calling("c", "get_weather", &["{\"location\": \"SF\"}"]));
    let parameters =
        json!({"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]});
    let tool = json!({"type": "function", "name": "get_weather", "description": "Get the weather", "parameters": parameters});
    let body =
        json!({"model": "m", "input": [user("What's the weather like in San Francisco?")], "tools": [tool]});
    let response = completed(&serving(&model), body).await;
    assert_eq!(response["output"][0]["type"], "function_call");
}

#[tokio::test]
async fn an_image_is_refused_where_no_model_sees() {
    let blind =
        Failure::unsupported("messages[0].content[1]", "an image is given, but this model cannot see");
    let router = serving(&Arc::new(ScriptedModel::new("m", &[]).refusing(blind)));
    let image = json!({"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="});
    let content = json!([{"type": "input_text", "text": "What do you see?"}, image]);
    let reply = respond(&router, json!({"model": "m", "input": [user(content)]})).await;
    assert_eq!((reply.status.as_u16(), reply.error("param")), (400, "input".to_owned()), "{}", reply.text);
    assert_eq!(reply.error("type"), "invalid_request_error");
}

#[tokio::test]
async fn several_turns() {
    let model = speaker();
    let body = json!({"model": "m", "input": [
        user("My name is Alice."),
        {"type": "message", "role": "assistant", "content": "Hello Alice! Nice to meet you."},
        user("What is my name?"),
    ]});
    completed(&serving(&model), body).await;
    let Prompt::Messages(messages) = &model.requests()[0].prompt else { panic!() };
    let roles: Vec<_> = messages.iter().map(|message| message.role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
}
