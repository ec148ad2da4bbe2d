//! The model that is part of the program.

use stack_engine::weights::{GgufFile, LoadError};

/// The name by which it is asked for.
pub(crate) const NAME: &str = "default";

/// Opens it. It needs no file, so the program answers wherever it lies.
pub(crate) fn open() -> Result<GgufFile, LoadError> {
    GgufFile::from_bytes("the default model", BYTES)
}

const BYTES: &[u8] = include_bytes!("../../../models/default/stories.gguf");
