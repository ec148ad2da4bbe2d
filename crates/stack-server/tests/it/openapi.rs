//! The description of the interface is true: every field in it does what it says, and nothing else is served.

use std::sync::Arc;

use axum::Router;
use serde_json::{Map, Value, json};
use stack_testkit::ScriptedModel;

use crate::support::{Reply, get, post, serving};

const ROUTES: &[(&str, &str)] = &[
    ("/v1/chat/completions", "ChatRequest"),
    ("/v1/completions", "CompletionRequest"),
    ("/v1/embeddings", "EmbeddingRequest"),
    ("/v1/rerank", "RerankRequest"),
    ("/v1/reranking", "RerankRequest"),
    ("/v1/responses", "ResponseRequest"),
    ("/v1/responses/input_tokens", "ResponseCountRequest"),
    ("/v1/messages", "MessageRequest"),
    ("/v1/messages/count_tokens", "MessageCountRequest"),
    ("/api/chat", "OllamaChatRequest"),
    ("/api/generate", "OllamaGenerateRequest"),
    ("/api/embed", "OllamaEmbedRequest"),
    ("/api/embeddings", "OllamaEmbedOneRequest"),
    ("/api/show", "OllamaShowRequest"),
    ("/api/v1/chat", "NativeChatRequest"),
    ("/api/v1/chat/stream", "NativeChatRequest"),
    ("/api/v1/embed", "NativeEmbedRequest"),
    ("/completion", "LlamaCompletionRequest"),
    ("/infill", "LlamaInfillRequest"),
    ("/embedding", "LlamaEmbeddingRequest"),
    ("/tokenize", "LlamaTokenizeRequest"),
    ("/detokenize", "LlamaDetokenizeRequest"),
    ("/apply-template", "ChatRequest"),
];

fn server() -> Router {
    serving(&Arc::new(ScriptedModel::new("m", &["a"])))
}

/// Returns the described fields of a request, and the smallest request.
async fn fields(router: &Router, schema: &str) -> (Map<String, Value>, Value) {
    let document = get(router, "/openapi.json").await.json();
    let schema = &document["components"]["schemas"][schema];
    let fields = schema["properties"].as_object().expect("an object has properties").clone();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let names = required.iter().map(|name| name.as_str().unwrap());
    let smallest = names.map(|name| (name.to_owned(), fields[name]["example"].clone())).collect();
    (fields, Value::Object(smallest))
}

/// Tells whether an error, in whatever dialect, names the field at fault.
fn names(reply: &Reply, field: &str) -> bool {
    let error = &reply.json()["error"];
    let message = error["message"].as_str().or(error.as_str()).unwrap_or_default();
    message.contains(&format!("`{field}"))
        || ["param", "field"].iter().any(|name| error[name].as_str().is_some_and(|at| at.starts_with(field)))
}

/// Sends the smallest request with one field set.
async fn with(router: &Router, path: &str, required: &Value, field: &str, value: &Value) -> Reply {
    let mut body = required.clone();
    body[field] = value.clone();
    post(router, path, body.to_string()).await
}

