//! Vector kernels on slices, with run-time dispatch and a scalar twin of each.
#![expect(
    clippy::inline_always,
    reason = "instructions are switched on at the entry of a kernel, not in its parts"
)]

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod activations;
mod attention;
mod buffer;
mod cpu;
mod disjoint;
mod dispatch;
mod elementwise;
mod float;
mod format;
mod kv;
mod lanes;
mod level;
mod matrix;
mod multiply;
mod norm;
mod pack;
mod panel;
mod pool;
mod quantize;
mod rope;
mod scalar;
mod softmax;
mod tile;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use activations::Activations;
pub use attention::{AttendSpan, AttentionRules};
pub use cpu::Cpu;
pub use elementwise::Nonlinearity;
pub use format::{Format, Input};
pub use kv::{KvLayout, KvSequence, KvSpan, KvType, LayerKv, PAGE_TOKENS};
pub use level::{Level, UnknownLevel};
pub use matrix::{LoadError, Matrix, ShapeError};
pub use multiply::{Product, Store};
pub use pool::Pool;
pub use rope::{Heads, RopeStyle};
