//! The OpenAI dialect: chat completions, completions, embeddings, models, errors.
//!
//! Requests come in through the three `parse_*` functions. Answers go out through a [`Writer`], whole or in chunks.

mod chat;
mod completion;
mod embedding;
mod error;
mod guided;
mod input;
mod logprobs;
mod message;
mod model;
mod options;
mod output;
mod reply;
mod sampling;
mod stream;
mod tool;
mod unsupported;
mod whole;

pub(crate) use chat::effort;
pub use chat::parse_chat;
pub use completion::parse_completion;
pub(crate) use embedding::numbers;
pub use embedding::{EmbeddingCall, Encoding, embedding_list, parse_embedding};
pub use error::error_object;
pub(crate) use error::error_value;
pub(crate) use input::{inputs, inputs_of};
pub(crate) use logprobs::token_value;
pub(crate) use message::{arguments, messages};
pub use model::{model_list, model_object};
pub(crate) use options::{delivery, generation, max_tokens, model, stop};
pub(crate) use output::output;
pub(crate) use reply::timings_object;
pub use reply::{Reply, Shape};
pub(crate) use sampling::sampling;
pub use stream::Writer;
pub(crate) use tool::{is_name, tools};
pub(crate) use unsupported::{EMBEDDING, GENERATION, RERANK, note, refuse};
