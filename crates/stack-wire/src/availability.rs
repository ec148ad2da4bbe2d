//! Whether a model can be asked.

use stack_chat::ModelCard;

/// Whether a model can be asked now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Availability<'a> {
    /// It is being loaded.
    Loading,
    /// It answers.
    Ready(&'a ModelCard),
    /// It could not be loaded.
    Failed,
    /// It is loaded when somebody asks for it.
    Stored,
}
