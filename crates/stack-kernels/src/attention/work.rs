//! The memory that one unit of work computes in.

use super::plan::Unit;
use super::query::Pairs;
use super::softmax::Tile;
use super::totals::Totals;
use super::{AttentionRules, TILE};
use crate::kv::Line;
use crate::lanes::LANES;

/// All of it.
pub(super) struct Memory<'a> {
    pub(super) work: Work<'a>,
    /// Of one chunk of positions.
    pub(super) chunk: Totals<'a>,
    /// Of all chunks.
    pub(super) all: Totals<'a>,
}

/// What tiles are computed in.
pub(super) struct Work<'a> {
    pub(super) vectors: Vectors<'a>,
    /// The keys of a tile, then its values.
    pub(super) panel: &'a mut [[i32; LANES]],
}

/// What belongs to each query vector.
pub(super) struct Vectors<'a> {
    /// Whole numbers, two dimensions each, in blocks of `[pair of dimensions][vector]`.
    pub(super) queries: &'a mut [i32],
    /// What 1 stands for in each query, scaled.
    pub(super) units: &'a mut [f32],
    /// Scores in a tile, then weights.
    pub(super) scores: &'a mut [Tile],
    /// Weights as whole numbers.
    pub(super) pairs: &'a mut [Pairs],
    /// What 1 stands for in them.
    pub(super) weight_units: &'a mut [f32],
    /// What the sums of earlier tiles are multiplied by.
    pub(super) factors: &'a mut [f32],
    /// Sums of weights in a chunk, by lane.
    pub(super) weights: &'a mut [[f32; LANES]],
}

/// How many lines it takes, by what they hold.
struct Lines {
    queries: usize,
    scores: usize,
    pairs: usize,
    /// One number for each vector.
    scalars: usize,
    panel: usize,
    totals: usize,
}

impl Lines {
    fn new(rules: &AttentionRules<'_>, unit: &Unit) -> Self {
        let vectors = unit.vectors(rules);
        let keys = rules.key_length.div_ceil(2) * (TILE / LANES);
        let values = rules.value_length.div_ceil(LANES) * (TILE / 2);
        Self {
            queries: (vectors * rules.key_length.div_ceil(2)).div_ceil(LANES),
            scores: vectors * (TILE / LANES),
            pairs: vectors * (TILE / LANES / 2),
            scalars: vectors.div_ceil(LANES),
            panel: keys.max(values),
            totals: unit.totals_lines(rules),
        }
    }
}

impl<'a> Memory<'a> {
    /// How many lines it takes.
    pub(super) fn lines(rules: &AttentionRules<'_>, unit: &Unit) -> usize {
        let lines = Lines::new(rules, unit);
        let vectors = lines.queries + lines.scores + lines.pairs + 3 * lines.scalars + unit.vectors(rules);
        vectors + lines.panel + 2 * lines.totals
    }

    /// Views so many lines, of which nobody knows what they hold.
    #[inline(always)]
    pub(super) fn view(mut memory: &'a mut [Line], rules: &AttentionRules<'_>, unit: &Unit) -> Self {
        let (count, lines) = (unit.vectors(rules), Lines::new(rules, unit));
        let mut take = |lines| memory.split_off_mut(..lines).expect("memory as long as `lines` says");
        let mut scalars = || &mut Line::floats_mut(take(lines.scalars)).as_flattened_mut()[..count];
        let (units, weight_units, factors) = (scalars(), scalars(), scalars());
        let vectors = Vectors {
            queries: Line::integers_mut(take(lines.queries)).as_flattened_mut(),
            units,
            scores: Line::floats_mut(take(lines.scores)).as_chunks_mut().0,
            pairs: Line::integers_mut(take(lines.pairs))
                .as_flattened_mut()
                .as_chunks_mut()
                .0
                .as_chunks_mut()
                .0,
            weight_units,
            factors,
            weights: Line::floats_mut(take(count)),
        };
        let work = Work { vectors, panel: Line::integers_mut(take(lines.panel)) };
        let (chunk, all) = (take(lines.totals), take(lines.totals));
        Self { work, chunk: Totals::view(chunk, count), all: Totals::view(all, count) }
    }
}
