//! The model that is part of the program.

use stack_engine::weights::Files;

/// The name by which it is asked for.
pub(crate) const NAME: &str = stack_registry::choice::BUILT_IN;

/// Returns it. It needs no file, so the program answers wherever it lies.
pub(crate) fn files() -> Files {
    Files::memory("the default model", BYTES)
}

const BYTES: &[u8] = include_bytes!("../../../../models/default/stories.gguf");
