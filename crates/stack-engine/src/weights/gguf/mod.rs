//! GGUF files: one header that says everything, then the tensors' data.
//!
//! [`parse`] is a pure function of bytes, so that it can be fuzzed; [`GgufFile`] feeds it from a file, or from the
//! several files that a large model is split into, and reads tensors at their positions.

mod cursor;
mod error;
mod file;
mod header;
mod layout;
mod shards;
mod value;

pub use error::GgufError;
pub use file::GgufFile;
pub use header::{Header, TensorEntry, parse};
