//! What a model is made of before it runs: metadata and tensors, whatever file they come from.
//!
//! A GGUF file and a `SafeTensors` directory both become a [`WeightSource`]: metadata under GGUF's key names, tensors
//! under GGUF's tensor names. Nothing after this module knows which of the two it was.

mod data;
mod error;
mod file;
mod files;
mod foreign;
pub mod gguf;
mod ledger;
mod metadata;
mod open;
mod quant;
mod safetensors;
mod source;
mod tensor;

pub use data::TensorData;
pub use error::{LoadError, LoadErrorKind};
pub use files::{Files, Opener};
pub use foreign::Foreign;
pub use gguf::GgufFile;
pub(crate) use ledger::Ledger;
pub use metadata::{Metadata, MetadataError, Value};
pub use open::open;
pub use quant::{dequantize, first_not_finite};
pub(crate) use safetensors::irrelevant_setting;
pub use safetensors::{SafeTensorsDir, SafeTensorsModel};
pub use source::WeightSource;
pub use tensor::{TensorInfo, TensorType, main_type};
