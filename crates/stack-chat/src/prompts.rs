//! The way of prompts to a model, without the model.

use crate::{ChatRequest, Failure};

/// Turns prompts into the tokens that one model computes with, and these into text.
///
/// Nothing here runs in the background: a long text takes milliseconds, and who must not wait asks on a thread of its own.
pub trait Prompts: Send + Sync {
    /// Returns the tokens of a text.
    ///
    /// # Errors
    ///
    /// For models without a vocabulary.
    fn tokenize(&self, text: &str, options: TokenizeOptions) -> Result<Vec<u32>, Failure>;

    /// Returns the bytes of one token as one would show it, which are not always UTF-8: a control token shows its text.
    ///
    /// # Errors
    ///
    /// For models without a vocabulary, and for numbers that are not in it.
    fn piece(&self, token: u32) -> Result<&[u8], Failure>;

    /// Returns what the model would be sent for a request.
    ///
    /// # Errors
    ///
    /// What the model would say to the request, short of a prompt that does not fit.
    fn render(&self, request: &ChatRequest) -> Result<RenderedPrompt, Failure>;

    /// Returns the source of the chat template for conversations with or without tools.
    fn template(&self, has_tools: bool) -> Option<&str>;

    /// Returns the tokens that begin and end a text, if the vocabulary has them.
    fn bounds(&self) -> (Option<u32>, Option<u32>);
}

/// How a text is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenizeOptions {
    /// Whether the tokens are added that the vocabulary wants around a text.
    pub add_special: bool,
    /// Whether the texts of control tokens are read as these.
    pub parse_special: bool,
}

/// What a model is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenderedPrompt {
    /// The text of the prompt, with the text of all its control tokens.
    pub text: String,
    /// Its tokens.
    pub tokens: Vec<u32>,
}
