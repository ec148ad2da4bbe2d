//! The engine against reference data, and against files that lie.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests fail loudly and tell what they measured")]

mod agreement;
mod answers;
mod architectures;
mod book;
mod hostile;
mod logits;
mod mutations;
mod placements;
mod pooled;
mod ragged;
mod speculation;
mod templates;
mod tiny;
