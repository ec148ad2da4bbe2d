//! What a model may write: JSON schemas and grammars, as masks over its vocabulary.
//!
//! A [`GrammarCompiler`] belongs to one vocabulary. It compiles what a caller asks for into a [`Constraint`], which follows one
//! answer: before each token it says which ones keep the answer within the grammar ([`Constraint::mask`]), and after
//! it is told which was chosen. The compiler and the parser behind it are those of llguidance; this module is the only
//! one that names it.
//!
//! Schemas and grammars come from callers, so compiling and each mask have limits, and a schema that would need more is
//! refused. A keyword that is not understood is refused by name: it is never dropped.

mod compile;
mod constraint;
mod error;
mod gbnf;
mod vocabulary;

pub use compile::GrammarCompiler;
pub use constraint::{Constraint, Mask};
pub use error::GrammarError;

#[cfg(test)]
mod tests;
