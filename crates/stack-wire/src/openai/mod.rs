//! The OpenAI dialect: chat completions, completions, embeddings, models, errors.
//!
//! Requests come in through the three `parse_*` functions. Answers go out through a [`Reply`], whole or in chunks.

mod chat;
mod chunks;
mod completion;
mod embedding;
mod error;
mod input;
mod logprobs;
mod message;
mod model;
mod options;
mod reply;
mod sampling;
mod tool;
mod unsupported;
mod whole;

pub use chat::parse_chat;
pub use chunks::Chunks;
pub use completion::parse_completion;
pub use embedding::{EmbeddingCall, Encoding, embedding_list, parse_embedding};
pub use error::ErrorObject;
pub use model::{Availability, model_list, model_object};
pub use options::{Call, Delivery};
pub use reply::{Reply, Shape};
pub use whole::Whole;
