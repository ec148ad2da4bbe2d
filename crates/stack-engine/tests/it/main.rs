//! The engine against reference data, and against files that lie.

mod answers;
mod hostile;
mod logits;
mod ragged;
mod tiny;
