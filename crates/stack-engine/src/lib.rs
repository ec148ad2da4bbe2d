//! Runs a language model in this process: load, tokenize, schedule, execute, sample.

pub mod executor;
pub mod spec;
pub mod tokenizer;
pub mod weights;
