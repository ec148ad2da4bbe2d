//! Rotary position embeddings (`RoFormer`, arXiv:2104.09864).

use super::norm::{Normalize, Rule};
use crate::cpu::Cpu;
use crate::lanes::{self, Kernel, LANES, Lanes, load_part, store_part};

/// The dimensions that form a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopeStyle {
    /// i and i + r/2.
    Neox,
    /// 2i and 2i + 1.
    Norm,
}

/// The columns of the heads in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// The column where the rotated dimensions of the first head begin.
    pub first: usize,
    /// The number of heads.
    pub count: usize,
    /// Columns from one head to the next.
    pub length: usize,
}

/// The rotation of heads.
#[derive(Clone, Copy, Debug)]
pub struct Rope<'a> {
    /// The heads.
    pub heads: Heads,
    /// The number of leading dimensions of each head that are rotated; it is even.
    pub dimensions: usize,
    /// Those of them that form pairs.
    pub style: RopeStyle,
    /// `dimensions` numbers for each row: the cosine of each pair's angle, then the sines.
    pub table: &'a [f32],
}

/// The `RMSNorm` of each head.
#[derive(Clone, Copy, Debug)]
pub struct HeadNorm<'a> {
    /// As long as a head, or as several that lie side by side.
    pub weight: Option<&'a [f32]>,
    /// A small number that is added to the mean square.
    pub epsilon: f32,
}

impl Cpu {
    /// Rotates heads in each row of `stride`.
    ///
    /// # Panics
    ///
    /// When shapes disagree or `dimensions` is odd.
    pub fn rope(&self, x: &mut [f32], stride: usize, rope: Rope<'_>) {
        let Rope { heads, dimensions, .. } = rope;
        if heads.count == 0 || dimensions == 0 {
            return;
        }
        rope.check(x, stride);
        self.for_rows(x, stride, Self::grain(stride), |first_row, rows| {
            lanes::run(self.level(), Rotate { rows, first_row, stride, rope });
        });
    }

    /// Normalizes heads that lie side by side, and rotates each few rows of them while they are near.
    ///
    /// # Panics
    ///
    /// When shapes disagree, heads do not fill their rows, or `dimensions` is odd.
    pub fn rms_norm_rope(&self, x: &mut [f32], norm: HeadNorm<'_>, rope: Rope<'_>) {
        let Heads { first, count, length } = rope.heads;
        if count == 0 || rope.dimensions == 0 {
            return self.rms_norm_in_place(x, length, norm.weight, norm.epsilon);
        }
        let (stride, rule) = (count * length, Rule::rms(norm.weight, norm.epsilon));
        assert_eq!(first, 0, "heads fill their rows");
        rope.check(x, stride);
        rule.check(length);
        self.for_rows(x, stride, Self::grain(stride), |first_row, rows| {
            let heads = Normalize { rows, first_row: first_row * count, width: length, rule };
            lanes::run(self.level(), heads);
            lanes::run(self.level(), Rotate { rows, first_row, stride, rope });
        });
    }
}

impl Rope<'_> {
    fn check(&self, x: &[f32], stride: usize) {
        let Self { heads, dimensions, table, .. } = *self;
        assert!(dimensions.is_multiple_of(2), "dimensions are rotated in pairs");
        assert!(dimensions <= heads.length || heads.count == 1, "rotated dimensions lie in their head");
        let end = heads.first + (heads.count - 1) * heads.length + dimensions;
        assert!(end <= stride, "heads end at {end} in rows of {stride}");
        assert_eq!(x.len() / stride * dimensions, table.len(), "a table has a row for each row");
    }
}

/// Rotates the heads of some rows.
struct Rotate<'a> {
    rows: &'a mut [f32],
    first_row: usize,
    stride: usize,
    rope: Rope<'a>,
}

impl Kernel for Rotate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { rows, first_row, stride, rope: Rope { heads, dimensions, style, table } } = self;
        let table = &table[first_row * dimensions..];
        for (row, table) in rows.chunks_exact_mut(stride).zip(table.chunks_exact(dimensions)) {
            let (cosines, sines) = table.split_at(dimensions / 2);
            for head in 0..heads.count {
                let head = &mut row[heads.first + head * heads.length..][..dimensions];
                match style {
                    RopeStyle::Neox => {
                        let (left, right) = head.split_at_mut(dimensions / 2);
                        rotate_halves(lanes, left, right, cosines, sines);
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

/// Rotates pairs of numbers at the same place of two slices. Left to itself the compiler does it one by one, since it
/// takes the halves of neighbouring heads for overlapping.
#[inline(always)]
fn rotate_halves<L: Lanes>(lanes: L, left: &mut [f32], right: &mut [f32], cosines: &[f32], sines: &[f32]) {
    let parts = left.chunks_mut(LANES).zip(right.chunks_mut(LANES));
    let turns = cosines.chunks(LANES).zip(sines.chunks(LANES));
    for ((left, right), (cosines, sines)) in parts.zip(turns) {
        let (a, b) = (load_part(lanes, left, 0.0), load_part(lanes, right, 0.0));
        let (cos, sin) = (load_part(lanes, cosines, 0.0), load_part(lanes, sines, 0.0));
        store_part(lanes, lanes.sub(lanes.mul(a, cos), lanes.mul(b, sin)), left);
        store_part(lanes, lanes.add(lanes.mul(a, sin), lanes.mul(b, cos)), right);
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
                let rope = Rope { heads, dimensions, style, table: &table };
                Cpu::new(level, 2).rope(&mut found, stride, rope);
                assert_eq!(found, expected, "{level} {style:?}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "heads end at")]
    fn heads_beyond_the_row_are_refused() {
        let heads = Heads { first: 4, count: 1, length: 8 };
        let rope = Rope { heads, dimensions: 8, style: RopeStyle::Neox, table: &[0.0; 8] };
        Cpu::new(Level::detect(), 1).rope(&mut [0.0; 8], 8, rope);
    }

    /// Sixty rows are several tasks.
    #[test]
    fn norm_and_rope_together_are_one_after_the_other() {
        let (rows, heads) = (60, Heads { first: 0, count: 5, length: 64 });
        let stride = heads.count * heads.length;
        let x: Vec<f32> = (0..rows * stride).map(|i| (i * 37 % 101) as f32 - 50.0).collect();
        let table: Vec<f32> = (0..rows * 48).map(|i| (i as f32).sin()).collect();
        let rope = Rope { heads, dimensions: 48, style: RopeStyle::Neox, table: &table };
        let weight: Vec<f32> = (0..stride).map(|i| 1.0 + i as f32 / 100.0).collect();
        for weight in [None, Some(&weight[..heads.length]), Some(&weight)] {
            let cpu = Cpu::new(Level::detect(), 2);
            let (mut together, mut apart) = (x.clone(), x.clone());
            cpu.rms_norm_rope(&mut together, HeadNorm { weight, epsilon: 1e-5 }, rope);
            cpu.rms_norm_in_place(&mut apart, heads.length, weight, 1e-5);
            cpu.rope(&mut apart, stride, rope);
            assert_eq!(together, apart);
        }
    }
}
