//! What every command returns: an error that knows its exit code and what to do about it.
//!
//! The libraries' errors become one here, each type in one place: [`agent`], [`audit`], [`engine`], [`registry`], [`transfer`],
//! [`trust`] and [`keys`] match every variant, so that a new one is given its exit code, reason and hint before it can happen.

mod agent;
pub(crate) mod audit;
mod engine;
mod keys;
mod load_hint;
mod registry;
mod transfer;
mod trust;

use std::error::Error;
use std::fmt::{self, Write};
use std::io;

use serde_json::{Value, json};

use crate::terminal::output::reorders;

/// An error that ends the program.
#[derive(Debug)]
pub(crate) struct CommandError {
    kind: Kind,
    reason: Option<&'static str>,
    message: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
    hint: Option<String>,
    /// What programs read beside the message.
    details: Option<Box<Value>>,
}

/// The kinds of errors; scripts see them as exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whoever read the output has seen enough (`stack … | head`), which is no error at all.
    OutputClosed,
    /// The machine: memory, disk, permissions, ports, devices.
    Machine,
    /// The command line or the request.
    Usage,
    /// A file that is not there.
    Missing,
    /// A file that is not what it should be.
    Malformed,
    /// Bytes that are not the ones that were signed, listed or asked for.
    Differs,
    /// Something that nobody whom the policy trusts vouches for.
    Untrusted,
    /// Something that is possible but not allowed.
    Refused,
    /// The network, or who is at its other end; a retry is safe.
    Network,
    /// Everything is busy.
    Busy,
    /// Something that no key at hand opens.
    Closed,
    /// More than fits.
    Limit,
    /// Something that was measured and is not good enough.
    BelowBar,
    /// The system does not hold the process as tightly as the tier demands.
    Unconfined,
    /// A defect of the program.
    Bug,
    /// Ctrl-C.
    Interrupted,
}

impl Kind {
    /// Returns the exit code.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Machine => 1,
            Self::Usage => 2,
            Self::Missing => 3,
            Self::Malformed => 4,
            Self::Differs => 5,
            Self::Untrusted => 6,
            Self::Refused => 7,
            Self::Network => 8,
            Self::Busy => 9,
            Self::Closed => 10,
            Self::Limit => 11,
            Self::BelowBar => 12,
            Self::Unconfined => 13,
            Self::Bug => 70,
            Self::Interrupted => 130,
        }
    }

    /// Returns the name of the kind, for programs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OutputClosed => "output-closed",
            Self::Machine => "machine",
            Self::Usage => "usage",
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Differs => "differs",
            Self::Untrusted => "untrusted",
            Self::Refused => "refused",
            Self::Network => "network",
            Self::Busy => "busy",
            Self::Closed => "closed",
            Self::Limit => "limit",
            Self::BelowBar => "below-bar",
            Self::Unconfined => "unconfined",
            Self::Bug => "bug",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The beginning of a hint that offers what may have been meant; empty where nothing is near.
pub(crate) fn did_you_mean(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("did you mean {}? ", near.join(" or ")) }
}

