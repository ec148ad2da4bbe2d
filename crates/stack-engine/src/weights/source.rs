//! The one interface to model files.

use std::fmt;

use super::{Files, Metadata, MetadataError, TensorData, TensorInfo};

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
}

/// Why a model cannot be loaded.
#[derive(Debug)]
pub struct LoadError {
    /// What was being read: a path, a tensor, a metadata key.
    pub subject: String,
    /// What is wrong with it, and where.
    pub problem: String,
    /// The failure behind it.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl LoadError {
    /// Makes an error without a cause.
    pub fn new(subject: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { subject: subject.into(), problem: problem.into(), source: None }
    }

    /// Makes an error with the failure behind it.
    pub fn caused(
        subject: impl Into<String>,
        problem: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { subject: subject.into(), problem: problem.into(), source: Some(source.into()) }
    }
}

impl From<MetadataError> for LoadError {
    fn from(error: MetadataError) -> Self {
        Self::new(format!("metadata key {}", error.key), error.problem)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.problem)
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|cause| &**cause as &(dyn std::error::Error + 'static))
    }
}
