//! Wire formats: bytes in, values of `stack-chat` out, and back.
//!
//! A request body becomes a [`stack_chat::ChatRequest`] or an error that names the field at fault; the events of an
//! answer become JSON, whole or event by event. A dialect is a module: [`openai`], [`responses`], [`anthropic`],
//! [`ollama`], [`llama_server`], [`native`]. Each parses
//! requests, and writes answers through an [`AnswerWriter`] and errors from a [`Problem`].
//!
//! [`provider`] is the other direction: requests leave for providers, and the bytes of their replies become events.
//!
//! This crate deliberately opens no socket and reads no clock: identifiers and times enter as arguments, so every
//! function can be tested (and fuzzed) with bytes alone.
//!
//! ```
//! let body = br#"{"model": "default", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0}"#;
//! let call = stack_wire::openai::parse_chat(body)?;
//! assert_eq!(call.model.as_deref(), Some("default"));
//! assert_eq!(call.request.sampling.temperature, Some(0.0));
//!
//! let error = stack_wire::openai::parse_chat(br#"{"messages": "Hi"}"#).unwrap_err();
//! assert_eq!(error.field.as_deref(), Some("messages"));
//! # Ok::<(), stack_chat::Failure>(())
//! ```
//!
//! Invariants:
//! - No body makes a parser panic, recurse without bound, or allocate more than a small multiple of its length.
//! - A known field is honoured or refused by name. Everything else is listed in [`Ignored`], never dropped silently.

mod answer;
pub mod anthropic;
mod availability;
mod call;
mod calls;
mod encoding;
mod fields;
mod ignored;
mod keep_alive;
mod limits;
pub mod llama_server;
mod media;
pub mod native;
pub mod ollama;
mod opaque;
pub mod openai;
mod problem;
pub mod provider;
pub mod rerank;
pub mod responses;
mod schema;
pub mod sse;
mod timestamp;
mod tools;

pub use answer::{Answer, AnswerWriter, Choice};
pub use availability::Availability;
pub use call::{Call, Delivery};
pub use ignored::Ignored;
pub use keep_alive::KeepAlive;
pub use problem::Problem;
