//! Why a template was stopped.

use crate::template::error::TemplateError;

/// What the interpreter's functions return.
pub(super) type Outcome<T> = Result<T, Fault>;

/// An error, and the line of the template where it happened. It is small, because every step may return one.
#[derive(Clone, Debug)]
pub(in crate::template) struct Fault(Box<Details>);

#[derive(Clone, Debug)]
struct Details {
    kind: Kind,
    message: String,
    line: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Syntax,
    Failed,
    Raised,
    Exhausted,
}

impl Fault {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Details { kind, message: message.into(), line: None }))
    }

    /// The template is not valid.
    pub(super) fn syntax(message: impl Into<String>, line: usize) -> Self {
        Self(Box::new(Details { kind: Kind::Syntax, message: message.into(), line: Some(line) }))
    }

    /// The template did something that Python refuses.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// The template called `raise_exception`.
    pub(super) fn raised(message: impl Into<String>) -> Self {
        Self::new(Kind::Raised, message)
    }

    /// The template exceeds a bound.
    pub(super) fn exhausted(message: impl Into<String>) -> Self {
        Self::new(Kind::Exhausted, message)
    }

    /// Adds the line, unless one is known that is closer to the cause.
    pub(super) fn at(mut self, line: u32) -> Self {
        self.0.line.get_or_insert(line as usize);
        self
    }

    /// Turns the error into the one of the crate; a message that holds a value of any size is cut.
    pub(in crate::template) fn into_template_error(self) -> TemplateError {
        let Details { kind, mut message, line } = *self.0;
        if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS_MAX) {
            message.truncate(end);
            message.push('…');
        }
        match kind {
            Kind::Syntax => TemplateError::Syntax { message, line },
            Kind::Failed => TemplateError::Failed { message, line },
            Kind::Raised => TemplateError::Raised(message),
            Kind::Exhausted => TemplateError::Exhausted(message),
        }
    }
}

const MESSAGE_CHARS_MAX: usize = 2000;
