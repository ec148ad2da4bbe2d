//! What strangers send, in every dialect: a clear error in the dialect's own shape, and the server goes on.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use stack_testkit::ScriptedModel;

use crate::support::{Reply, post, send, serving};

/// A route that answers conversations, and how a tool is defined there.
struct Talk {
    path: &'static str,
    tool: fn(&str, &Value) -> Value,
}

const TALKS: [Talk; 4] = [
    Talk { path: "/v1/chat/completions", tool: wrapped },
    Talk {
        path: "/v1/responses",
        tool: |name, schema| json!({"type": "function", "name": name, "parameters": schema}),
    },
    Talk { path: "/v1/messages", tool: |name, schema| json!({"name": name, "input_schema": schema}) },
    Talk { path: "/api/chat", tool: wrapped },
];

fn wrapped(name: &str, schema: &Value) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": schema}})
}

impl Talk {
    /// Makes a request whose user says `text`.
    fn body(&self, text: &str) -> Value {
        let said = if self.path == "/v1/responses" { "input" } else { "messages" };
        json!({"max_tokens": 8, said: [{"role": "user", "content": text}]})
    }

    async fn send(&self, router: &Router, body: String) -> Reply {
        post(router, self.path, body).await
    }
}

fn server() -> Router {
    serving(&Arc::new(ScriptedModel::new("m", &["a"]).with_context(1000)))
}

fn sentence(reply: &Reply) -> String {
    let error = &reply.json()["error"];
    error["message"].as_str().or(error.as_str()).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn as_many_tools_as_are_allowed_are_taken_and_twins_are_not() {
    let router = server();
    for talk in TALKS {
        let with = |names: Vec<String>| {
            let mut body = talk.body("Hi");
            body["tools"] = names.iter().map(|name| (talk.tool)(name, &json!({"type": "object"}))).collect();
            body.to_string()
        };
        let many = |count: usize| (0..count).map(|number| format!("f{number}")).collect();
        assert_eq!(talk.send(&router, with(many(512))).await.status, 200, "{}", talk.path);
        for (names, word) in [(many(513), "513"), (vec!["f".into(), "f".into()], "\"f\"")] {
            let reply = talk.send(&router, with(names)).await;
            assert_eq!(reply.status, 400, "{}", talk.path);
            assert!(sentence(&reply).contains(word), "{}", reply.text);
        }
    }
}

#[tokio::test]
async fn schemas_that_nest_too_deep_or_allow_nothing_are_refused() {
    let router = server();
    for talk in TALKS {
        let deep = (0..64).fold(json!({"type": "string"}), |inner, _| json!({"items": inner}));
        for (schema, word) in [(deep, "64 levels"), (json!({"enum": []}), "no value"), (json!([]), "schema")]
        {
            let mut body = talk.body("Hi");
            body["tools"] = json!([(talk.tool)("f", &schema)]);
            let reply = talk.send(&router, body.to_string()).await;
            assert_eq!(reply.status, 400, "{}", talk.path);
            assert!(sentence(&reply).contains(word), "{}", reply.text);
        }
    }
}

#[tokio::test]
async fn text_of_any_length_and_any_bytes_gets_an_answer_or_a_reason() {
    let router = server();
    for talk in TALKS {
        let long = talk.send(&router, talk.body(&"a ".repeat(5 << 20)).to_string()).await;
        assert_eq!(long.status, 400, "{}", talk.path);
        assert!(sentence(&long).contains("1000"), "{}", long.text);
        let whole = talk.body("\u{fdd0}\u{10ffff} é").to_string();
        assert_eq!(talk.send(&router, whole).await.status, 200, "{}", talk.path);
        for half in [r"\ud83d", r"\ude00", r"\ud83d\ud83d", r"\u12"] {
            let body = talk.body("HALF").to_string().replace("HALF", half);
            let reply = talk.send(&router, body).await;
            assert_eq!(reply.status, 400, "{} {half}", talk.path);
            assert!(sentence(&reply).contains("JSON"), "{}", reply.text);
        }
    }
}

#[tokio::test]
async fn keys_are_not_looked_at_even_if_there_are_two() {
    let router = server();
    for talk in TALKS {
        let request = Request::post(talk.path).header("authorization", "Bearer a").header("x-api-key", "b");
        let reply = send(&router, request.body(Body::from(talk.body("Hi").to_string())).unwrap()).await;
        assert_eq!(reply.status, 200, "{}", talk.path);
    }
}

#[tokio::test]
async fn roles_and_parts_that_nobody_knows_are_named() {
    let router = server();
    for talk in TALKS {
        for (role, content) in [
            (json!(7), json!("a")),
            (json!(""), json!("a")),
            (json!("user"), json!({})),
            (json!("user"), json!([{"type": "hologram"}])),
            (json!("tool"), json!("a result without a call")),
        ] {
            let mut body = talk.body("Hi");
            let said = if talk.path == "/v1/responses" { "input" } else { "messages" };
            body[said] = json!([{"role": role, "content": content}]);
            let reply = talk.send(&router, body.to_string()).await;
            assert_eq!(reply.status, 400, "{} {body}", talk.path);
            assert!(sentence(&reply).contains(&format!("`{said}[0].")), "{}", reply.text);
        }
    }
}
