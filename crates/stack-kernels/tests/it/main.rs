//! Kernels as their users call them.

mod inputs;
mod layers;
mod levels;
mod packing;
mod products;
