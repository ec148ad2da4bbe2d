//! Queries and weights as whole numbers.

use super::TILE;
use super::softmax::Tile;
use crate::kv::WHOLE_MAX;
use crate::lanes::{LANES, Lanes, largest_magnitude, load_part};

/// The largest whole number of a query of this length: with keys of up to 2048, no score overflows 32 bits.
fn largest(length: usize) -> f32 {
    let largest = i32::MAX as usize / (KEY_MAX * length);
    largest.min(i16::MAX as usize) as f32
}

/// Rounds a query to whole numbers, pairs of dimensions in every `stride`th element of `to`, and returns what 1 stands
/// for.
#[inline(always)]
pub(super) fn round_query<L: Lanes>(lanes: L, query: &[f32], to: &mut [i32], stride: usize) -> f32 {
    let unit = largest_magnitude(lanes, query) / largest(query.len());
    let inverse = lanes.splat(inverse(unit));
    let mut places = to.iter_mut().step_by(stride);
    for x in query.chunks(LANES) {
        let mut pairs = [0; LANES / 2];
        lanes.store_neighbours(lanes.round(lanes.mul(load_part(lanes, x, 0.0), inverse)), &mut pairs);
        for (pair, place) in pairs.into_iter().zip(&mut places).take(x.len().div_ceil(2)) {
            *place = pair;
        }
    }
    unit
}

/// The weights of one query vector in one tile, as pairs of positions.
pub(super) type Pairs = [[i32; LANES / 2]; TILE / LANES];

/// Rounds weights, times the units of the values that they weight, to whole numbers and returns what 1 stands for.
#[inline(always)]
pub(super) fn round_weights<L: Lanes>(
    lanes: L,
    weights: &Tile,
    units: &[&[f32; LANES]; TILE / LANES],
    pairs: &mut Pairs,
) -> f32 {
    let zero = lanes.splat(0.0);
    let mut scaled = [zero; TILE / LANES];
    let mut top = zero;
    for ((scaled, weights), units) in scaled.iter_mut().zip(weights).zip(units) {
        *scaled = lanes.mul(lanes.load(weights), lanes.load(units));
        top = lanes.max(*scaled, top);
    }
    let unit = lanes.largest(top) / WEIGHT_MAX;
    let inverse = lanes.splat(inverse(unit));
    for (scaled, pairs) in scaled.into_iter().zip(pairs) {
        lanes.store_neighbours(lanes.round(lanes.mul(scaled, inverse)), pairs);
    }
    unit
}

/// What numbers are multiplied by to become whole ones: nothing if they are next to nothing.
fn inverse(unit: f32) -> f32 {
    if unit >= f32::MIN_POSITIVE { 1.0 / unit } else { 0.0 }
}

/// The largest whole number of a key or value, and one more from rounding twice.
const KEY_MAX: usize = WHOLE_MAX as usize + 1;

/// The largest whole number of a weight: with values of up to 2048, a sum over a tile does not overflow 32 bits.
const WEIGHT_MAX: f32 = (i32::MAX as usize / (KEY_MAX * TILE)) as f32;
