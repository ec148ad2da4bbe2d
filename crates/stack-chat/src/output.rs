//! What form an answer must have.

use crate::Json;

/// What form the text of an answer must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// Any.
    #[default]
    Text,
    /// A JSON object.
    Json,
    /// JSON that follows a schema.
    Schema(Schema),
    /// Text that follows a grammar.
    Grammar(Grammar),
}

/// A JSON schema for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// What the caller calls it.
    pub name: Option<String>,
    /// The schema.
    pub schema: Json,
    /// Whether the answer must follow it in every case; otherwise it is a wish.
    pub strict: bool,
}

/// A grammar for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grammar {
    /// The language that it is written in.
    pub syntax: GrammarSyntax,
    /// The grammar.
    pub text: String,
}

/// The languages of grammars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrammarSyntax {
    /// That of llama.cpp.
    Gbnf,
    /// That of Lark, as llguidance reads it.
    Lark,
    /// A regular expression that the whole answer matches.
    Regex,
}
