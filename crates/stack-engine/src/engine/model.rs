//! What is known of a loaded model beside its weights.

use std::sync::OnceLock;

use jiff::Zoned;
use stack_chat::{Failure, Message, ModelCard, TemplateOptions, Tool};

use super::prompts::PromptRenderer;
use super::ranker::Ranker;
use super::templates::NoTemplate;
use crate::executor::PageForm;
use crate::grammar::{GrammarCompiler, GrammarError};
use crate::pooling::Pooling;
use crate::sample::SamplingDefaults;
use crate::template::{Rendered, TemplateError};
use crate::tokenizer::Tokenizer;

/// Everything that turns requests into tokens.
pub(super) struct Model {
    pub(super) card: ModelCard,
    pub(super) context: usize,
    pub(super) tokenizer: Option<Tokenizer>,
    /// What renders conversations, or why nothing does.
    pub(super) prompts: Result<PromptRenderer, NoTemplate>,
    pub(super) sampling: SamplingDefaults,
    pub(super) pooling: Pooling,
    /// What ranks documents, if the model does.
    pub(super) ranker: Option<Ranker>,
    /// The form of the executor's memory, if it can be kept in a file.
    pub(super) pages: Option<PageForm>,
    /// The time that templates show.
    pub(super) clock: fn() -> Zoned,
    /// What the user should know.
    pub(super) warnings: Vec<String>,
    /// What binds answers to grammars; made when first needed.
    pub(super) grammars: OnceLock<Result<GrammarCompiler, GrammarError>>,
}

impl Model {
    /// Returns what binds answers to grammars.
    ///
    /// # Errors
    ///
    /// For models without a vocabulary, or without a token that ends an answer.
    pub(super) fn grammars(&self) -> Result<&GrammarCompiler, GrammarError> {
        let make = || match &self.tokenizer {
            Some(tokenizer) => GrammarCompiler::new(tokenizer),
            None => Err(GrammarError::new("this model has no vocabulary")),
        };
        self.grammars.get_or_init(make).as_ref().map_err(Clone::clone)
    }

    /// Renders a conversation.
    pub(super) fn render(
        &self,
        messages: &[Message],
        tools: &[Tool],
        options: &TemplateOptions,
    ) -> Result<Rendered, Failure> {
        match &self.prompts {
            Ok(prompts) => {
                prompts.render(messages, tools, options, &(self.clock)()).map_err(|error| refusal(&error))
            }
            Err(reason) => {
                let way_out = "give one at start with --template, or use completions";
                Err(Failure::unsupported("messages", format!("this model {reason}; {way_out}")))
            }
        }
    }
}

/// A template that fails has been given something that it does not understand.
fn refusal(error: &TemplateError) -> Failure {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        message = format!("{message}: {inner}");
        cause = inner.source();
    }
    match error {
        TemplateError::Part { field, .. } => Failure::unsupported(field, message),
        _ => Failure::invalid(error.field(), message),
    }
}
