//! Every tensor type, turned into f32 by scalar code that is obviously right.
//!
//! Fast kernels read the blocks directly; this is what they are compared with, and what runs where there is none. A
//! type is one function from the bytes of a block to its elements, so that no index can be wrong.

mod fp4;
mod grids;
mod iq1;
mod iq2;
mod iq3;
mod iq4;
mod k;
mod legacy;
mod plain;
mod ternary;

use half::f16;
use rayon::prelude::*;

use super::{LoadError, TensorType};

/// Turns the blocks of a tensor into elements.
///
/// NVFP4 comes out without the factor of its companion tensor `NAME.scale`. Integers are converted, not scaled.
///
/// # Errors
///
/// When `bytes` are not what `out.len()` elements of this type take.
pub fn dequantize(ty: TensorType, bytes: &[u8], out: &mut [f32]) -> Result<(), LoadError> {
    if ty.bytes_for(out.len() as u64) != Some(bytes.len() as u64) {
        let problem = format!("{} bytes are not {} elements", bytes.len(), out.len());
        return Err(LoadError::new(format!("tensor data of type {ty}"), problem));
    }
    match ty {
        TensorType::F32 => each(bytes, out, plain::f32),
        TensorType::F64 => each(bytes, out, plain::f64),
        TensorType::F16 => each(bytes, out, plain::f16),
        TensorType::BF16 => each(bytes, out, plain::bf16),
        TensorType::I8 => each(bytes, out, plain::i8),
        TensorType::I16 => each(bytes, out, plain::i16),
        TensorType::I32 => each(bytes, out, plain::i32),
        TensorType::I64 => each(bytes, out, plain::i64),
        TensorType::Q4_0 => each(bytes, out, legacy::q4_0),
        TensorType::Q4_1 => each(bytes, out, legacy::q4_1),
        TensorType::Q5_0 => each(bytes, out, legacy::q5_0),
        TensorType::Q5_1 => each(bytes, out, legacy::q5_1),
        TensorType::Q8_0 => each(bytes, out, legacy::q8_0),
        TensorType::Q8_1 => each(bytes, out, legacy::q8_1),
        TensorType::Q1_0 => each(bytes, out, legacy::q1_0),
        TensorType::Q2_0 => each(bytes, out, legacy::q2_0),
        TensorType::Q2_K => each(bytes, out, k::q2),
        TensorType::Q3_K => each(bytes, out, k::q3),
        TensorType::Q4_K => each(bytes, out, k::q4),
        TensorType::Q5_K => each(bytes, out, k::q5),
        TensorType::Q6_K => each(bytes, out, k::q6),
        TensorType::Q8_K => each(bytes, out, k::q8),
        TensorType::IQ1_S => each(bytes, out, iq1::s),
        TensorType::IQ1_M => each(bytes, out, iq1::m),
        TensorType::IQ2_XXS => each(bytes, out, iq2::xxs),
        TensorType::IQ2_XS => each(bytes, out, iq2::xs),
        TensorType::IQ2_S => each(bytes, out, iq2::s),
        TensorType::IQ3_XXS => each(bytes, out, iq3::xxs),
        TensorType::IQ3_S => each(bytes, out, iq3::s),
        TensorType::IQ4_NL => each(bytes, out, iq4::nl),
        TensorType::IQ4_XS => each(bytes, out, iq4::xs),
        TensorType::TQ1_0 => each(bytes, out, ternary::tq1_0),
        TensorType::TQ2_0 => each(bytes, out, ternary::tq2_0),
        TensorType::MXFP4 => each(bytes, out, fp4::mxfp4),
        TensorType::NVFP4 => each(bytes, out, fp4::nvfp4),
    }
    Ok(())
}

/// Decodes each block of `BYTES` bytes into `N` elements, in parallel where there are many.
fn each<const BYTES: usize, const N: usize>(
    bytes: &[u8],
    out: &mut [f32],
    decode: impl Fn(&[u8; BYTES], &mut [f32; N]) + Sync,
) {
    let (blocks, _) = bytes.as_chunks::<BYTES>();
    let (outs, _) = out.as_chunks_mut::<N>();
    let run = (PARALLEL_ELEMENTS / N).max(1);
    if blocks.len() <= run {
        blocks.iter().zip(outs).for_each(|(block, out)| decode(block, out));
        return;
    }
    blocks.par_chunks(run).zip(outs.par_chunks_mut(run)).for_each(|(blocks, outs)| {
        blocks.iter().zip(outs).for_each(|(block, out)| decode(block, out));
    });
}

/// Reads the half-precision number at a position of a block.
fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_bits(u16_at(block, at)).to_f32()
}

fn u16_at(block: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([block[at], block[at + 1]])
}

fn u32_at(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

/// Work that is worth handing to another thread.
const PARALLEL_ELEMENTS: usize = 1 << 15;