#[tokio::test]
async fn the_described_routes_are_the_served_ones() {
    let router = server();
    let document = get(&router, "/openapi.json").await.json();
    let mut paths: Vec<_> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    paths.sort_unstable();
    let served = [
        "/",
        "/api/chat",
        "/api/embed",
        "/api/embeddings",
        "/api/generate",
        "/api/ps",
        "/api/show",
        "/api/tags",
        "/api/v1/chat",
        "/api/v1/chat/stream",
        "/api/v1/circuit",
        "/api/v1/circuit/{change}",
        "/api/v1/embed",
        "/api/v1/health",
        "/api/v1/lineage/{id}",
        "/api/v1/models",
        "/api/v1/route",
        "/api/v1/whoami",
        "/api/version",
        "/apply-template",
        "/completion",
        "/detokenize",
        "/embedding",
        "/infill",
        "/live",
        "/metrics",
        "/openapi.json",
        "/props",
        "/ready",
        "/slots",
        "/tokenize",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/health",
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/models",
        "/v1/models/load",
        "/v1/models/unload",
        "/v1/models/{id}",
        "/v1/rerank",
        "/v1/reranking",
        "/v1/responses",
        "/v1/responses/input_tokens",
        "/v1/responses/{id}",
        "/v1/responses/{id}/cancel",
        "/v1/responses/{id}/input_items",
    ];
    assert_eq!(paths, served);
    for path in served {
        let operations = document["paths"][path].as_object().unwrap();
        let status = get(&router, &path.replace("{id}", "m")).await.status;
        let wanted = match operations.contains_key("get") {
            // Nothing is stored.
            true if path.starts_with("/v1/responses/") || path.contains("/lineage/") => 404,
            // It is not said which model.
            true if path.ends_with("/route") => 400,
            true => 200,
            false => 405,
        };
        assert_eq!(status, wanted, "{path}");
    }
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn every_described_field_is_honoured() {
    let router = server();
    for (path, schema) in ROUTES {
        let (fields, smallest) = fields(&router, schema).await;
        for (name, field) in &fields {
            let mut base = smallest.clone();
            match name.as_str() {
                "stream_options" => base["stream"] = json!(true),
                "top_logprobs" => base["logprobs"] = json!(true),
                "suffix" => base["prompt"] = json!("a"),
                "model" => base["model"] = json!("m"),
                _ => {}
            }
            let example = if name == "model" { &json!("m") } else { &field["example"] };
            let reply = with(&router, path, &base, name, example).await;
            assert_eq!(reply.status, 200, "{path} {name}: {}", reply.text);
            assert_eq!(reply.header("x-stack-ignored"), "", "{path} {name}");
        }
    }
}

#[tokio::test]
async fn the_wrong_type_in_any_field_is_refused_by_name() {
    let router = server();
    let samples = [
        ("string", json!("\u{1}?")),
        ("number", json!(0.5)),
        ("integer", json!(-7)),
        ("boolean", json!(true)),
        ("array", json!([{"a": {}}])),
        ("object", json!({"a": {"b": {}}})),
    ];
    let mut tried = 0;
    for (path, schema) in ROUTES {
        let (fields, smallest) = fields(&router, schema).await;
        for (name, field) in &fields {
            let kinds = field["type"].to_string();
            for (kind, value) in &samples {
                if kinds.contains(kind) || (*kind == "integer" && kinds.contains("number")) {
                    continue;
                }
                let reply = with(&router, path, &smallest, name, value).await;
                assert_eq!(reply.status, 400, "{path} {name} {value}");
                assert!(names(&reply, name), "{path} {name} {value}: {}", reply.text);
                tried += 1;
            }
        }
    }
    assert!(tried > 250, "only {tried} cases");
}

#[tokio::test]
async fn numbers_beyond_the_described_range_are_refused_by_name() {
    let router = server();
    let mut tried = 0;
    for (path, schema) in ROUTES {
        let (fields, smallest) = fields(&router, schema).await;
        for (name, field) in &fields {
            let mut values = Vec::new();
            values.extend(field["minimum"].as_f64().map(|least| json!(least.floor() - 1.0)));
            values.extend(field["minimum"].as_i64().map(|least| json!(least - 1)));
            values.extend(field["maximum"].as_f64().map(|most| json!(most + 1.0)));
            values.extend(field["maximum"].as_i64().map(|most| json!(most + 1)));
            let kinds = field["type"].to_string();
            if kinds.contains("integer") || kinds.contains("number") {
                values.extend([json!(1e300), json!(-1e300), json!(1e20)]);
            }
            for value in values {
                let reply = with(&router, path, &smallest, name, &value).await;
                assert_eq!(reply.status, 400, "{path} {name} {value}");
                assert!(names(&reply, name), "{path} {name} {value}: {}", reply.text);
                tried += 1;
            }
        }
    }
    assert!(tried > 200, "only {tried} cases");
}
