//! The operations: methods of a [`Cpu`](crate::Cpu) that split themselves over its threads.

mod attention;
mod elementwise;
mod epilogue;
mod moe;
mod multiply;
mod norm;
mod quantize;
mod rope;
mod softmax;

pub use elementwise::Nonlinearity;
pub use epilogue::Epilogue;
pub use moe::ExpertRows;
pub use multiply::Product;
pub use rope::{HeadNorm, Heads, Rope, RopeStyle};
