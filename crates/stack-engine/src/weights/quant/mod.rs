//! Every tensor type, turned into f32 by scalar code that is obviously right.
//!
//! Fast kernels read the blocks directly; this is what they are compared with, and what runs where there is none. A
//! type is one function from the bytes of a block to its elements, so that no index can be wrong.

mod finite;
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

pub use finite::first_not_finite;

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

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "the results are exact")]

    use super::*;

    /// Each file has random blocks and what `gguf.quants` of the Python package `gguf` 0.19 makes of them.
    #[test]
    fn every_type_of_the_oracle_matches_it_exactly() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/quants");
        let mut compared = 0;
        for ty in TensorType::ALL {
            let Ok(file) = std::fs::read(format!("{folder}/{}.bin", ty.name())) else { continue };
            let blocks = file.len() / (ty.block_bytes() + 4 * ty.block_elements());
            let (bytes, expected) = file.split_at(blocks * ty.block_bytes());
            let mut out = vec![f32::NAN; blocks * ty.block_elements()];
            dequantize(ty, bytes, &mut out).unwrap();
            for (index, (found, expected)) in out.iter().zip(expected.as_chunks::<4>().0).enumerate() {
                let expected = f32::from_le_bytes(*expected);
                assert!(
                    found.to_bits() == expected.to_bits(),
                    "{ty} element {index}: {found} instead of {expected}"
                );
            }
            compared += 1;
        }
        assert_eq!(compared, 25);
    }

    #[test]
    fn long_tensors_are_the_same_in_parallel() {
        let blocks = 5000;
        let bytes: Vec<u8> =
            (0..blocks * 34).map(|n| if n % 34 == 1 { 60 } else { (n % 251) as u8 }).collect();
        let mut out = vec![0.0; blocks * 32];
        dequantize(TensorType::Q8_0, &bytes, &mut out).unwrap();
        for (block, out) in bytes.as_chunks::<34>().0.iter().zip(out.as_chunks::<32>().0) {
            let mut expected = [0.0; 32];
            legacy::q8_0(block, &mut expected);
            assert_eq!(out, &expected);
        }
    }

    #[test]
    fn integers_and_activations_are_converted() {
        let mut out = [0.0; 2];
        dequantize(TensorType::I16, &[0xFE, 0xFF, 3, 0], &mut out).unwrap();
        assert_eq!(out, [-2.0, 3.0]);
        let bytes: Vec<u8> = [0.25f64, -8.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        dequantize(TensorType::F64, &bytes, &mut out).unwrap();
        assert_eq!(out, [0.25, -8.0]);
        let mut block = [0; 292];
        block[..4].copy_from_slice(&0.5f32.to_le_bytes());
        (block[4], block[259]) = (2, 0xFF);
        let mut out = [0.0; 256];
        dequantize(TensorType::Q8_K, &block, &mut out).unwrap();
        assert_eq!((out[0], out[255]), (1.0, -0.5));
    }

    #[test]
    fn any_bytes_decode_and_wrong_lengths_are_errors() {
        for ty in TensorType::ALL {
            for byte in [0x00, 0x7F, 0x80, 0xFF] {
                let mut out = vec![0.0; 2 * ty.block_elements()];
                dequantize(ty, &vec![byte; 2 * ty.block_bytes()], &mut out).unwrap();
                assert!(dequantize(ty, &vec![byte; 2 * ty.block_bytes() - 1], &mut out).is_err());
            }
        }
    }
}
