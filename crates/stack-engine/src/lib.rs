//! Runs a language model in this process: load, tokenize, schedule, execute, sample.
//!
//! Reading order: [`weights`] opens files, [`spec`] says what they describe, [`executor`] turns tokens into logits,
//! [`tokenizer`] turns text into tokens and back, [`template`] turns conversations into text, [`sample`] chooses tokens,
//! [`stop`] ends texts, and [`engine`] answers requests with all of them.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::path::Path;
//! use stack_chat::{ChatModel, ChatRequest, Message, Prompt};
//! use stack_engine::engine::{Engine, EngineOptions};
//! use stack_engine::weights::Files;
//!
//! let path = Path::new("model.gguf");
//! let source = stack_engine::weights::open(Files::at(path)?)?;
//! let engine = Engine::load(source.as_ref(), &EngineOptions::default(), &|_, _| {})?;
//! let stream = engine.chat(ChatRequest::new(Prompt::Messages(vec![Message::user("Hello")])))?;
//! # drop(stream);
//! # Ok(())
//! # }
//! ```
//!
//! This crate deliberately never opens a socket, never reads the environment and never prints.
//!
//! Invariants:
//! - Weights are read into private memory; a file that changes after loading changes nothing.
//! - What callers write never becomes a control token.
//! - The same seed and the same prompt give the same answer, whatever else runs.
//! - Nothing from a file or a request makes it panic or allocate more than the input justifies.

pub mod encoder;
pub mod engine;
pub mod executor;
pub mod load;
pub mod sample;
pub mod spec;
pub mod stop;
pub mod template;
pub mod tokenizer;
pub mod weights;
