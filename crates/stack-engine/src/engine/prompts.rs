//! From a conversation to the prompt of one model.

use std::sync::{Arc, OnceLock};

use jiff::Zoned;
use stack_chat::{Message, TemplateOptions, Tool};

use super::templates::ChatTemplates;
use crate::reply::ReplyFormat;
use crate::template::{ControlTexts, RenderInput, Rendered, TemplateError};
use crate::tokenizer::{Specials, Tokenizer};

/// Renders conversations as the engine does, without the weights.
#[derive(Debug)]
pub struct PromptRenderer {
    templates: ChatTemplates,
    control: ControlTexts,
    bos_token: String,
    eos_token: String,
    /// How replies are written, without and with tools; inferred when first needed.
    formats: [OnceLock<Arc<ReplyFormat>>; 2],
}

impl PromptRenderer {
    /// Prepares the templates for the vocabulary that the prompts will be written in.
    pub fn new(templates: ChatTemplates, tokenizer: Option<&Tokenizer>) -> Self {
        let text = |role: fn(&Tokenizer) -> Option<u32>| {
            let piece = tokenizer.and_then(|tokenizer| Some(tokenizer.piece(role(tokenizer)?)));
            String::from_utf8_lossy(piece.unwrap_or_default()).into_owned()
        };
        Self {
            templates,
            control: ControlTexts::new(tokenizer.into_iter().flat_map(Tokenizer::control_texts)),
            bos_token: text(Tokenizer::bos),
            eos_token: text(Tokenizer::eos),
            formats: Default::default(),
        }
    }

    /// Shows the template other texts for BOS and EOS than the vocabulary has, where they are given.
    #[must_use]
    pub fn with_special_texts(mut self, [bos, eos]: [Option<String>; 2]) -> Self {
        self.bos_token = bos.unwrap_or(self.bos_token);
        self.eos_token = eos.unwrap_or(self.eos_token);
        self
    }

    /// How the model writes its replies, as the template shows that a request with tools or without them is rendered by.
    pub fn reply_format(&self, has_tools: bool) -> Arc<ReplyFormat> {
        let format = &self.formats[usize::from(has_tools)];
        Arc::clone(format.get_or_init(|| Arc::new(ReplyFormat::of(self.templates.choose(has_tools)))))
    }

    /// Whether conversations with tools show them to the model.
    pub(super) fn shows_tools(&self) -> bool {
        self.templates.choose(true).source().contains("tools")
    }

    /// The source of the template that a request with tools or without them is rendered by.
    pub(super) fn template(&self, has_tools: bool) -> &str {
        self.templates.choose(has_tools).source()
    }

    /// Renders a conversation by the template that fits it.
    ///
    /// # Errors
    ///
    /// What the template said, or which message it does not show.
    pub fn render(
        &self,
        messages: &[Message],
        tools: &[Tool],
        options: &TemplateOptions,
        now: &Zoned,
    ) -> Result<Rendered, TemplateError> {
        self.templates.choose(!tools.is_empty()).render(&RenderInput {
            messages,
            tools,
            bos_token: &self.bos_token,
            eos_token: &self.eos_token,
            options,
            control: &self.control,
            now,
        })
    }
}

/// Returns the tokens of a rendered conversation: with what the vocabulary wants in front, unless the template has
/// written it, and nothing behind, because the model goes on there.
pub fn prompt_tokens(tokenizer: &Tokenizer, rendered: &Rendered) -> Vec<u32> {
    tokenizer.encode_segments(&rendered.segments, Specials::Begin)
}

/// Returns the text of a prompt, with the text of the tokens that [`prompt_tokens`] puts in front.
pub fn prompt_text(tokenizer: Option<&Tokenizer>, rendered: &Rendered) -> String {
    let mut text = String::new();
    if let Some(tokenizer) = tokenizer {
        let tokens = prompt_tokens(tokenizer, rendered);
        let added = tokens.len() - tokenizer.encode_segments(&rendered.segments, Specials::Omit).len();
        let pieces: Vec<u8> = tokens[..added].iter().flat_map(|&id| tokenizer.piece(id)).copied().collect();
        text.push_str(&String::from_utf8_lossy(&pieces));
    }
    text.extend(rendered.segments.iter().map(|segment| &*segment.text));
    text
}
