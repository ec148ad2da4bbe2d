//! Streams as documents that leave the machine.

mod check;
mod json;
mod text;

pub use check::{CheckedExport, check};
use stack_seal::key::PublicKey;

use crate::log::FullEntry;
use crate::note::Checkpoint;
use crate::tree::Tree;

/// What an export looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// The form of the document.
    pub format: ExportFormat,
    /// Whether payloads stay behind. They are left out, never edited.
    pub withhold: bool,
}

/// The form of an exported document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExportFormat {
    /// JSON with bytes and proofs: it is checked without the log.
    #[default]
    Json,
    /// One line for each entry, for people.
    Text,
}

impl ExportFormat {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
        }
    }
}

/// Writes a document about entries that are all in the tree of the checkpoint.
pub(crate) fn document(
    key: &PublicKey,
    checkpoint: (&Checkpoint, &str),
    entries: &[FullEntry],
    levels: &Tree,
    options: ExportOptions,
) -> String {
    match options.format {
        ExportFormat::Json => json::document(key, checkpoint, entries, levels, options.withhold),
        ExportFormat::Text => text::document(entries, options.withhold),
    }
}

/// Writes entries of any streams for people, one line each with its index, control characters escaped.
pub fn lines(entries: &[FullEntry]) -> String {
    text::listed(entries)
}
