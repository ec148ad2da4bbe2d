//! Ollama's own chat.

mod reply;
mod request;

pub(super) use reply::Lines;
pub(super) use request::render;
