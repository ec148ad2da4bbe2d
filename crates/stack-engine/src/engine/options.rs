//! How a model is loaded.

use jiff::Zoned;

use super::templates;
use crate::executor::Placement;
use crate::weights::{LoadError, WeightSource};

/// How a model is loaded.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Where it runs.
    pub placement: Placement,
    /// Tokens that a sequence may hold; `None` = as many as the model was trained for and memory allows.
    pub context: Option<usize>,
    /// A chat template that replaces the model's own.
    pub template: Option<String>,
    /// Requests that may wait or run at once; more are refused.
    pub queue_max: usize,
    /// The time that templates show; the system's local time unless a test gives its own.
    pub clock: fn() -> Zoned,
}

impl Default for EngineOptions {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the clock enters; callers may give their own"
    )]
    fn default() -> Self {
        Self {
            placement: Placement::default(),
            context: None,
            template: None,
            queue_max: 512,
            clock: Zoned::now,
        }
    }
}

/// The chat template that a model brings along, and where it was found: in its metadata, or in a file beside it.
///
/// # Errors
///
/// When there is one that cannot be read.
pub fn own_template(source: &dyn WeightSource) -> Result<Option<(String, String)>, LoadError> {
    match source.metadata().text("tokenizer.chat_template")? {
        Some(stored) => Ok(Some(("the model's chat template".to_owned(), stored.to_owned()))),
        None => templates::beside(source.files()),
    }
}
