//! Why a conversation could not be rendered.

use std::fmt;

use stack_chat::{ChatError, ErrorKind};

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
            Self::Message { field, .. } => field,
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
            Self::Message { problem, .. } => f.write_str(problem),
        }
    }
}

impl std::error::Error for TemplateError {}

impl From<TemplateError> for ChatError {
    fn from(error: TemplateError) -> Self {
        let message = error.to_string();
        match error {
            TemplateError::Raised(_) | TemplateError::Failed { .. } | TemplateError::Input(_) => {
                Self::invalid("messages", message)
            }
            TemplateError::Message { field, .. } => Self::invalid(field, message),
            TemplateError::Syntax { .. } | TemplateError::Exhausted(_) => {
                Self::new(ErrorKind::Unsupported, message)
            }
        }
    }
}

/// What `raise_exception` leaves as the source of an interpreter error.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// What a spent budget leaves as the source of an interpreter error.
#[derive(Debug)]
pub(super) struct Spent(pub(super) &'static str);

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Spent {}

/// Tells apart what the interpreter reports in one type.
pub(super) fn from_interpreter(error: &minijinja::Error) -> TemplateError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    let mut innermost = error;
    while let Some(current) = cause {
        if let Some(refusal) = current.downcast_ref::<Refusal>() {
            return TemplateError::Raised(shortened(&refusal.0));
        }
        if let Some(spent) = current.downcast_ref::<Spent>() {
            return TemplateError::Exhausted(spent.0.to_owned());
        }
        if let Some(inner) = current.downcast_ref::<minijinja::Error>() {
            innermost = inner;
        }
        cause = current.source();
    }
    let message = match innermost.detail() {
        Some(detail) => format!("{}: {detail}", innermost.kind()),
        None => innermost.kind().to_string(),
    };
    let message = shortened(&message);
    let line = innermost.line().or(error.line());
    match innermost.kind() {
        minijinja::ErrorKind::OutOfFuel => TemplateError::Exhausted("it does not come to an end".into()),
        minijinja::ErrorKind::WriteFailure => {
            TemplateError::Exhausted("it writes more than a prompt can hold".into())
        }
        minijinja::ErrorKind::SyntaxError => TemplateError::Syntax { message, line },
        _ => TemplateError::Failed { message, line },
    }
}

/// Cuts a message that holds a value of any size.
fn shortened(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

const MESSAGE_CHARS_MAX: usize = 2000;
