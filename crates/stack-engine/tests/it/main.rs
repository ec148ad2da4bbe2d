//! The engine against reference data.

mod logits;
