//! Kernels for x86 processors.

pub(crate) mod avx2;
pub(crate) mod avx512;
