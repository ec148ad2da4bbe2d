//! Vector kernels on slices, with run-time dispatch and a scalar twin of each.
//!
//! A [`Cpu`] is a [`Level`] (the instructions that this machine was seen to have) and the threads that run them. Every
//! operation is a method of it, takes slices and splits itself over the threads. Weights are packed once, into a
//! [`Matrix`]; [`Activations`] are rounded once for all matrices that they are multiplied with.
//!
//! What it does not do: it knows no model, no tensor graph and no file format beyond the blocks of weights; it reads
//! neither the environment nor the clock; it opens no file.
//!
//! ```
//! use stack_kernels::{Activations, Cpu, Epilogue, Format, Level, Matrix, Product};
//!
//! let cpu = Cpu::new(Level::detect(), 1);
//! // Two rows of 32 weights: a scale of one half (as a 16-bit float) and 32 quants each.
//! let block = |quant: u8| [[0x00, 0x38].as_slice(), &[quant; 32]].concat();
//! let weights = Matrix::pack(&cpu, Format::Q8_0, 2, 32, &[block(1), block(2)].concat())?;
//!
//! let mut input = Activations::new();
//! cpu.quantize(weights.format().input(), &[127.0; 32], 32, &mut input);
//! let mut output = [0.0; 2];
//! cpu.multiply(&mut [Product { weights: &weights, input: &input, output: &mut output, epilogue: Epilogue::Set }]);
//! assert_eq!(output, [2032.0, 4064.0]);
//! # Ok::<(), stack_kernels::ShapeError>(())
//! ```
//!
//! Invariants:
//!
//! - A result depends on neither the number of threads nor on what else is in the batch, bit for bit.
//! - Vector kernels do what their scalar twins do, operation by operation; sums of integers are exact.
//! - Only this crate of the workspace holds `unsafe`, and a kernel runs only with a [`Level`] that proves that it can.
#![expect(
    clippy::inline_always,
    reason = "instructions are switched on at the entry of a kernel, not in its parts"
)]

mod cpu;
mod disjoint;
mod dispatch;
mod level;
mod pool;

mod activations;
mod buffer;
mod epilogue;
mod float;
mod format;
mod matrix;
mod multiply;
mod pack;
mod prefetch;
mod quantize;
mod tile;
mod unpacked_tile;

mod attention;
mod bandwidth;
mod elementwise;
mod kv;
mod moe;
mod norm;
mod rope;
mod softmax;

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod lanes;
mod scalar;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use activations::Activations;
pub use attention::{AttendSpan, AttentionParams};
pub use bandwidth::BandwidthProbe;
pub use cpu::Cpu;
pub use elementwise::Nonlinearity;
pub use epilogue::Epilogue;
pub use format::{Format, Input};
pub use kv::{KvLayout, KvSequence, KvSpan, KvType, LayerKv, PAGE_TOKENS};
pub use level::{Level, UnknownLevel};
pub use matrix::{LoadError, Matrix, ShapeError};
pub use moe::ExpertRows;
pub use multiply::Product;
pub use pool::Pool;
pub use prefetch::{PrefetchPolicy, PrefetchProbe};
pub use rope::{HeadNorm, Heads, Rope, RopeStyle};
