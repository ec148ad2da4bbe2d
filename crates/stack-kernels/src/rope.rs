//! Rotary position embeddings (`RoFormer`, arXiv:2104.09864).

use crate::cpu::Cpu;
use crate::lanes::{self, Kernel, Lanes};

/// Which dimensions form a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopeStyle {
    /// i and i + r/2.
    Neox,
    /// 2i and 2i + 1.
    Norm,
}

/// Where the heads lie in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// The column where the rotated dimensions of the first head begin.
    pub first: usize,
    /// How many there are.
    pub count: usize,
    /// Columns from one head to the next.
    pub length: usize,
}

impl Cpu {
    /// Rotates the first `dimensions` of each head in each row of `stride`.
    ///
    /// `table` holds `dimensions` numbers for each row: the cosine of each pair's angle, then the sines.
    ///
    /// # Panics
    ///
    /// When shapes disagree or `dimensions` is odd.
    pub fn rope(
        &self,
        x: &mut [f32],
        stride: usize,
        heads: Heads,
        dimensions: usize,
        style: RopeStyle,
        table: &[f32],
    ) {
        if heads.count == 0 || dimensions == 0 {
            return;
        }
        assert!(dimensions.is_multiple_of(2), "dimensions are rotated in pairs");
        assert!(dimensions <= heads.length || heads.count == 1, "rotated dimensions lie in their head");
        let end = heads.first + (heads.count - 1) * heads.length + dimensions;
        assert!(end <= stride, "heads end at {end} in rows of {stride}");
        assert_eq!(x.len() / stride * dimensions, table.len(), "a table has a row for each row");
        self.for_rows(x, stride, Self::grain(stride), |first_row, rows| {
            let table = &table[first_row * dimensions..][..rows.len() / stride * dimensions];
            lanes::run(self.level(), Rotate { rows, stride, heads, dimensions, style, table });
        });
    }
}

/// Rotates the heads of some rows.
struct Rotate<'a> {
    rows: &'a mut [f32],
    stride: usize,
    heads: Heads,
    dimensions: usize,
    style: RopeStyle,
    table: &'a [f32],
}

impl Kernel for Rotate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        let Self { rows, stride, heads, dimensions, style, table } = self;
        for (row, table) in rows.chunks_exact_mut(stride).zip(table.chunks_exact(dimensions)) {
            let (cosines, sines) = table.split_at(dimensions / 2);
            for head in 0..heads.count {
                let head = &mut row[heads.first + head * heads.length..][..dimensions];
                match style {
                    RopeStyle::Neox => {
                        let (left, right) = head.split_at_mut(dimensions / 2);
                        for ((a, b), (cos, sin)) in left.iter_mut().zip(right).zip(cosines.iter().zip(sines))
                        {
                            (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
                        }
                    }
                    RopeStyle::Norm => {
                        let (pairs, _) = head.as_chunks_mut::<2>();
                        for ([a, b], (cos, sin)) in pairs.iter_mut().zip(cosines.iter().zip(sines)) {
                            (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;

    /// Two rows of one untouched column, three heads of six with four rotated, and one more column.
    #[test]
    fn heads_turn_and_nothing_else_does() {
        let heads = Heads { first: 1, count: 3, length: 6 };
        let (stride, dimensions) = (20, 4);
        let x: Vec<f32> = (0..2 * stride).map(|i| i as f32).collect();
        let angles = [[0.3f32, 1.1], [2.0, -0.7]];
        let table: Vec<f32> = angles
            .iter()
            .flat_map(|angles| angles.map(f32::cos).into_iter().chain(angles.map(f32::sin)))
            .collect();
        for style in [RopeStyle::Neox, RopeStyle::Norm] {
            let mut expected = x.clone();
            for (row, angles) in angles.iter().enumerate() {
                for head in 0..heads.count {
                    let start = row * stride + heads.first + head * heads.length;
                    for (pair, angle) in angles.iter().enumerate() {
                        let (a, b) = match style {
                            RopeStyle::Neox => (start + pair, start + pair + 2),
                            RopeStyle::Norm => (start + 2 * pair, start + 2 * pair + 1),
                        };
                        expected[a] = x[a] * angle.cos() - x[b] * angle.sin();
                        expected[b] = x[a] * angle.sin() + x[b] * angle.cos();
                    }
                }
            }
            for level in Level::available() {
                let mut found = x.clone();
                Cpu::new(level, 2).rope(&mut found, stride, heads, dimensions, style, &table);
                assert_eq!(found, expected, "{level} {style:?}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "heads end at")]
    fn heads_beyond_the_row_are_refused() {
        let heads = Heads { first: 4, count: 1, length: 8 };
        Cpu::new(Level::detect(), 1).rope(&mut [0.0; 8], 8, heads, 8, RopeStyle::Neox, &[0.0; 8]);
    }
}
