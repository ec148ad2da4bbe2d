//! Cosines and sines for the positions of one batch.

use stack_kernels::Cpu;

use super::arena::Buffer;
use super::grain::grain;
use crate::executor::batch::Span;
use crate::executor::load::Rope;

/// The cosines and sines of every rotation that a model uses, for the positions of one batch.
#[derive(Default)]
pub(crate) struct Tables {
    ropes: Vec<Rope>,
    filled: Vec<Buffer>,
    rows: usize,
}

impl Tables {
    pub(crate) fn new(ropes: Vec<Rope>) -> Self {
        let filled = ropes.iter().map(|_| Buffer::default()).collect();
        Self { ropes, filled, rows: 0 }
    }

    /// Computes the tables of a batch.
    pub(crate) fn fill(&mut self, cpu: &Cpu, spans: &[Span], rows: usize) {
        self.rows = rows;
        for (rope, table) in self.ropes.iter().zip(&mut self.filled) {
            let pairs = rope.frequencies.len();
            if pairs == 0 {
                continue;
            }
            let table = table.take(rows * 2 * pairs);
            for span in spans {
                let part = &mut table[span.start * 2 * pairs..][..span.len * 2 * pairs];
                cpu.for_rows(part, 2 * pairs, grain(32 * pairs), |first, rows| {
                    for (row, angles) in rows.chunks_exact_mut(2 * pairs).enumerate() {
                        rope.angles(span.position + first + row, angles);
                    }
                });
            }
        }
    }

    /// A rotation and its table: for each row the cosines of all pairs, then their sines.
    pub(crate) fn get(&self, rope: usize) -> (&Rope, &[f32]) {
        let found = &self.ropes[rope];
        (found, self.filled[rope].get(self.rows * 2 * found.frequencies.len()))
    }
}

impl Rope {
    fn angles(&self, position: usize, out: &mut [f32]) {
        let (cosines, sines) = out.split_at_mut(self.frequencies.len());
        for ((cosine, sine), &frequency) in cosines.iter_mut().zip(sines).zip(&self.frequencies) {
            // In f64: at position 100 000 an f32 angle is off by up to 0.004 radians.
            let (sin, cos) = (position as f64 * f64::from(frequency)).sin_cos();
            (*cosine, *sine) = (cos as f32 * self.magnitude, sin as f32 * self.magnitude);
        }
    }
}
