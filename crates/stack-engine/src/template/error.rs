//! Why a conversation could not be rendered.

use std::fmt;

use stack_chat::{Failure, FailureKind};

/// Why a chat template could not be compiled, or could not render a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// The template is not valid.
    Syntax {
        /// What is wrong with it.
        message: String,
        /// The line, counted from 1, where it is known.
        line: Option<usize>,
    },
    /// The template refuses the conversation, in its own words (`raise_exception`).
    Raised(String),
    /// The template does something that is not possible with this conversation.
    Failed {
        /// What it did.
        message: String,
        /// The line, counted from 1, where it is known.
        line: Option<usize>,
    },
    /// The template computes, writes or remembers more than it is allowed to.
    Exhausted(String),
    /// The input cannot be handed to any template.
    Input(String),
    /// A message holds something that is not text.
    Part {
        /// The part, such as `messages[2].content[0]`.
        field: String,
        /// What it is: "an image".
        noun: &'static str,
    },
    /// The template does not show a message, or cannot go on with it.
    Message {
        /// The message and its field, such as `messages[2].role`.
        field: String,
        /// What is wrong, in one sentence.
        problem: String,
    },
}

impl TemplateError {
    /// Returns the field of the request that is at fault.
    pub fn field(&self) -> &str {
        match self {
            Self::Message { field, .. } | Self::Part { field, .. } => field,
            _ => "messages",
        }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |line: &Option<usize>| line.map_or(String::new(), |line| format!(" in line {line}"));
        match self {
            Self::Syntax { message, line } => {
                write!(f, "the chat template is not valid{}: {message}", at(line))
            }
            Self::Raised(message) => write!(f, "the chat template refuses the conversation: {message}"),
            Self::Failed { message, line } => write!(f, "the chat template failed{}: {message}", at(line)),
            Self::Exhausted(message) => write!(f, "the chat template was stopped: {message}"),
            Self::Input(message) => write!(f, "the conversation cannot be rendered: {message}"),
            Self::Part { field, noun } => write!(f, "`{field}` is {noun}; this model only takes text"),
            Self::Message { problem, .. } => f.write_str(problem),
        }
    }
}

impl std::error::Error for TemplateError {}

impl From<TemplateError> for Failure {
    fn from(error: TemplateError) -> Self {
        let message = error.to_string();
        match error {
            TemplateError::Raised(_) | TemplateError::Failed { .. } | TemplateError::Input(_) => {
                Self::invalid("messages", message)
            }
            TemplateError::Part { field, .. } => Self::unsupported(field, message),
            TemplateError::Message { field, .. } => Self::invalid(field, message),
            TemplateError::Syntax { .. } | TemplateError::Exhausted(_) => {
                Self::new(FailureKind::Unsupported, message)
            }
        }
    }
}
