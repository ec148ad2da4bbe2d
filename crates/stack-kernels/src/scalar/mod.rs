//! The definition of every kernel, in plain Rust.
//!
//! Vector levels do the same operations in the same order, fused multiply-adds included, so that every level computes
//! the same numbers.

mod multiply;
mod quantize;
mod unpack;

use crate::activations::{BlockQ8_0, BlockQ8K};
use crate::buffer::Line;
use crate::float::{self, FloatTask};
use crate::format::Format;
use crate::kernels::{Kernels, Operands};
use crate::tile::LANES;
use crate::unpacked_tile::UnpackedTile;

/// The kernels that every machine has.
#[derive(Clone, Copy)]
pub(crate) struct Scalar;

impl Kernels for Scalar {
    fn unpack(self, format: Format, tile: &[Line], blocks: usize, unpacked: &mut UnpackedTile) {
        unpack::unpack(format, tile, blocks, unpacked);
    }

    fn accumulate_q8_k(
        self,
        format: Format,
        tiles: &[UnpackedTile],
        inputs: &[BlockQ8K],
        sums: &mut [[f32; LANES]],
    ) {
        for (unpacked, sums) in tiles.iter().zip(sums.chunks_exact_mut(inputs.len())) {
            multiply::accumulate_q8_k(format, unpacked, inputs, sums);
        }
    }

    fn accumulate_q8_0(
        self,
        format: Format,
        tiles: &[UnpackedTile],
        inputs: &[BlockQ8_0],
        sums: &mut [[f32; LANES]],
    ) {
        for (unpacked, sums) in tiles.iter().zip(sums.chunks_exact_mut(inputs.len())) {
            multiply::accumulate_q8_0(format, unpacked, inputs, sums);
        }
    }

    fn floats(self, task: &mut FloatTask<'_>) {
        float::scalar::multiply(task);
    }

    fn gemv(self, _: &Operands<'_>, _: &mut UnpackedTile, _: &mut [[f32; LANES]]) -> bool {
        false
    }

    fn quantize_q8_k(self, x: &[f32; 256], out: &mut BlockQ8K) {
        quantize::quantize_q8_k(x, out);
    }

    fn quantize_q8_0(self, x: &[f32; 256], out: &mut BlockQ8_0) {
        quantize::quantize_q8_0(x, out);
    }
}
