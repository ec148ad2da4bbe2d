//! The engine against reference data.

mod answers;
mod logits;
