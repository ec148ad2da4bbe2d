//! Activations as the float kernels read them.

use half::bf16;

use crate::pool::Pool;

/// Rows of activations, interleaved in tiles of [`TILE`] rows: \[column]\[row of the tile].
///
/// A column of a tile lies together, so that a kernel follows one pointer instead of one for each row. An element is
/// 32 bits: one float, or a pair of BF16 values with the earlier column in the lower half. The last tile is as
/// narrow as the rows that are left; a single row lies as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct FloatRows {
    rows: usize,
    cols: usize,
    is_paired: bool,
    elements: Vec<u32>,
}

/// Rows that are interleaved.
pub(crate) const TILE: usize = 12;

impl FloatRows {
    /// Makes room for so many rows; what they hold is unspecified.
    pub(crate) fn shape(&mut self, rows: usize, cols: usize, is_paired: bool) {
        (self.rows, self.cols, self.is_paired) = (rows, cols, is_paired);
        self.elements.resize(rows * self.steps(), 0);
    }

    /// Fills the rows with those of `x`.
    ///
    /// # Panics
    ///
    /// When `x` is not as long as they are.
    pub(crate) fn fill(&mut self, x: &[f32], pool: &Pool) {
        let (cols, steps, is_paired) = (self.cols, self.steps(), self.is_paired);
        assert_eq!(x.len(), self.rows * cols, "activations for all rows");
        if x.is_empty() {
            return;
        }
        pool.for_chunks(&mut self.elements, TILE * steps, &|index, tile| {
            let width = tile.len() / steps;
            let x = &x[index * TILE * cols..][..width * cols];
            if is_paired {
                interleave(tile, width, |row, step| pair(&x[row * cols..(row + 1) * cols], step));
            } else {
                interleave(tile, width, |row, step| x[row * cols + step].to_bits());
            }
        });
    }

    /// Copies the rows that `rows` names from `source`, in that order.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    pub(crate) fn gather(&mut self, source: &Self, rows: &[u32]) {
        self.shape(rows.len(), source.cols, source.is_paired);
        let steps = self.steps();
        for first in (0..rows.len()).step_by(TILE) {
            let width = TILE.min(rows.len() - first);
            let tile = &mut self.elements[first * steps..(first + width) * steps];
            interleave(tile, width, |row, step| source.element(rows[first + row] as usize, step));
        }
    }

    /// Number of rows.
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    /// Activations in a row.
    pub(crate) const fn cols(&self) -> usize {
        self.cols
    }

    /// Whether an element is a pair of BF16 values.
    pub(crate) const fn is_paired(&self) -> bool {
        self.is_paired
    }

    /// Elements in a row.
    pub(crate) const fn steps(&self) -> usize {
        if self.is_paired { self.cols.div_ceil(2) } else { self.cols }
    }

    /// Returns the tile that begins with a row (a multiple of [`TILE`]), and its width.
    pub(crate) fn tile(&self, first: usize) -> (&[u32], usize) {
        let width = TILE.min(self.rows - first);
        (&self.elements[first * self.steps()..(first + width) * self.steps()], width)
    }

    /// Returns one element.
    pub(crate) fn element(&self, row: usize, step: usize) -> u32 {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        let (tile, width) = self.tile(row / TILE * TILE);
        tile[step * width + row % TILE]
    }
}

/// Fills a tile: a line of 16 steps of one row after the other, because rows whose length is a power of two would
/// evict each other from the cache if each step visited all of them.
#[inline(always)]
fn interleave(tile: &mut [u32], width: usize, element: impl Fn(usize, usize) -> u32) {
    for (line, steps) in tile.chunks_mut(16 * width).enumerate() {
        for row in 0..width {
            for (step, elements) in steps.chunks_exact_mut(width).enumerate() {
                elements[row] = element(row, line * 16 + step);
            }
        }
    }
}

/// Rounds two neighbours of a row to BF16; a missing one is zero.
fn pair(row: &[f32], step: usize) -> u32 {
    let second = row.get(2 * step + 1).map_or(0, |&x| bf16::from_f32(x).to_bits());
    u32::from(bf16::from_f32(row[2 * step]).to_bits()) | u32::from(second) << 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(rows: usize, cols: usize) -> Vec<f32> {
        (0..rows * cols).map(|i| i as f32).collect()
    }

    #[test]
    fn elements_are_found_again() {
        for rows in [1, 2, 11, 12, 13, 25] {
            let x = ramp(rows, 19);
            let mut packed = FloatRows::default();
            packed.shape(rows, 19, false);
            packed.fill(&x, &Pool::new(2));
            for (i, &value) in x.iter().enumerate() {
                assert_eq!(f32::from_bits(packed.element(i / 19, i % 19)), value);
            }
        }
    }

    #[test]
    fn an_odd_last_pair_ends_with_zero() {
        let mut packed = FloatRows::default();
        packed.shape(1, 3, true);
        packed.fill(&[1.0, -2.0, 3.0], &Pool::new(1));
        assert_eq!(packed.steps(), 2);
        assert_eq!(packed.element(0, 0), 0xC000_3F80);
        assert_eq!(packed.element(0, 1), 0x0000_4040);
    }

    #[test]
    fn gathered_rows_keep_their_order() {
        let (mut packed, mut chosen) = (FloatRows::default(), FloatRows::default());
        packed.shape(20, 33, false);
        packed.fill(&ramp(20, 33), &Pool::new(1));
        let rows: Vec<u32> = (0..15).map(|i| i * 7 % 20).collect();
        chosen.gather(&packed, &rows);
        for (i, &row) in rows.iter().enumerate() {
            for step in 0..33 {
                assert_eq!(chosen.element(i, step), packed.element(row as usize, step));
            }
        }
    }
}
