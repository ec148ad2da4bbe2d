//! The end of a mixture of experts: each token's sum of what its experts returned.

use crate::cpu::Cpu;
use crate::lanes::{self, Kernel, LANES, Lanes};

/// Rows that experts returned, and how each token combines some of them.
#[derive(Clone, Copy, Debug)]
pub struct ExpertRows<'a> {
    /// The rows, as long as the sums.
    pub rows: &'a [f32],
    /// The weight of each row.
    pub weights: &'a [f32],
    /// The rows of each sum, as many for each, in the order in which they are added.
    pub indices: &'a [u32],
}

impl Cpu {
    /// Fills rows of `width` with weighted sums of others.
    ///
    /// # Panics
    ///
    /// When rows are incomplete, sums are not of equally many terms, or an index has no row or weight.
    pub fn moe_combine(&self, experts: ExpertRows<'_>, out: &mut [f32], width: usize) {
        let count = experts.indices.len() / (out.len() / width.max(1)).max(1);
        assert_eq!(count * out.len(), experts.indices.len() * width, "each sum has as many terms");
        self.for_rows(out, width, Self::grain(width * count), |first, out| {
            let indices = &experts.indices[first * count..][..out.len() / width * count];
            lanes::run(
                self.level(),
                Combine { experts: ExpertRows { indices, ..experts }, out, width, count },
            );
        });
    }
}

/// Computes some sums.
struct Combine<'a> {
    experts: ExpertRows<'a>,
    out: &'a mut [f32],
    width: usize,
    count: usize,
}

impl Kernel for Combine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { experts, out, width, count } = self;
        out.fill(0.0);
        if count == 0 {
            return;
        }
        for (indices, out) in experts.indices.chunks_exact(count).zip(out.chunks_exact_mut(width)) {
            for (term, &index) in indices.iter().enumerate() {
                let next = indices.get(term + 1).unwrap_or(&index);
                let [row, next] =
                    [index, *next].map(|index| &experts.rows[index as usize * width..][..width]);
                add(lanes, out, row, experts.weights[index as usize], next);
            }
        }
    }
}

/// Adds a row, times its weight, while the one that follows comes nearer: rows of different experts lie far apart.
#[inline(always)]
fn add<L: Lanes>(lanes: L, out: &mut [f32], row: &[f32], weight: f32, next: &[f32]) {
    let ((outs, out_tail), (rows, row_tail)) = (out.as_chunks_mut::<LANES>(), row.as_chunks::<LANES>());
    for ((out, row), next) in outs.iter_mut().zip(rows).zip(next.as_chunks::<LANES>().0) {
        lanes.prefetch(next);
        lanes.store(lanes.add(lanes.load(out), lanes.mul(lanes.splat(weight), lanes.load(row))), out);
    }
    for (out, x) in out_tail.iter_mut().zip(row_tail) {
        *out += weight * x;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;

    #[test]
    fn rows_are_weighted_and_added_at_every_level() {
        for width in [1, 16, 37] {
            let rows: Vec<f32> = (0..5 * width).map(|i| (i * 29 % 23) as f32 - 11.0).collect();
            let experts = ExpertRows {
                rows: &rows,
                weights: &[0.5, 2.0, -1.0, 0.25, 4.0],
                indices: &[4, 0, 1, 1, 2, 3],
            };
            for level in Level::available() {
                let mut out = vec![f32::NAN; 3 * width];
                Cpu::new(level, 2).moe_combine(experts, &mut out, width);
                for (out, indices) in out.chunks_exact(width).zip(experts.indices.chunks_exact(2)) {
                    for (column, &found) in out.iter().enumerate() {
                        let terms = indices.iter().map(|&index| {
                            experts.weights[index as usize] * rows[index as usize * width + column]
                        });
                        assert_eq!(found, terms.sum::<f32>(), "{level}");
                    }
                }
            }
        }
    }

    #[test]
    fn sums_of_nothing_are_zero() {
        let mut out = [f32::NAN; 4];
        let experts = ExpertRows { rows: &[], weights: &[], indices: &[] };
        Cpu::new(Level::detect(), 1).moe_combine(experts, &mut out, 2);
        assert_eq!(out, [0.0; 4]);
    }

    #[test]
    #[should_panic(expected = "as many terms")]
    fn sums_have_as_many_terms() {
        let experts = ExpertRows { rows: &[1.0; 6], weights: &[1.0; 3], indices: &[0, 1, 2] };
        Cpu::new(Level::detect(), 1).moe_combine(experts, &mut [0.0; 4], 2);
    }
}
