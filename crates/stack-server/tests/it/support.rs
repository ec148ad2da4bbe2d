//! A router over a scripted model, and the least that a client needs.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use futures_core::Stream as _;
use serde_json::Value;
use stack_chat::{ChatModel, ModelCard};
use stack_server::{Models, Options, Served, router};
use stack_testkit::{CheckedModel, ScriptedEmbedder, ScriptedModel, ScriptedPrompts, ScriptedReranker};
use tower::ServiceExt;

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Whether the connection would have broken off instead of ending.
    pub(crate) is_cut: bool,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Returns the word in the error's field `name`.
    pub(crate) fn error(&self, name: &str) -> String {
        self.json()["error"][name].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the data of each event, parsed, and whether the end mark followed.
    pub(crate) fn events(&self) -> (Vec<Value>, bool) {
        let data = self.text.split("\n\n").filter_map(|frame| frame.strip_prefix("data: "));
        let (marks, events): (Vec<_>, Vec<_>) = data.partition(|&data| data == "[DONE]");
        (events.into_iter().map(|data| serde_json::from_str(data).unwrap()).collect(), marks.len() == 1)
    }
}

/// Builds the routes over one model `m`, which also embeds and ranks.
pub(crate) fn serving(model: &Arc<ScriptedModel>) -> Router {
    router(registry(model), Options::default())
}

/// Builds the same routes where responses are stored.
pub(crate) fn storing(model: &Arc<ScriptedModel>) -> Router {
    router(registry(model), Options { stored_responses_max: 4, ..Options::default() })
}

/// Makes a registry of one model `m`, which also embeds and ranks.
pub(crate) fn registry(model: &Arc<ScriptedModel>) -> Arc<Models> {
    let models = Models::default();
    models.ready(Served {
        id: "m".into(),
        card: model.card().clone(),
        chat: Some(Arc::new(CheckedModel(Arc::clone(model) as _))),
        embedder: Some(Arc::new(ScriptedEmbedder)),
        reranker: Some(Arc::new(ScriptedReranker)),
        prompts: Some(Arc::new(ScriptedPrompts)),
        held: None,
    });
    Arc::new(models)
}

/// Makes a model that only embeds.
pub(crate) fn embedder(id: &str) -> Served {
    Served {
        id: id.into(),
        card: ModelCard::default(),
        chat: None,
        embedder: Some(Arc::new(ScriptedEmbedder)),
        reranker: None,
        prompts: None,
        held: None,
    }
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Reply {
    let response = router.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let (mut body, mut bytes, mut is_cut) = (body.into_data_stream(), Vec::new(), false);
    while let Some(chunk) = poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await {
        match chunk {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(_) => is_cut = true,
        }
    }
    let text = String::from_utf8(bytes).unwrap();
    Reply { status: head.status, headers: head.headers, text, is_cut }
}

pub(crate) async fn get(router: &Router, path: &str) -> Reply {
    send(router, Request::get(path).body(Body::empty()).unwrap()).await
}

pub(crate) async fn delete(router: &Router, path: &str) -> Reply {
    send(router, Request::delete(path).body(Body::empty()).unwrap()).await
}

pub(crate) async fn post(router: &Router, path: &str, body: impl Into<Body>) -> Reply {
    send(router, Request::post(path).body(body.into()).unwrap()).await
}

/// Asks in a chat of one message, with `more` fields.
pub(crate) async fn chat(router: &Router, more: &str) -> Reply {
    post(router, "/v1/chat/completions", chat_body(more)).await
}

pub(crate) fn chat_body(more: &str) -> String {
    let comma = if more.is_empty() { "" } else { ", " };
    format!(r#"{{"messages": [{{"role": "user", "content": "Tell me a story"}}]{comma}{more}}}"#)
}
