//! Vector kernels on slices, with run-time dispatch and a scalar twin of each.
#![expect(
    clippy::inline_always,
    reason = "instructions are switched on at the entry of a kernel, not in its parts"
)]

mod attention;
mod cpu;
mod disjoint;
mod elementwise;
mod kv;
mod lanes;
mod level;
mod norm;
mod pool;
mod rope;
mod softmax;

pub use attention::{AttendSpan, AttentionRules};
pub use cpu::Cpu;
pub use elementwise::Nonlinearity;
pub use kv::{KvLayout, KvSequence, KvSpan, KvType, LayerKv, PAGE_TOKENS};
pub use level::{Level, UnknownLevel};
pub use pool::Pool;
pub use rope::{Heads, RopeStyle};
