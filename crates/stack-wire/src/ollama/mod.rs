//! The dialect of Ollama: chat, generate, embeddings, and what tools ask to learn which models there are.
//!
//! Requests come in through the `parse_*` functions. Answers go out through a [`Writer`], whole or as one JSON object
//! per line. Nothing is cut to fit: a prompt or an input that is too long is an error, whatever `truncate` says.

mod embedding;
mod error;
mod message;
mod model;
mod options;
mod request;
mod writer;

pub use embedding::{embed_object, embedding_object, parse_embed, parse_embedding};
pub use error::error_object;
pub use model::{Running, model_list, parse_show, running_list, show_object, version_object};
pub use request::{parse_chat, parse_generate};
pub use writer::{Reply, Shape, Writer};
