//! The update of an online softmax: from the scores of a tile to weights.

use std::ops::Range;

use super::online_softmax::larger;
use super::params::TILE;
use crate::lanes::{LANES, Lanes, exp};

/// The scores of one query vector in one tile, then their weights: sixteen positions at a time.
pub(super) type Tile = [[f32; LANES]; TILE / LANES];

/// The positions of a tile and those of them that are seen.
#[derive(Clone)]
pub(super) struct View {
    /// The position of its first token.
    pub(super) start: usize,
    /// The tokens that the query vector sees, counted from the first one: other scores may be anything.
    pub(super) seen: Range<usize>,
}

/// The modifiers of the scores of one query vector, in the order in which they apply.
#[derive(Clone, Copy)]
pub(super) struct ScoreModifiers {
    pub(super) softcap: Option<Softcap>,
    /// Multiplies the distance, which counts in both directions, negated.
    pub(super) slope: Option<f32>,
    /// The position of the query.
    pub(super) position: usize,
}

/// A bound of scores: c · tanh(x / c).
#[derive(Clone, Copy)]
pub(super) struct Softcap {
    cap: f32,
    /// 2 / c.
    steepness: f32,
}

impl Softcap {
    pub(super) fn new(cap: f32) -> Self {
        Self { cap, steepness: 2.0 / cap }
    }

    /// With tanh y = 1 − 2 / (1 + e²ʸ).
    #[inline(always)]
    fn apply<L: Lanes>(self, lanes: L, scores: L::F32) -> L::F32 {
        let doubled = exp(lanes, lanes.mul(scores, lanes.splat(self.steepness)));
        let rest = lanes.div(lanes.splat(-2.0), lanes.add(lanes.splat(1.0), doubled));
        lanes.fma(rest, lanes.splat(self.cap), lanes.splat(self.cap))
    }
}

/// Turns the scores of one query vector into weights relative to the largest score so far, adds them to `denominator`,
/// and returns the factor that rescales the sums of earlier tiles.
#[inline(always)]
pub(super) fn update<L: Lanes>(
    lanes: L,
    tile: &mut Tile,
    view: &View,
    modifiers: ScoreModifiers,
    max: &mut f32,
    denominator: &mut [f32; LANES],
) -> f32 {
    let View { start, seen } = view;
    let hidden = lanes.splat(f32::NEG_INFINITY);
    let mut top = hidden;
    for (page, kept) in tile.iter_mut().enumerate() {
        let mut scores = lanes.load(kept);
        if let Some(cap) = modifiers.softcap {
            scores = cap.apply(lanes, scores);
        }
        if let Some(slope) = modifiers.slope {
            let offsets = lanes.add(
                lanes.load(&COUNT),
                lanes.splat((*start + page * LANES) as f32 - modifiers.position as f32),
            );
            let negated = lanes.min(offsets, lanes.sub(lanes.splat(0.0), offsets));
            scores = lanes.fma(lanes.splat(slope), negated, scores);
        }
        let (first, end) = (page * LANES, page * LANES + LANES);
        if seen.start > first || seen.end < end {
            let positions = lanes.add(lanes.load(&COUNT), lanes.splat(first as f32));
            scores = lanes.select_less(positions, lanes.splat(seen.start as f32), hidden, scores);
            scores = lanes.select_less(positions, lanes.splat(seen.end as f32), scores, hidden);
        }
        lanes.store(scores, kept);
        top = lanes.max(top, scores);
    }
    let before = *max;
    *max = larger(lanes.largest(top), before);
    // Finite, so that the difference of two minus infinities is one.
    let finite = larger(*max, f32::MIN);
    let mut sum = lanes.load(denominator);
    let mut factor = 1.0;
    if *max > before {
        let change = exp(lanes, lanes.splat(before - finite));
        sum = lanes.mul(sum, change);
        let mut all = [0.0; LANES];
        lanes.store(change, &mut all);
        factor = all[0];
    }
    for kept in tile {
        let weight = exp(lanes, lanes.sub(lanes.load(kept), lanes.splat(finite)));
        lanes.store(weight, kept);
        sum = lanes.add(sum, weight);
    }
    lanes.store(sum, denominator);
    factor
}

const COUNT: [f32; LANES] =
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0];
