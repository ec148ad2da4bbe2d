//! What goes wrong in the engine, as a command tells it.

use std::error::Error;
use std::io;

use stack_chat::{Domain, Failure, FailureKind};
use stack_engine::executor::ExecutorError;
use stack_engine::template::TemplateError;
use stack_engine::weights::{LoadError, LoadErrorKind};
use stack_seal::verified::Breach;

use super::load_hint::load_hint;
use super::{CommandError, Kind, kind_of};

impl From<LoadError> for CommandError {
    fn from(error: LoadError) -> Self {
        if let Some(breach) = cause::<Breach>(&error)
            && !matches!(breach, Breach::Io { .. } | Breach::Unusable(_))
        {
            let code =
                if matches!(breach, Breach::Length { .. }) { "length-mismatch" } else { "digest-mismatch" };
            let message = error.to_string();
            let hint = "download it again with `stack pull --update`, or from its original source";
            let differs = Self::new(Kind::Differs, message).reason(code).hint(hint);
            return Self { cause: error.source, ..differs };
        }
        let (kind, hint) = match cause::<io::Error>(&error).map(kind_of) {
            Some(Kind::Machine) => {
                (Kind::Machine, "check the permissions, and the free memory and disk space")
            }
            Some(Kind::Missing) if error.kind == LoadErrorKind::default() => {
                load_hint(LoadErrorKind::NotFound)
            }
            _ => load_hint(error.kind),
        };
        let message = error.to_string();
        Self { cause: error.source, ..Self::new(kind, message).hint(hint) }
    }
}

impl From<Failure> for CommandError {
    fn from(error: Failure) -> Self {
        let (kind, hint) = match (error.kind, error.kind.domain()) {
            (FailureKind::ContextExceeded, _) => {
                (Kind::Limit, Some("shorten the prompt, or raise the context length with --ctx"))
            }
            (FailureKind::QueueFull | FailureKind::Loading, _) => (Kind::Busy, Some("try again in a moment")),
            (_, Domain::Caller) => (Kind::Usage, None),
            (_, Domain::Policy | Domain::Provider | Domain::Gateway) => {
                (Kind::Machine, Some("STACK_LOG=debug shows more; `stack doctor` describes the machine"))
            }
        };
        let error = Self::new(kind, error.cause.unwrap_or(error.message));
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl From<TemplateError> for CommandError {
    fn from(error: TemplateError) -> Self {
        let (kind, hint) = match &error {
            TemplateError::Exhausted(_) => {
                (Kind::Limit, "the template may not terminate; use another one with --template")
            }
            TemplateError::Syntax { .. } => (Kind::Malformed, "use another template with --template"),
            _ => (Kind::Malformed, "the template does not accept this conversation"),
        };
        Self::new(kind, error.to_string()).hint(hint)
    }
}

impl From<ExecutorError> for CommandError {
    fn from(error: ExecutorError) -> Self {
        let (kind, hint) = match &error {
            ExecutorError::UnknownToken { .. } => {
                (Kind::Usage, "`stack tokenize` prints the token ids of a text")
            }
            ExecutorError::ContextFull { .. } => (Kind::Limit, "give fewer tokens"),
            ExecutorError::Device(_) => (Kind::Machine, "`stack doctor` describes the machine"),
        };
        let message = error.to_string();
        let error = match error {
            ExecutorError::Device(cause) => Self::new(kind, message).caused(cause),
            _ => Self::new(kind, message),
        };
        error.hint(hint)
    }
}

/// Finds an error of this type among the causes.
fn cause<E: Error + 'static>(error: &LoadError) -> Option<&E> {
    let mut cause = error.source.as_deref().map(|cause| cause as &(dyn Error + 'static));
    while let Some(current) = cause {
        // Readers wrap what they meet into errors of the system.
        let wrapped =
            current.downcast_ref::<io::Error>().and_then(|error| error.get_ref()?.downcast_ref::<E>());
        if let Some(found) = wrapped.or_else(|| current.downcast_ref::<E>()) {
            return Some(found);
        }
        cause = current.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_and_a_wrong_one_differ() {
        let missing = LoadError::caused("x", "cannot be opened", io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(CommandError::from(missing).kind(), Kind::Missing);
        let denied =
            LoadError::caused("x", "cannot be opened", io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!(CommandError::from(denied).kind(), Kind::Machine);
        assert_eq!(CommandError::from(LoadError::new("x", "is not GGUF")).kind(), Kind::Malformed);
    }
}
