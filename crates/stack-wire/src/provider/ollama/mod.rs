//! Ollama's own chat.

mod check;
mod reply;
mod request;

pub use check::ModelCheck;
pub(super) use reply::Lines;
pub(super) use request::render;
