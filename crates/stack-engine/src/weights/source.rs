//! The one interface to model files.

use std::borrow::Cow;

use super::{Files, LoadError, Metadata, TensorData, TensorInfo};

/// Metadata and tensors of one model, wherever they lie.
pub trait WeightSource: Send + Sync {
    /// Returns the metadata, under GGUF's keys.
    fn metadata(&self) -> &Metadata;

    /// Lists the tensors, in file order.
    fn tensors(&self) -> &[TensorInfo];

    /// Returns the description of one tensor.
    fn tensor(&self, name: &str) -> Option<&TensorInfo>;

    /// Returns the data of one tensor, to be read in parts, in the type that [`Self::tensor`] gives.
    ///
    /// May be called from several threads at once.
    fn data(&self, name: &str) -> Result<TensorData<'_>, LoadError>;

    /// Reads all data of one tensor into private memory.
    fn read(&self, name: &str) -> Result<Vec<u8>, LoadError> {
        self.data(name)?.into_bytes()
    }

    /// Returns the files that it is made of, and where their companions are.
    fn files(&self) -> &Files;

    /// Ends reading and returns the files, to be verified.
    fn into_files(self: Box<Self>) -> Files;

    /// Bytes of all files together.
    fn size_bytes(&self) -> u64;

    /// What the files call a tensor that is known under this name, or would be if they had it.
    fn name_in_files<'a>(&self, name: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(name)
    }
}
