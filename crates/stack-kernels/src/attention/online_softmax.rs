//! The state of an online softmax (arXiv:1805.02867) and how two of them are joined.

use crate::kv::Line;
use crate::lanes::{LANES, Lanes, exp, store_part};

/// The state of some query vectors: each one's largest score so far, and the sum of its weights and the weighted sum of
/// values, both relative to that score.
pub(super) struct OnlineSoftmax<'a> {
    pub(super) max: &'a mut [f32],
    pub(super) denominator: &'a mut [f32],
    /// `[vector][sixteen dimensions]`.
    pub(super) accumulator: &'a mut [[f32; LANES]],
}

impl<'a> OnlineSoftmax<'a> {
    /// Views lines, as many as `Unit::softmax_lines` says, as that.
    #[inline(always)]
    pub(super) fn view(lines: &'a mut [Line], vectors: usize) -> Self {
        let (scalars, accumulator) = Line::floats_mut(lines).split_at_mut(2 * vectors.div_ceil(LANES));
        let (max, denominator) = scalars.as_flattened_mut().split_at_mut(vectors.div_ceil(LANES) * LANES);
        Self { max: &mut max[..vectors], denominator: &mut denominator[..vectors], accumulator }
    }

    #[inline(always)]
    pub(super) fn reset(&mut self) {
        self.max.fill(f32::NEG_INFINITY);
        self.denominator.fill(0.0);
        self.accumulator.as_flattened_mut().fill(0.0);
    }

    /// Joins the state of the positions that follow. A vector that sees none of them is left as it is, bit for bit.
    #[inline(always)]
    pub(super) fn merge<L: Lanes>(&mut self, lanes: L, later: &OnlineSoftmax<'_>) {
        let groups = self.accumulator.len() / self.max.len();
        let vectors = self.accumulator.chunks_exact_mut(groups).zip(later.accumulator.chunks_exact(groups));
        for (vector, (accumulator, later_accumulator)) in vectors.enumerate() {
            let (here, there) = (self.max[vector], later.max[vector]);
            let (keep, take) = rescaling(lanes, here, there);
            self.max[vector] = larger(here, there);
            self.denominator[vector] = self.denominator[vector] * keep + later.denominator[vector] * take;
            let (keep, take) = (lanes.splat(keep), lanes.splat(take));
            for (accumulator, later) in accumulator.iter_mut().zip(later_accumulator) {
                let kept = lanes.mul(lanes.load(accumulator), keep);
                lanes.store(lanes.fma(lanes.load(later), take, kept), accumulator);
            }
        }
    }

    /// Joins a score that takes weight but adds nothing.
    #[inline(always)]
    pub(super) fn sink<L: Lanes>(&mut self, lanes: L, vector: usize, score: f32) {
        let (keep, take) = rescaling(lanes, self.max[vector], score);
        self.max[vector] = larger(self.max[vector], score);
        self.denominator[vector] = self.denominator[vector] * keep + take;
        let groups = self.accumulator.len() / self.max.len();
        for accumulator in &mut self.accumulator[vector * groups..][..groups] {
            lanes.store(lanes.mul(lanes.load(accumulator), lanes.splat(keep)), accumulator);
        }
    }

    /// The weighted mean of the values of one vector; zeros if it sees nothing. It is stored past the caches if it
    /// `is_streamed`.
    ///
    /// # Safety
    ///
    /// [`Lanes::sfence`] must be called before `out` is read or written again.
    #[inline(always)]
    pub(super) unsafe fn mean<L: Lanes>(&self, lanes: L, vector: usize, out: &mut [f32], is_streamed: bool) {
        let denominator = self.denominator[vector];
        let factor = if denominator > 0.0 { 1.0 / denominator } else { 0.0 };
        let groups = self.accumulator.len() / self.max.len();
        for (accumulator, out) in
            self.accumulator[vector * groups..][..groups].iter().zip(out.chunks_mut(LANES))
        {
            // Adding 0 makes −0 into 0: the sign of a zero would tell how the positions were cut.
            let mean = lanes.fma(lanes.load(accumulator), lanes.splat(factor), lanes.splat(0.0));
            match out.as_mut_array() {
                // SAFETY: the caller fences.
                Some(out) if is_streamed => unsafe { lanes.store_streaming(mean, out) },
                _ => store_part(lanes, mean, out),
            }
        }
    }
}

/// The factors that make two sums relative to the larger score.
#[inline(always)]
fn rescaling<L: Lanes>(lanes: L, here: f32, there: f32) -> (f32, f32) {
    // Finite, so that the difference of two minus infinities is one.
    let max = larger(larger(here, there), f32::MIN);
    let mut pair = [0.0; LANES];
    pair[0] = here - max;
    pair[1] = there - max;
    let weights = exp(lanes, lanes.load(&pair));
    lanes.store(weights, &mut pair);
    (pair[0], pair[1])
}

#[inline(always)]
pub(super) fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}
