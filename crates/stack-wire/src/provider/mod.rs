//! The other direction: what this program asks of providers, and what they answer.
//!
//! A [`Family`] is an interface that several providers speak. It renders a [`stack_chat::ChatRequest`] as a
//! [`ProviderRequest`], and a [`ReplyReader`] turns the bytes of the reply into the same events that the engine yields.
//! An answer that is not one is an [`ErrorReply`].
//!
//! Each family speaks one canonical form of its JSON. Where a provider has other names for the same things, that is
//! data which stands between it and these codecs, and not their matter: an [`Adapter`], read from a file, which the
//! [`Route`] carries along.
//!
//! Invariants:
//! - What a request leaves open is not sent. What a family cannot say is refused by name, or noted: as [`Change`], or
//!   among the options without effect.
//! - A reply is a success only with its family's proof that it is complete and a reason to end that is known. The end
//!   of the body, `[DONE]` or silence proves nothing.
//! - The events do not depend on how the bytes are cut, and follow the grammar of [`stack_chat::ChatEvent`].
//! - What is opaque leaves as it came, to where it came from, or not at all.

mod adapter;
mod anthropic;
mod call_ids;
mod complaint;
mod count;
mod draft;
mod error_reply;
mod events;
mod facts;
mod family;
mod gemini;
mod lines;
mod moment;
mod object;
mod ollama;
mod openai_chat;
mod openai_responses;
mod payload;
mod reader;
mod records;
mod request;
mod route;
mod sse;
mod wait;

pub use adapter::{Adapter, Header, Mismatch, MismatchKind, Recordings, Rule, ShippedSpec, SpecFault};
pub(crate) use anthropic::{REDACTED, SIGNATURE};
pub(crate) use draft::decimal;
pub use error_reply::ErrorReply;
pub use facts::ReplyFacts;
pub use family::{Family, KeyHeader};
pub(crate) use gemini::SIGNATURE as THOUGHT_SIGNATURE;
pub use ollama::ModelCheck;
pub(crate) use openai_responses::REASONING;
pub use reader::ReplyReader;
pub use request::{Change, ProviderRequest};
pub use route::{Route, ThinkingForm};
