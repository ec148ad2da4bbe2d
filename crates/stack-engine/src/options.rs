//! How a model is loaded.

use jiff::Zoned;

use crate::executor::Placement;

/// How a model is loaded.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Where it runs.
    pub placement: Placement,
    /// Tokens that a sequence may hold; `None` = as many as the model was trained for and memory allows.
    pub context: Option<usize>,
    /// Bytes of memory that weights and caches may take together, measured before anything is loaded; `None` where the
    /// system does not say.
    pub memory_bytes: Option<u64>,
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
            memory_bytes: None,
            template: None,
            queue_max: 512,
            clock: Zoned::now,
        }
    }
}
