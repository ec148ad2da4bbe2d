//! What is measured: one model, thread count and kind of work.

use std::fmt;
use std::path::{Path, PathBuf};

/// One row of the table.
pub(crate) struct Point {
    pub(crate) model: PathBuf,
    pub(crate) threads: u32,
    pub(crate) work: Work,
}

/// What both sides do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Computes a prompt behind `depth` tokens.
    Prefill { tokens: u32, depth: u32 },
    /// Generates for one sequence behind `depth` tokens.
    Decode { tokens: u32, depth: u32 },
    /// Generates for several sequences together, each behind `prompt` tokens.
    Batch { sequences: u32, prompt: u32, tokens: u32 },
    /// Starts the process, loads the model and generates one token.
    Start,
}

impl Point {
    pub(crate) fn new(model: &Path, threads: u32, work: Work) -> Self {
        Self { model: model.to_owned(), threads, work }
    }

    /// Returns the model's file name.
    pub(crate) fn model_name(&self) -> String {
        self.model.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} threads, {}", self.model_name(), self.threads, self.work)
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefill { tokens, depth } => write!(f, "prefill {tokens} @ {depth}"),
            Self::Decode { tokens, depth } => write!(f, "decode {tokens} @ {depth}"),
            Self::Batch { sequences, tokens, .. } => write!(f, "decode {tokens} × {sequences}"),
            Self::Start => f.write_str("starts per second"),
        }
    }
}
