//! The vocabulary of a conversation with a model.
//!
//! Everything that answers (the local engine, a gateway over several providers, a scripted double in a test) is a
//! [`ChatModel`]: it takes a [`ChatRequest`] and returns a stream of [`ChatEvent`]s. Whoever asks needs to know
//! nothing else, so servers, agents and the command line never depend on an engine.
//!
//! This crate deliberately does no I/O, spawns nothing, names no wire format and derives no serde: JSON belongs to
//! `stack-wire`, files to `stack-engine` and `stack`.
//!
//! Invariants:
//! - A stream ends with exactly one [`ChatEvent::Done`] or with one error, and yields nothing after either.
//! - Dropping a stream cancels the work behind it.
//! - The text of a choice is the concatenation of its deltas, byte for byte.

mod embed;
mod error;
mod event;
mod message;
mod model;
mod request;
mod sampling;

pub use embed::{EmbedFuture, EmbedInput, EmbedRequest, Embedder, Embeddings};
pub use error::{ChatError, ErrorKind};
pub use event::{ChatEvent, Delta, EventStream, FinishReason, Timings, TokenLogprob, Usage};
pub use message::{Json, Message, Role, Tool, ToolCall};
pub use model::{Ability, Basis, ChatModel, ModelCard};
pub use request::{ChatRequest, Prompt, PromptEnd, TemplateOptions, Unused};
pub use sampling::{Dry, LogitBias, Logprobs, Sampling, Xtc};
