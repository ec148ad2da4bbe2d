//! Kernels for AVX2, FMA and F16C, with and without the integer dot product.

#![expect(
    clippy::inline_always,
    reason = "so that they become part of a function that is compiled for the instructions"
)]

mod float;
mod integer;
mod products;

use products::{MultiplyAdd, Vnni};

use crate::vector::kernels;

kernels! {
    /// The proof that this machine has AVX2, FMA and F16C.
    Avx2, MultiplyAdd, "avx2,fma,f16c"
}

kernels! {
    /// The proof that this machine has AVX2, FMA, F16C and the integer dot product.
    AvxVnni, Vnni, "avx2,fma,f16c,avxvnni"
}
