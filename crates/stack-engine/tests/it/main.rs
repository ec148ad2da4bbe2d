//! The engine against reference data.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail loudly and tell what they measured")]

mod answers;
mod logits;
