//! `SafeTensors` directories, as Hugging Face lays them out.
//!
//! [`SafeTensorsDir`] is the directory as it is: configuration, and tensors under their own names.
//! [`SafeTensorsModel`] is the same as a [`WeightSource`](super::WeightSource): metadata and tensors come out under the
//! names, and in the order of rows, that llama.cpp's conversion to GGUF would give them. Nothing is written, and a
//! tensor is read when it is asked for.

mod config;
mod dir;
mod family;
mod header;
mod irrelevant;
mod keys;
mod model;
mod names;
mod recipe;
mod recipes;
mod rope;
mod settings;
mod windows;

pub use dir::SafeTensorsDir;
pub(crate) use irrelevant::setting as irrelevant_setting;
pub use model::SafeTensorsModel;
