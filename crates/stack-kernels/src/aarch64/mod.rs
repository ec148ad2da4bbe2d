//! Kernels for 64-bit Arm processors.

#![expect(
    clippy::inline_always,
    reason = "so that they become part of a function that is compiled for the instructions"
)]

mod float;
mod integer;
mod products;

use products::{MatrixProducts, Products, Widening};

use crate::vector::kernels;

kernels! {
    /// The proof that this machine has vectors.
    Neon, Widening, "neon"
}

kernels! {
    /// The proof that this machine has vectors and the integer dot product.
    DotProd, Products, "neon,dotprod"
}

kernels! {
    /// The proof that this machine has vectors, the integer dot product and the integer matrix product.
    I8mm, MatrixProducts, "neon,dotprod,i8mm"
}
