//! Kernels as their users call them.

mod inputs;
mod levels;
mod packing;
mod products;
