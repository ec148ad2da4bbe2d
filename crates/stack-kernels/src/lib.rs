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
//! cpu.multiply(&mut [Product { weights: &weights, input: &input, output: &mut output, bias: None, epilogue: Epilogue::Set }]);
//! assert_eq!(output, [2032.0, 4064.0]);
//! # Ok::<(), stack_kernels::ShapeError>(())
//! ```
//!
//! Invariants:
//!
//! - A result depends on neither the number of threads nor on what else is in the batch, bit for bit.
//! - Vector kernels do what their scalar twins do, operation by operation; sums of integers are exact.
//! - Only this crate of the workspace holds `unsafe`, and a kernel runs only with a [`Level`] that proves that it can.
//! - A call allocates at most a list of its products or pages; the memory that it computes in is kept from one call to the
//!   next.
//!
//! # Reading it
//!
//! The modules below form layers, from the ground up: a module uses those of layers above its own line only, and a test
//! keeps it so. Begin with `tile`, the layout that everything about weights follows from, then `ops::multiply`, which
//! walks it; with `lanes`, then any other operation; or with `attention`, whose head is its algorithm.
//!
//! # Three ways to write a kernel
//!
//! Kernels meet instructions on three levels of abstraction, since they ask for different things:
//!
//! | abstraction | for | why |
//! | --- | --- | --- |
//! | `lanes`: `Lanes`, `Kernel` | norms, rotations, activations, softmax, attention: all that is not a product with weights | safe to write, one text for all levels; values are witnesses; what a new operation should use |
//! | `float`, `vector`: `Floats`, `Ints`, `Bytes`, `Vectors` | products with weights, on AVX2 and Arm; float weights everywhere | a level says how bytes are multiplied and how many sums its registers hold; pointers, because inner loops must not check bounds |
//! | `x86::avx512` | products with quantized weights on AVX-512 | one register is one group of weights, and 32 of them let several rows and tiles share each load: other loops, not other instructions |
//!
//! `Lanes` has no NEON: the compiler makes it from the loops of its scalar twin. Each of the three has a scalar twin, which
//! the tests compare it with at every level.
#![expect(
    clippy::inline_always,
    reason = "instructions are switched on at the entry of a kernel, not in its parts"
)]

mod buffer;
mod disjoint;
mod format;
mod level;
mod prefetch;

#[cfg(target_arch = "x86_64")]
mod cache;
mod pool;
mod tile;

mod float;
mod lanes;
mod unpacked_tile;

mod activations;
mod kv;
mod pack;
mod scratch;

mod attention;

mod cpu;

mod matrix;

mod kernels;

mod scalar;
mod vector;

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86;

mod dispatch;

mod ops;

mod probe;

pub use activations::Activations;
pub use attention::{AttendSpan, AttentionParams};
pub use cpu::Cpu;
pub use format::{Format, Input};
pub use kv::{KvLayout, KvSequence, KvSpan, KvType, LayerKv, PAGE_TOKENS};
pub use level::{Level, UnknownLevel};
pub use matrix::{LoadError, Matrix, ShapeError};
pub use ops::{Epilogue, ExpertRows, HeadNorm, Heads, Nonlinearity, Product, Rope, RopeStyle};
pub use pool::Pool;
pub use prefetch::PrefetchPolicy;
pub use probe::{BandwidthProbe, PrefetchProbe};
