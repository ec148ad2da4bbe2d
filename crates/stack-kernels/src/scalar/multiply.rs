//! Products of unpacked tiles and rounded activations.

use crate::activations::{BlockQ8_0, BlockQ8K};
use crate::buffer::Line;
use crate::format::Format;
use crate::tile::{self, LANES};
use crate::unpacked_tile::UnpackedTile;

/// Adds the products of an unpacked tile and 256 columns of some rows, rounded with a scale per 256, to those rows' sums.
pub(crate) fn accumulate_q8_k(
    format: Format,
    unpacked: &UnpackedTile,
    inputs: &[BlockQ8K],
    sums: &mut [[f32; LANES]],
) {
    let per_block = if tile::has_halves(format) { 2 } else { 1 };
    for (input, sums) in inputs.iter().zip(sums) {
        let mut tile_sums = [0.0f32; LANES];
        for sub in 0..8 * per_block {
            let (block, half) = (sub / per_block, sub % per_block);
            let groups = 8 / per_block * half..8 / per_block * (half + 1);
            let compensation = tile::compensation(format).map_or(0, |index| input.compensation[index][sub]);
            let products = dot(
                compensation,
                &unpacked.quants[block][groups.clone()],
                &input.quants[8 * block..][groups],
            );
            for lane in 0..LANES {
                tile_sums[lane] =
                    (products[lane] as f32).mul_add(unpacked.scales[sub][lane], tile_sums[lane]);
            }
        }
        if tile::has_mins(format) {
            let pairs: &[i32] = if per_block == 2 { &input.sums_of_16 } else { &input.sums_of_32 };
            for lane in 0..LANES {
                let sum =
                    pairs.iter().zip(&unpacked.mins).map(|(&x, y)| dot_of_pairs(x, y[lane])).sum::<i32>();
                tile_sums[lane] = (-(sum as f32)).mul_add(unpacked.dmins[0][lane], tile_sums[lane]);
            }
        }
        for (sum, tile_sum) in sums.iter_mut().zip(tile_sums) {
            *sum = tile_sum.mul_add(input.scale, *sum);
        }
    }
}

/// Adds the products of an unpacked tile and its columns of some rows, rounded with a scale per 32, to those rows' sums.
pub(crate) fn accumulate_q8_0(
    format: Format,
    unpacked: &UnpackedTile,
    inputs: &[BlockQ8_0],
    sums: &mut [[f32; LANES]],
) {
    for (input, sums) in inputs.iter().zip(sums) {
        for block in 0..unpacked.blocks {
            let compensation = tile::compensation(format).map_or(0, |index| input.compensation[index][block]);
            let products = dot(compensation, &unpacked.quants[block], &input.quants[8 * block..]);
            for lane in 0..LANES {
                let scale = unpacked.scales[block][lane] * input.scales[block];
                sums[lane] = (products[lane] as f32).mul_add(scale, sums[lane]);
                if tile::has_mins(format) {
                    sums[lane] = unpacked.dmins[block][lane].mul_add(input.sums[block], sums[lane]);
                }
            }
        }
    }
}

/// Multiplies groups of four unsigned bytes in each lane with groups of four signed ones.
fn dot(compensation: i32, weights: &[Line], inputs: &[i32]) -> [i32; LANES] {
    let mut sums = [compensation; LANES];
    for (line, input) in weights.iter().zip(inputs) {
        let input = input.to_le_bytes().map(|byte| i32::from(byte as i8));
        for (sum, quants) in sums.iter_mut().zip(line.0.as_chunks::<4>().0) {
            for (&quant, input) in quants.iter().zip(input) {
                *sum += i32::from(quant) * input;
            }
        }
    }
    sums
}

/// Multiplies two pairs of 16-bit integers.
fn dot_of_pairs(x: i32, y: i32) -> i32 {
    let low = |pair: i32| i32::from(pair as i16);
    let high = |pair: i32| pair >> 16;
    low(x) * low(y) + high(x) * high(y)
}
