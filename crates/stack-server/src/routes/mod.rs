//! The handlers, a file for each family of routes: a handler parses, calls and renders, nothing more.

pub(crate) mod completions;
pub(crate) mod control;
pub(crate) mod embeddings;
pub(crate) mod health;
pub(crate) mod llama_server;
pub(crate) mod messages;
pub(crate) mod metrics;
pub(crate) mod models;
pub(crate) mod native;
pub(crate) mod ollama;
pub(crate) mod openapi;
pub(crate) mod rerank;
pub(crate) mod residency;
pub(crate) mod responses;
pub(crate) mod stored;
