//! Benchmarks, and the side-by-side harnesses against other engines.
//!
//! `versus` measures against a build of llama.cpp, `versus-candle` (behind the feature `candle`) against
//! candle-transformers, and `serve` puts `stack serve` and llama-server under load. All run the shipped binary and the
//! peer in turns, in processes of their own, and report medians. This library holds what they share.

mod machine;
mod median;

pub use machine::Machine;
pub use median::median;
