//! Partial results of a softmax and how they are joined.

use crate::kv::Line;
use crate::lanes::{LANES, Lanes, exp, store_part};

/// For each of some query vectors: the largest score so far, the sum of weights and the weighted sum of values, both
/// relative to it.
pub(super) struct Totals<'a> {
    pub(super) largest: &'a mut [f32],
    pub(super) weight: &'a mut [f32],
    /// `[vector][sixteen dimensions]`.
    pub(super) mixed: &'a mut [[f32; LANES]],
}

impl<'a> Totals<'a> {
    /// Views lines, as many as `Unit::totals_lines` says, as totals.
    #[inline(always)]
    pub(super) fn view(lines: &'a mut [Line], vectors: usize) -> Self {
        let (scalars, mixed) = Line::floats_mut(lines).split_at_mut(2 * vectors.div_ceil(LANES));
        let (largest, weight) = scalars.as_flattened_mut().split_at_mut(vectors.div_ceil(LANES) * LANES);
        Self { largest: &mut largest[..vectors], weight: &mut weight[..vectors], mixed }
    }

    #[inline(always)]
    pub(super) fn reset(&mut self) {
        self.largest.fill(f32::NEG_INFINITY);
        self.weight.fill(0.0);
        self.mixed.as_flattened_mut().fill(0.0);
    }

    /// Joins the totals of the positions that follow. A vector that sees none of them is left as it is, bit for bit.
    #[inline(always)]
    pub(super) fn merge<L: Lanes>(&mut self, lanes: L, later: &Totals<'_>) {
        let groups = self.mixed.len() / self.largest.len();
        let vectors = self.mixed.chunks_exact_mut(groups).zip(later.mixed.chunks_exact(groups));
        for (vector, (mixed, later_mixed)) in vectors.enumerate() {
            let (here, there) = (self.largest[vector], later.largest[vector]);
            let (keep, take) = shares(lanes, here, there);
            self.largest[vector] = larger(here, there);
            self.weight[vector] = self.weight[vector] * keep + later.weight[vector] * take;
            let (keep, take) = (lanes.splat(keep), lanes.splat(take));
            for (mixed, later) in mixed.iter_mut().zip(later_mixed) {
                let kept = lanes.mul(lanes.load(mixed), keep);
                lanes.store(lanes.fma(lanes.load(later), take, kept), mixed);
            }
        }
    }

    /// Joins a score that takes weight but adds nothing.
    #[inline(always)]
    pub(super) fn sink<L: Lanes>(&mut self, lanes: L, vector: usize, score: f32) {
        let (keep, take) = shares(lanes, self.largest[vector], score);
        self.largest[vector] = larger(self.largest[vector], score);
        self.weight[vector] = self.weight[vector] * keep + take;
        let groups = self.mixed.len() / self.largest.len();
        for mixed in &mut self.mixed[vector * groups..][..groups] {
            lanes.store(lanes.mul(lanes.load(mixed), lanes.splat(keep)), mixed);
        }
    }

    /// The weighted mean of the values of one vector; zeros if it sees nothing. It is stored past the caches if it
    /// `is_far`.
    ///
    /// # Safety
    ///
    /// [`Lanes::settle`] must be called before anybody reads or writes `out` again.
    #[inline(always)]
    pub(super) unsafe fn mean<L: Lanes>(&self, lanes: L, vector: usize, out: &mut [f32], is_far: bool) {
        let weight = self.weight[vector];
        let factor = if weight > 0.0 { 1.0 / weight } else { 0.0 };
        let groups = self.mixed.len() / self.largest.len();
        for (mixed, out) in self.mixed[vector * groups..][..groups].iter().zip(out.chunks_mut(LANES)) {
            // Adding 0 makes −0 into 0: the sign of a zero would tell how work was cut.
            let mean = lanes.fma(lanes.load(mixed), lanes.splat(factor), lanes.splat(0.0));
            match out.as_mut_array() {
                // SAFETY: the caller settles it.
                Some(out) if is_far => unsafe { lanes.store_far(mean, out) },
                _ => store_part(lanes, mean, out),
            }
        }
    }
}

/// What two sums are multiplied by once they are relative to the larger score.
#[inline(always)]
fn shares<L: Lanes>(lanes: L, here: f32, there: f32) -> (f32, f32) {
    // Finite, so that the difference of two minus infinities is one.
    let largest = larger(larger(here, there), f32::MIN);
    let mut pair = [0.0; LANES];
    pair[0] = here - largest;
    pair[1] = there - largest;
    let weights = exp(lanes, lanes.load(&pair));
    lanes.store(weights, &mut pair);
    (pair[0], pair[1])
}

#[inline(always)]
pub(super) fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}
