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
//! - A stream follows the grammar of [`ChatEvent`]: it ends with exactly one [`ChatEvent::Done`] or with one
//!   [`Failure`], and yields nothing after either.
//! - Dropping a stream cancels the work behind it.
//! - A part of an answer is the concatenation of its fragments, byte for byte.
//! - The counters of [`Usage`] are disjoint: no token is counted twice.

mod embed;
mod event;
mod failure;
mod lineage;
mod message;
mod model;
mod money;
mod opaque;
mod output;
mod part;
mod prompts;
mod rank;
mod request;
mod sampling;
mod tenant;
mod thinking;
mod tier;
mod tool;
mod usage;

pub use embed::{EmbedFuture, EmbedInput, EmbedRequest, Embedder, Embeddings};
pub use event::{
    ChatEvent, Citation, Delta, EventStream, FinishReason, Fragment, PartKind, Timings, TokenLogprob,
};
pub use failure::{Domain, Failure, FailureKind, Overflow, Retry};
pub use lineage::{Answerer, Commit, ENGINE, Fallback, Lineage, LineageRecord, RouteAttempt, Routing};
pub use message::{Json, Message, Role};
pub use model::{Ability, Basis, ChatModel, ModelCard};
pub use money::Money;
pub use opaque::{Opaque, Origin};
pub use output::{Grammar, GrammarSyntax, Output, Schema};
pub use part::{CacheMark, Foreign, Media, MediaSource, Part, ToolResult};
pub use prompts::{Prompts, RenderedPrompt, TokenizeOptions};
pub use rank::{RankFuture, RankRequest, Ranking, Reranker};
pub use request::{ChatRequest, ContextPolicy, Infill, Priority, Prompt, PromptEnd, TemplateOptions, Unused};
pub use sampling::{Dry, LogitBias, Logprobs, Sampling, Xtc};
pub use tenant::Tenant;
pub use thinking::{Effort, Thinking};
pub use tier::{Class, Tier};
pub use tool::{Tool, ToolCall, ToolChoice};
pub use usage::Usage;
