//! Kernels for AVX-512 with the integer dot product.
//!
//! A register holds sixteen rows of weights: one lane is one row. Every function here carries the same features, so
//! that they inline into one another; [`Avx512`] is where the features are known to be there.

mod accumulate;
mod block_format;
mod float;
mod gemv;
mod load;
mod quantize;
mod quants;
mod scales;
mod strips;
mod unpack;

use crate::activations::{BlockQ8_0, BlockQ8K};
use crate::buffer::Line;
use crate::float::FloatTask;
use crate::format::Format;
use crate::kernels::{Kernels, Operands};
use crate::level::{InstructionSet, Level};
use crate::tile::{self, LANES};
use crate::unpacked_tile::UnpackedTile;

/// The proof that this machine has the features of this module.
#[derive(Clone, Copy)]
pub(crate) struct Avx512 {
    /// Whether it has AVX512-BF16, too.
    has_bf16: bool,
}

impl Avx512 {
    /// Makes the proof from a level that was detected, if it is this one.
    pub(crate) fn new(level: Level) -> Option<Self> {
        (level.set() == InstructionSet::Avx512).then(|| Self { has_bf16: level.has_bf16() })
    }
}

impl Kernels for Avx512 {
    fn unpack(self, format: Format, tile: &[Line], blocks: usize, unpacked: &mut UnpackedTile) {
        // SAFETY: `self` proves that the machine has the features.
        unsafe { unpack::unpack(format, tile, blocks, unpacked) }
    }

    fn accumulate_q8_k(
        self,
        format: Format,
        tiles: &[UnpackedTile],
        inputs: &[BlockQ8K],
        sums: &mut [[f32; LANES]],
    ) {
        let compensation = tile::compensation(format).unwrap_or(0);
        // SAFETY: `self` proves that the machine has the features.
        unsafe {
            match (tile::has_halves(format), tile::has_mins(format)) {
                (false, false) => unpack::accumulate_q8_k::<false, false>(tiles, compensation, inputs, sums),
                (false, true) => unpack::accumulate_q8_k::<false, true>(tiles, compensation, inputs, sums),
                (true, false) => unpack::accumulate_q8_k::<true, false>(tiles, compensation, inputs, sums),
                (true, true) => unpack::accumulate_q8_k::<true, true>(tiles, compensation, inputs, sums),
            }
        }
    }

    fn accumulate_q8_0(
        self,
        format: Format,
        tiles: &[UnpackedTile],
        inputs: &[BlockQ8_0],
        sums: &mut [[f32; LANES]],
    ) {
        let compensation = tile::compensation(format).unwrap_or(0);
        // SAFETY: `self` proves that the machine has the features.
        unsafe {
            if tile::has_mins(format) {
                unpack::accumulate_q8_0::<true>(tiles, compensation, inputs, sums);
            } else {
                unpack::accumulate_q8_0::<false>(tiles, compensation, inputs, sums);
            }
        }
    }

    fn floats(self, task: &mut FloatTask<'_>) {
        if task.format == Format::Bf16 && self.has_bf16 {
            // SAFETY: `self` proves that the machine has the features, BF16 among them.
            return unsafe { float::multiply_pairs(task) };
        }
        // SAFETY: `self` proves that the machine has the features.
        unsafe { float::multiply_floats(task) }
    }

    fn gemv(self, operands: &Operands<'_>, _: &mut UnpackedTile, sums: &mut [[f32; LANES]]) -> bool {
        // SAFETY: `self` proves that the machine has the features.
        unsafe { gemv::multiply(operands, sums) }
    }

    fn quantize_q8_k(self, x: &[f32; 256], out: &mut BlockQ8K) {
        // SAFETY: `self` proves that the machine has the features.
        unsafe { quantize::quantize_q8_k(x, out) }
    }

    fn quantize_q8_0(self, x: &[f32; 256], out: &mut BlockQ8_0) {
        // SAFETY: `self` proves that the machine has the features.
        unsafe { quantize::quantize_q8_0(x, out) }
    }
}
