//! What is wrong with a configuration.

use std::fmt;
use std::path::PathBuf;

use crate::error::{CommandError, Kind};

/// One thing that is wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// What is wrong there.
    pub(crate) what: String,
}

/// Why there is no configuration.
#[derive(Clone, Debug)]
pub(crate) enum ConfigError {
    /// The file has problems.
    Bad { path: PathBuf, problems: Vec<Problem> },
    /// A file of the name that the configuration once had is there, and would not be read.
    FormerName { former: PathBuf, path: PathBuf },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Bad { path, problems } => {
                let first = problems.first().map(ToString::to_string).unwrap_or_default();
                let further = match problems.len().saturating_sub(1) {
                    0 => String::new(),
                    1 => ", and one more problem".to_owned(),
                    more => format!(", and {more} more problems"),
                };
                Self::new(Kind::Malformed, format!("{}, {first}{further}", path.display()))
                    .reason("bad-config")
                    .hint("`stack config check` lists every problem; \"Configuration\" in the book lists the keys")
            }
            ConfigError::FormerName { former, path } => {
                let message = format!("{} is no longer read", former.display());
                Self::new(Kind::Malformed, message).reason("bad-config").hint(format!(
                    "the configuration is {} now, with the same sections: move what is in the old file there, and \
                     delete it",
                    path.display()
                ))
            }
        }
    }
}
