//! From what a caller gave to a constraint.

use std::collections::HashMap;

use llguidance::api::{ParserLimits, TopLevelGrammar};
use llguidance::{JsonCompileOptions, Matcher, ParserFactory};
use serde_json::Value as Json;
use stack_chat::{Grammar, GrammarSyntax, Output};

use super::constraint::Constraint;
use super::error::GrammarError;
use super::{gbnf, vocabulary};
use crate::tokenizer::{TokenKind, Tokenizer};

/// Compiles grammars for one vocabulary.
pub struct GrammarCompiler {
    factory: ParserFactory,
    /// The tokens that are no text, by what they show.
    control: HashMap<String, u32>,
}

impl GrammarCompiler {
    /// Prepares a vocabulary: about a tenth of a second for 150,000 tokens.
    ///
    /// # Errors
    ///
    /// When no token of it ends an answer.
    pub fn new(tokenizer: &Tokenizer) -> Result<Self, GrammarError> {
        let environment = vocabulary::environment(tokenizer)?;
        let mut factory = ParserFactory::new_simple(&environment).map_err(GrammarError::of)?;
        factory.quiet();
        *factory.limits_mut() = limits();
        let ids = 0..tokenizer.vocabulary_size() as u32;
        let control =
            ids.filter(|&id| tokenizer.kind(id) == TokenKind::Control || tokenizer.is_end_of_generation(id));
        let control =
            control.filter_map(|id| Some((std::str::from_utf8(tokenizer.piece(id)).ok()?.to_owned(), id)));
        Ok(Self { factory, control: control.filter(|(text, _)| !text.is_empty()).collect() })
    }

    /// Compiles what the form of an answer asks for; `None` if it may be any text.
    ///
    /// # Errors
    ///
    /// As the methods for each form.
    pub fn output(&self, output: &Output) -> Result<Option<Constraint>, GrammarError> {
        match output {
            Output::Text => Ok(None),
            Output::Json => self.schema(r#"{"type": "object"}"#).map(Some),
            Output::Schema(schema) => self.schema(&schema.schema.0).map(Some),
            Output::Grammar(grammar) => self.grammar(grammar).map(Some),
        }
    }

    /// Compiles a JSON schema (draft 2020-12, as far as it is understood).
    ///
    /// # Errors
    ///
    /// Names the keyword that is not understood, or what is wrong.
    pub fn schema(&self, text: &str) -> Result<Constraint, GrammarError> {
        let mut schema = parse(text)?;
        if schema.is_object() {
            layout().apply_to(&mut schema);
        }
        self.compile(TopLevelGrammar::from_json_schema(schema))
    }

    /// Compiles a grammar that a caller wrote.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it, where the language has lines also in which.
    pub fn grammar(&self, grammar: &Grammar) -> Result<Constraint, GrammarError> {
        if grammar.text.len() > SOURCE_BYTES_MAX {
            return Err(GrammarError::new(format!("it is larger than {} KiB", SOURCE_BYTES_MAX / 1024)));
        }
        match grammar.syntax {
            GrammarSyntax::Gbnf => self.lark(&gbnf::to_lark(&grammar.text)?),
            GrammarSyntax::Lark => self.lark(&grammar.text),
            GrammarSyntax::Regex => self.compile(TopLevelGrammar::from_regex(&grammar.text)),
        }
    }

    /// Compiles a grammar in the dialect of Lark that llguidance reads.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub fn lark(&self, source: &str) -> Result<Constraint, GrammarError> {
        self.compile(TopLevelGrammar::from_lark(source.to_owned()))
    }

    fn compile(&self, grammar: TopLevelGrammar) -> Result<Constraint, GrammarError> {
        let parser = self.factory.create_parser(grammar).map_err(GrammarError::of)?;
        let mut constraint = Constraint::new(Matcher::new(Ok(parser)));
        constraint.check()?;
        Ok(constraint)
    }

    /// Writes a text as a sequence of a Lark grammar: what control tokens spell is those tokens.
    pub fn lark_text(&self, text: &str) -> String {
        let mut sequence = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let longest = self.control.iter().filter(|(token, _)| rest.starts_with(token.as_str()));
            if let Some((token, id)) = longest.max_by_key(|(token, _)| token.len()) {
                sequence.extend(literal(&std::mem::take(&mut plain)));
                sequence.push(format!("<[{id}]>"));
                rest = &rest[token.len()..];
            } else {
                plain.push(character);
                rest = &rest[character.len_utf8()..];
            }
        }
        sequence.extend(literal(&plain));
        sequence.join(" ")
    }
}

/// A string of a Lark grammar; `None` if it is empty.
fn literal(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| Json::from(text).to_string())
}

fn parse(text: &str) -> Result<Json, GrammarError> {
    let schema: Json =
        serde_json::from_str(text).map_err(|error| GrammarError::new(format!("it is not JSON: {error}")))?;
    match schema {
        Json::Object(_) | Json::Bool(_) => Ok(schema),
        _ => Err(GrammarError::new("a schema is an object, true or false")),
    }
}

/// How JSON is laid out: on one line or indented, but never padded. Without a bound, a small model may write white space
/// until its tokens are used up.
fn layout() -> JsonCompileOptions {
    JsonCompileOptions {
        whitespace_pattern: Some(r" |\n {0,40}".to_owned()),
        ..JsonCompileOptions::default()
    }
}

/// The limits of llguidance, lower where a caller could keep a core busy for seconds.
fn limits() -> ParserLimits {
    ParserLimits { verbose_errors: false, precompute_large_lexemes: false, ..ParserLimits::default() }
}

/// A grammar that people write is much smaller.
const SOURCE_BYTES_MAX: usize = 256 * 1024;
