//! Queries and weights as whole numbers.

use super::params::TILE;
use super::softmax::Tile;
use crate::kv::WHOLE_MAX;
use crate::lanes::{LANES, Lanes, largest_magnitude, load_part};

/// The largest whole number of a query of this length: with keys of up to 2048, no score overflows 32 bits.
fn largest(length: usize) -> f32 {
    let largest = i32::MAX as usize / (KEY_MAX * length);
    largest.min(i16::MAX as usize) as f32
}

/// Rounds a query to whole numbers, pairs of dimensions in every `stride`th element of `to`, and returns their
/// scale.
#[inline(always)]
pub(super) fn round_query<L: Lanes>(lanes: L, query: &[f32], to: &mut [i32], stride: usize) -> f32 {
    let scale = largest_magnitude(lanes, query) / largest(query.len());
    let inverse = lanes.splat(inverse(scale));
    let mut places = to.iter_mut().step_by(stride);
    for x in query.chunks(LANES) {
        let mut pairs = [0; LANES / 2];
        lanes.store_neighbours(lanes.round(lanes.mul(load_part(lanes, x, 0.0), inverse)), &mut pairs);
        for (pair, place) in pairs.into_iter().zip(&mut places).take(x.len().div_ceil(2)) {
            *place = pair;
        }
    }
    scale
}

/// The weights of one query vector in one tile, as pairs of positions.
pub(super) type WeightPairs = [[i32; LANES / 2]; TILE / LANES];

/// Rounds weights, times the scales of the values that they weight, to whole numbers and returns their scale.
#[inline(always)]
pub(super) fn round_weights<L: Lanes>(
    lanes: L,
    weights: &Tile,
    scales: &[&[f32; LANES]; TILE / LANES],
    pairs: &mut WeightPairs,
) -> f32 {
    let zero = lanes.splat(0.0);
    let mut scaled = [zero; TILE / LANES];
    let mut top = zero;
    for ((scaled, weights), scales) in scaled.iter_mut().zip(weights).zip(scales) {
        *scaled = lanes.mul(lanes.load(weights), lanes.load(scales));
        top = lanes.max(*scaled, top);
    }
    let scale = lanes.largest(top) / WEIGHT_MAX;
    let inverse = lanes.splat(inverse(scale));
    for (scaled, pairs) in scaled.into_iter().zip(pairs) {
        lanes.store_neighbours(lanes.round(lanes.mul(scaled, inverse)), pairs);
    }
    scale
}

/// The factor that makes whole numbers of numbers: zero if they are next to nothing.
fn inverse(scale: f32) -> f32 {
    if scale >= f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 }
}

/// The largest whole number of a key or value, and one more from rounding twice.
const KEY_MAX: usize = WHOLE_MAX as usize + 1;

/// The largest whole number of a weight: with values of up to 2048, a sum over a tile does not overflow 32 bits.
const WEIGHT_MAX: f32 = (i32::MAX as usize / (KEY_MAX * TILE)) as f32;
