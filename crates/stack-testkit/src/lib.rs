//! What tests share. A dev-dependency only.

#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod checked;
pub mod gguf;
mod http;
mod provider;
mod reference;
mod scripted;
mod scripted_prompts;

pub use checked::{CheckedModel, EventGrammar};
pub use gguf::GgufBuilder;
pub use http::{HttpReply, HttpRequest, HttpServer, Step};
pub use provider::{ProviderFamily, Recording, Said};
pub use reference::{nmse, reference_data};
pub use scripted::{ScriptedEmbedder, ScriptedModel, ScriptedReranker};
pub use scripted_prompts::ScriptedPrompts;