impl CommandError {
    /// Makes an error from a sentence without capital and full stop.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, reason: None, message: message.into(), cause: None, hint: None, details: None }
    }

    /// Adds the code that tells scripts more than the kind does: `error[bad-signature]: …`.
    pub(crate) fn reason(mut self, code: &'static str) -> Self {
        self.reason = Some(code);
        self
    }

    /// Adds the failure behind it.
    pub(crate) fn caused(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what programs read beside the message.
    pub(crate) fn details(mut self, details: Value) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// Makes an error from a failed attempt to read `what`.
    pub(crate) fn reading(what: impl fmt::Display, error: io::Error) -> Self {
        let kind = kind_of(&error);
        Self::new(kind, format!("{what} cannot be read"))
            .caused(error)
            .hint("check the path and the permissions")
    }

    /// Makes an error from a failed write of `what`, a small file that is not part of the store.
    pub(crate) fn writing_file(what: impl fmt::Display, error: io::Error) -> Self {
        Self::new(Kind::Machine, format!("{what} cannot be written")).reason("io").caused(error)
    }

    /// Makes an error from a failed write to stdout.
    pub(crate) fn writing(error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::BrokenPipe => Kind::OutputClosed,
            _ => Kind::Machine,
        };
        Self::new(kind, "the output cannot be written").caused(error)
    }

    /// Tells what sort of error it is.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the error itself, without causes and hint.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Returns the reason code, if there is one.
    pub(crate) fn code(&self) -> Option<&'static str> {
        self.reason
    }

    /// Whether nobody wants to hear of it.
    pub(crate) fn is_silent(&self) -> bool {
        match self.kind {
            Kind::OutputClosed => true,
            // Whoever pressed Ctrl-C knows that; what is left to say is what became of the work.
            Kind::Interrupted => self.hint.is_none(),
            _ => false,
        }
    }

    /// Returns the error and its causes on one line, for a warning.
    pub(crate) fn in_a_line(&self) -> String {
        let causes = self.causes().map(|cause| format!(": {cause}"));
        one_line(&[self.message.clone()].into_iter().chain(causes).collect::<String>())
    }

    /// Returns the error as programs read it: one JSON object.
    pub(crate) fn to_json(&self) -> Value {
        let causes: Vec<String> = self.causes().map(ToString::to_string).collect();
        let mut error = json!({
            "code": self.reason,
            "kind": self.kind.name(),
            "exit_code": self.kind.exit_code(),
            "message": self.message,
            "causes": causes,
            "hint": self.hint,
        });
        if let Some(details) = &self.details {
            error["details"] = Value::clone(details);
        }
        json!({ "error": error })
    }

    fn causes(&self) -> impl Iterator<Item = &dyn Error> {
        let first = self.cause.as_deref().map(|cause| cause as &dyn Error);
        std::iter::successors(first, |&error| error.source())
    }
}

/// The message, one line per cause, and the hint.
impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Kind::Interrupted, Some(hint)) = (self.kind, &self.hint) {
            return write!(f, "{}: {hint}", one_line(&self.message));
        }
        match self.reason {
            Some(code) => write!(f, "error[{code}]: {}", one_line(&self.message))?,
            None => write!(f, "error: {}", one_line(&self.message))?,
        }
        for cause in self.causes() {
            write!(f, "\n  caused by: {}", one_line(&cause.to_string()))?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Tells what sort of error the system's error is.
fn kind_of(error: &io::Error) -> Kind {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Kind::Missing,
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => Kind::Malformed,
        _ => Kind::Machine,
    }
}

/// The reason code of a file that cannot be read: its own where there is none.
fn missing_or_io(error: &io::Error, missing: &'static str) -> &'static str {
    if error.kind() == io::ErrorKind::NotFound { missing } else { "io" }
}

/// Makes hostile names and messages harmless: one line, nothing that a terminal obeys.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || reorders(character) {
            // Writing to a string cannot fail.
            let _infallible = write!(line, "{}", character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_and_the_hint_are_lines() {
        let error = CommandError::new(Kind::Machine, "the port 80 cannot be opened")
            .caused(io::Error::other("no permission"))
            .hint("choose another");
        let expected =
            "error: the port 80 cannot be opened\n  caused by: no permission\nhint: choose another";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_reason_code_stands_in_brackets_and_in_json() {
        let error = CommandError::new(Kind::Untrusted, "nobody knows the signer").reason("unknown-signer");
        assert_eq!(error.to_string(), "error[unknown-signer]: nobody knows the signer");
        let error = error.caused(io::Error::other("x")).hint("trust it").to_json();
        assert_eq!(error["error"]["code"], "unknown-signer");
        assert_eq!(error["error"]["exit_code"], 6);
        assert_eq!(error["error"]["causes"], json!(["x"]));
    }

    #[test]
    fn hostile_names_stay_on_their_line() {
        let error = CommandError::new(Kind::Malformed, "key \x1b[2J\nhint: rm");
        assert_eq!(error.to_string(), "error: key \\u{1b}[2J\\nhint: rm");
        let error = CommandError::new(Kind::Missing, "no model m\u{202e}x");
        assert_eq!(error.to_string(), "error: no model m\\u{202e}x");
    }
}
