//! From requests to what the network reads.

use std::borrow::Cow;
use std::sync::Arc;

use stack_chat::{EmbedInput, Failure, ModelCard, Overflow};

use super::network::Input;
use crate::tokenizer::{Control, Specials, Tokenizer};

/// Turns texts into inputs, and refuses what the model cannot take.
pub(super) struct Reader {
    pub(super) card: Arc<ModelCard>,
    pub(super) tokenizer: Option<Tokenizer>,
    /// Whether texts are lowercased before they are tokenized.
    pub(super) lowercase: bool,
}

impl Reader {
    /// A text to embed, or the tokens of one.
    pub(super) fn text(&self, input: &EmbedInput) -> Result<Input, Failure> {
        let tokens = match input {
            EmbedInput::Tokens(tokens) => tokens.clone(),
            EmbedInput::Text(text) => self.tokenizer("input", "give inputs as token ids")?.encode(
                &self.spelled(text),
                Control::Literal,
                Specials::Add,
            ),
        };
        if tokens.is_empty() {
            return Err(Failure::invalid("input", "an input has no tokens"));
        }
        self.check_length("input", "an input", tokens.len())?;
        let vocabulary = self.card.vocabulary;
        match tokens.iter().find(|&&token| token >= vocabulary) {
            None => Ok(Input::single(tokens)),
            Some(token) => {
                let problem = format!("token {token} is not in the vocabulary of {vocabulary}");
                Err(Failure::invalid("input", problem))
            }
        }
    }

    /// The tokens of a query and of what stands between it and a document.
    pub(super) fn query(&self, query: &str) -> Result<Vec<u32>, Failure> {
        let tokenizer = self.tokenizer("query", "it cannot rank texts")?;
        let tokens = tokenizer.encode_first(&self.spelled(query));
        self.check_length("query", "the query", tokens.len())?;
        Ok(tokens)
    }

    /// A query with the document of this number.
    pub(super) fn pair(&self, query: &[u32], number: usize, document: &str) -> Result<Input, Failure> {
        let tokenizer = self.tokenizer("documents", "it cannot rank texts")?;
        let (mut tokens, border) = (query.to_vec(), query.len());
        tokenizer.append_second(&mut tokens, &self.spelled(document));
        let what = format!("document {number} with the query");
        self.check_length("documents", &what, tokens.len())?;
        Ok(Input { tokens, border })
    }

    fn tokenizer(&self, field: &str, way_out: &str) -> Result<&Tokenizer, Failure> {
        let problem = || Failure::unsupported(field, format!("this model has no vocabulary; {way_out}"));
        self.tokenizer.as_ref().ok_or_else(problem)
    }

    fn spelled<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.lowercase { text.to_lowercase().into() } else { text.into() }
    }

    fn check_length(&self, field: &str, what: &str, tokens: usize) -> Result<(), Failure> {
        let context = self.card.context;
        if tokens <= context as usize {
            return Ok(());
        }
        let prompt_tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        let message = format!("{what} has {prompt_tokens} tokens, but this model takes at most {context}");
        let overflow = Overflow { prompt_tokens, context };
        Err(Failure { field: Some(field.to_owned()), ..Failure::overflow(overflow, message) })
    }
}
