//! AVX2, FMA and F16C, with and without AVX-VNNI.

pub(crate) mod float;
