//! Weights that are floats.

use half::{bf16, f16};

use crate::buffer::Line;
use crate::format::Format;
use crate::tile::{LANES, TILE};

/// Writes the sums of the products of a group and rows of activations: within 256 columns one after the other, then
/// the sums of those.
pub(crate) fn multiply(
    format: Format,
    group: &[Line],
    inputs: &[f32],
    cols: usize,
    sums: &mut [[f32; LANES]],
) {
    for (input, sums) in inputs.chunks_exact(cols).zip(sums) {
        *sums = [0.0; LANES];
        for (tile, input) in input.chunks(TILE).enumerate() {
            let mut tile_sums = [0.0f32; LANES];
            for (column, &x) in input.iter().enumerate() {
                for (lane, sum) in tile_sums.iter_mut().enumerate() {
                    *sum = weight(format, group, tile * TILE + column, lane).mul_add(x, *sum);
                }
            }
            for (sum, tile_sum) in sums.iter_mut().zip(tile_sums) {
                *sum += tile_sum;
            }
        }
    }
}

/// Writes one row of a group.
pub(super) fn row(format: Format, group: &[Line], lane: usize, out: &mut [f32]) {
    for (column, out) in out.iter_mut().enumerate() {
        *out = weight(format, group, column, lane);
    }
}

#[inline]
fn weight(format: Format, group: &[Line], column: usize, lane: usize) -> f32 {
    let half = |pair: u32| (pair >> (16 * (column % 2))) as u16;
    match format {
        Format::F16 => f16::from_bits(half(group[column / 2].lane(lane))).to_f32(),
        Format::Bf16 => bf16::from_bits(half(group[column / 2].lane(lane))).to_f32(),
        _ => f32::from_bits(group[column].lane(lane)),
    }
}
