//! Softmax over rows.

use crate::cpu::Cpu;
use crate::lanes::{self, Kernel, LANES, Lanes, exp, load_part, store_part};

impl Cpu {
    /// Replaces each row of `width` by its softmax. Minus infinity takes no weight; at least one number is finite.
    ///
    /// # Panics
    ///
    /// When rows are incomplete.
    pub fn softmax(&self, x: &mut [f32], width: usize) {
        self.for_rows(x, width, Self::grain(width), |_, rows| {
            lanes::run(self.level(), Softmax { rows, width });
        });
    }
}

/// Replaces rows by their softmax.
struct Softmax<'a> {
    rows: &'a mut [f32],
    width: usize,
}

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        for row in self.rows.chunks_exact_mut(self.width) {
            let (chunks, tail) = row.as_chunks_mut::<LANES>();
            let mut largest = load_part(lanes, tail, f32::NEG_INFINITY);
            for chunk in &*chunks {
                largest = lanes.max(largest, lanes.load(chunk));
            }
            let largest = lanes.splat(lanes.largest(largest));
            let last = exp(lanes, lanes.sub(load_part(lanes, tail, f32::NEG_INFINITY), largest));
            store_part(lanes, last, tail);
            let mut sum = last;
            for chunk in &mut *chunks {
                let weight = exp(lanes, lanes.sub(lanes.load(chunk), largest));
                lanes.store(weight, chunk);
                sum = lanes.add(sum, weight);
            }
            let factor = 1.0 / lanes.sum(sum);
            for x in row {
                *x *= factor;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;

    #[test]
    fn rows_become_weights_at_every_level() {
        for width in [1, 5, 16, 33, 160] {
            let x: Vec<f32> = (0..3 * width).map(|i| ((i * 37) % 19) as f32 - 9.0).collect();
            for level in Level::available() {
                let mut found = x.clone();
                Cpu::new(level, 2).softmax(&mut found, width);
                for (x, found) in x.chunks_exact(width).zip(found.chunks_exact(width)) {
                    let total: f64 = x.iter().map(|&x| f64::from(x).exp()).sum();
                    for (&x, &found) in x.iter().zip(found) {
                        assert!((f64::from(found) - f64::from(x).exp() / total).abs() < 1e-6);
                    }
                }
            }
        }
    }
}
