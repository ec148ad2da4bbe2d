//! Vector kernels on slices, with run-time dispatch and a scalar twin of each.

mod cpu;
mod disjoint;
mod level;
mod pool;

pub use cpu::Cpu;
pub use level::{Level, UnknownLevel};
pub use pool::Pool;
