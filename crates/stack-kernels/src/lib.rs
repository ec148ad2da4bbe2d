//! Vector kernels on slices, with run-time dispatch and a scalar twin of each.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod activations;
mod buffer;
mod cpu;
mod disjoint;
mod dispatch;
mod float;
mod format;
mod level;
mod matrix;
mod multiply;
mod pack;
mod panel;
mod pool;
mod quantize;
mod scalar;
mod tile;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use activations::Activations;
pub use cpu::Cpu;
pub use format::{Format, Input};
pub use level::{Level, UnknownLevel};
pub use matrix::{LoadError, Matrix, ShapeError};
pub use multiply::{Product, Store};
pub use pool::Pool;
