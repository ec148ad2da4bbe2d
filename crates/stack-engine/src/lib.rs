//! Runs a language model in this process: load, tokenize, schedule, execute, sample.

pub mod sample;
pub mod stop;
pub mod template;
pub mod weights;
