//! Runs a language model in this process: load, tokenize, schedule, execute, sample.
//!
//! Reading order: [`weights`] opens files, [`spec`] says what they describe, [`executor`] turns tokens into logits,
//! [`tokenizer`] turns text into tokens and back, [`template`] turns conversations into text, [`sample`] chooses tokens,
//! [`stop`] ends texts, [`engine`] answers requests with all of them, [`encoder`] embeds texts, and [`load`] verifies
//! what it loads.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::collections::BTreeMap;
//! use std::fs::File;
//!
//! use stack_chat::{ChatRequest, Message, Prompt};
//! use stack_engine::EngineOptions;
//! use stack_engine::load;
//! use stack_engine::weights::{Files, Opener};
//! use stack_seal::verified::{Breach, Expected, Pass};
//! # let (root, length) = (stack_seal::digest::Root([0; 32]), 0);
//!
//! // Somebody said what the file must be; each byte is checked while it is read, and the model answers only then.
//! let expected = Expected::pinned(root, length);
//! let open: Opener = Box::new(move || {
//!     Pass::open(File::open("model.gguf").map_err(Breach::Unusable)?, expected.clone(), None)
//! });
//! let files = Files::listed("model", BTreeMap::from([("model.gguf".to_owned(), open)]));
//! let model = load::load(files, &EngineOptions::default(), &|_, _| {})?;
//! let chat = model.chat().ok_or("an encoder answers nothing")?;
//! let stream = chat.chat(ChatRequest::new(Prompt::Messages(vec![Message::user("Hello")])))?;
//! # drop(stream);
//! # Ok(())
//! # }
//! ```
//!
//! This crate deliberately never opens a socket, never reads the environment and never prints.
//!
//! Invariants:
//! - Weights are read into private memory; a file that changes after loading changes nothing.
//! - What answers was made of verified files, and holds the proof as long as it answers.
//! - What callers write never becomes a control token.
//! - The same seed and the same prompt give the same answer, whatever else runs.
//! - Nothing from a file or a request makes it panic or allocate more than the input justifies.

pub mod encoder;
pub mod engine;
pub mod executor;
pub mod grammar;
pub mod load;
mod options;
mod pooling;
pub mod reply;
pub mod sample;
pub mod spec;
pub mod stop;
pub mod template;
pub mod tokenizer;
mod turns;
mod vocabulary;
pub mod weights;

pub use options::{EngineOptions, Speculation, UnknownSpeculation};
pub use turns::Turns;
