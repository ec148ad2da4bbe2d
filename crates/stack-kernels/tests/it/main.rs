//! Kernels as their users call them.

mod inputs;
mod packing;
mod products;
