//! The routes that supervisors ask: does it live, has it started, can it answer.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use stack_chat::{Failure, FailureKind};

use crate::error::{ApiError, json};
use crate::server::Server;

/// Says that the server listens, whatever its models do.
pub(crate) async fn live() -> Response {
    ok()
}

/// Says whether the models that the server was started with have loaded or failed, with llama-server's words, and how
/// tightly the system holds the process. Models
/// that are loaded later change nothing.
pub(crate) async fn health(State(server): State<Arc<Server>>) -> Response {
    if !server.models.have_started() {
        return loading("Loading model");
    }
    match server.options.lockdown {
        Some(level) => json(format!(r#"{{"status":"ok","lockdown":"{level}"}}"#)),
        None => ok(),
    }
}

/// Says whether a model can be asked.
pub(crate) async fn ready(State(server): State<Arc<Server>>) -> Response {
    if server.models.any_ready() { ok() } else { loading("no model is ready") }
}

fn ok() -> Response {
    json(r#"{"status":"ok"}"#.to_owned())
}

fn loading(message: &str) -> Response {
    ApiError::from(Failure::new(FailureKind::Loading, message)).into_response()
}
