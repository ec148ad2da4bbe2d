//! What is known of a loaded model beside its weights.

use jiff::Zoned;
use stack_chat::{ChatError, ErrorKind, Message, ModelCard, TemplateOptions, Tool};

use crate::sample::SamplingDefaults;
use crate::template::{ChatTemplate, ControlTexts, RenderInput, TemplateError};
use crate::tokenizer::{Control, Segment, Tokenizer};

/// Everything that turns requests into tokens.
pub(super) struct Model {
    pub(super) card: ModelCard,
    pub(super) context: usize,
    pub(super) tokenizer: Option<Tokenizer>,
    pub(super) template: Option<ChatTemplate>,
    pub(super) control: ControlTexts,
    pub(super) sampling: SamplingDefaults,
    pub(super) pooling: Pooling,
    /// The time that templates show.
    pub(super) clock: fn() -> Zoned,
}

/// How a text's vectors become one. The numbers are those of `pooling_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooling {
    /// 1, and for models that do not say.
    Mean,
    /// 2.
    First,
    /// 3.
    Last,
}

impl Model {
    /// Renders a conversation to the segments of a prompt.
    pub(super) fn render(
        &self,
        messages: &[Message],
        tools: &[Tool],
        options: &TemplateOptions,
        now: &Zoned,
    ) -> Result<Vec<Segment<'static>>, ChatError> {
        let template = self.template.as_ref().ok_or_else(|| {
            ChatError::unsupported(
                "messages",
                "this model has no chat template; give one at start with --template, or use completions",
            )
        })?;
        let text = |token: Option<u32>| {
            let piece =
                self.tokenizer.as_ref().zip(token).map(|(tokenizer, token)| tokenizer.piece(token).to_vec());
            String::from_utf8_lossy(&piece.unwrap_or_default()).into_owned()
        };
        let tokenizer = self.tokenizer.as_ref();
        let input = RenderInput {
            messages,
            tools,
            add_generation_prompt: true,
            bos_token: &text(tokenizer.and_then(Tokenizer::bos)),
            eos_token: &text(tokenizer.and_then(Tokenizer::eos)),
            options,
            control: &self.control,
            now,
        };
        let rendered = template.render(&input).map_err(|error| refusal(&error))?;
        Ok(rendered
            .into_iter()
            .map(|segment| Segment {
                text: segment.text.into(),
                control: if segment.literal { Control::Literal } else { Control::Parsed },
            })
            .collect())
    }
}

/// A template that fails has been given something that it does not understand.
fn refusal(error: &TemplateError) -> ChatError {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        message = format!("{message}: {inner}");
        cause = inner.source();
    }
    ChatError { kind: ErrorKind::Invalid, message, field: Some("messages".to_owned()) }
}
