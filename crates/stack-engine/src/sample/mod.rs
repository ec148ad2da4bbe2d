//! Choosing tokens from logits.
//!
//! Stages act in this order: logit bias, penalties, DRY, top-k, typical-p, top-p, min-p, XTC, temperature, draw. Each
//! is a function in a module of its own; [`Sampler`] holds them together. Randomness is a function of seed, choice and
//! position, so an answer can be repeated whatever else the machine does.

mod candidates;
mod dry;
mod logprobs;
mod penalties;
mod plan;
mod rng;
mod sampler;
mod truncation;
mod xtc;

pub use dry::breaker_tokens;
pub use plan::SamplingDefaults;
pub use sampler::{Sampled, Sampler, SamplerSetup};
