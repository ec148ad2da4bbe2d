//! Runs a language model in this process: load, tokenize, schedule, execute, sample.

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
