//! The server as its clients see it: through the router, and where it matters through a socket.

#![expect(clippy::unwrap_used, reason = "a helper that fails must fail the test")]

mod answers;
mod auth;
mod embeddings;
mod errors;
mod health;
mod hostile;
mod llama_server;
mod messages;
mod metrics;
mod native;
mod ollama;
mod open_responses;
mod openapi;
mod pages;
mod rerank;
mod residency;
mod responses;
mod sockets;
mod stored_responses;
mod support;
mod tls;
