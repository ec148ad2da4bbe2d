//! Weighted sums of rows, as a mixture of experts ends with.

use crate::cpu::Cpu;
use crate::lanes::{self, Kernel, LANES, Lanes};

/// What sums are made of.
#[derive(Clone, Copy, Debug)]
pub struct WeightedRows<'a> {
    /// Rows as long as the sums.
    pub rows: &'a [f32],
    /// The weight of each row.
    pub weights: &'a [f32],
    /// The rows of each sum, as many for each, in the order in which they are added.
    pub places: &'a [u32],
}

impl Cpu {
    /// Fills rows of `width` with weighted sums of others.
    ///
    /// # Panics
    ///
    /// When rows are incomplete, sums are not of equally many terms, or a place has no row or weight.
    pub fn weighted_sums(&self, terms: WeightedRows<'_>, out: &mut [f32], width: usize) {
        let count = terms.places.len() / (out.len() / width.max(1)).max(1);
        assert_eq!(count * out.len(), terms.places.len() * width, "each sum has as many terms");
        self.for_rows(out, width, Self::grain(width * count), |first, out| {
            let places = &terms.places[first * count..][..out.len() / width * count];
            lanes::run(self.level(), Sum { terms: WeightedRows { places, ..terms }, out, width, count });
        });
    }
}

/// Computes some sums.
struct Sum<'a> {
    terms: WeightedRows<'a>,
    out: &'a mut [f32],
    width: usize,
    count: usize,
}

impl Kernel for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { terms, out, width, count } = self;
        out.fill(0.0);
        if count == 0 {
            return;
        }
        for (places, out) in terms.places.chunks_exact(count).zip(out.chunks_exact_mut(width)) {
            for (term, &place) in places.iter().enumerate() {
                let next = places.get(term + 1).unwrap_or(&place);
                let [row, next] = [place, *next].map(|place| &terms.rows[place as usize * width..][..width]);
                add(lanes, out, row, terms.weights[place as usize], next);
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
            let terms = WeightedRows {
                rows: &rows,
                weights: &[0.5, 2.0, -1.0, 0.25, 4.0],
                places: &[4, 0, 1, 1, 2, 3],
            };
            for level in Level::available() {
                let mut out = vec![f32::NAN; 3 * width];
                Cpu::new(level, 2).weighted_sums(terms, &mut out, width);
                for (out, places) in out.chunks_exact(width).zip(terms.places.chunks_exact(2)) {
                    for (column, &found) in out.iter().enumerate() {
                        let terms = places.iter().map(|&place| {
                            terms.weights[place as usize] * rows[place as usize * width + column]
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
        let terms = WeightedRows { rows: &[], weights: &[], places: &[] };
        Cpu::new(Level::detect(), 1).weighted_sums(terms, &mut out, 2);
        assert_eq!(out, [0.0; 4]);
    }

    #[test]
    #[should_panic(expected = "as many terms")]
    fn sums_have_as_many_terms() {
        let terms = WeightedRows { rows: &[1.0; 6], weights: &[1.0; 3], places: &[0, 1, 2] };
        Cpu::new(Level::detect(), 1).weighted_sums(terms, &mut [0.0; 4], 2);
    }
}
