//! The memory that one unit of work computes in.

use super::online_softmax::OnlineSoftmax;
use super::params::{AttentionParams, TILE};
use super::query::WeightPairs;
use super::schedule::Unit;
use super::softmax::Tile;
use crate::kv::Line;
use crate::lanes::LANES;

/// The state of one unit, in lines that are its own.
pub(super) struct Workspace<'a> {
    /// Of one tile of positions.
    pub(super) tile: TileBuffers<'a>,
    /// Of one chunk of positions.
    pub(super) chunk: OnlineSoftmax<'a>,
    /// Of all chunks.
    pub(super) all: OnlineSoftmax<'a>,
}

/// The operands of one tile after the other.
pub(super) struct TileBuffers<'a> {
    pub(super) vectors: Vectors<'a>,
    /// The keys of a tile, then its values.
    pub(super) unpacked: &'a mut [[i32; LANES]],
}

/// The numbers of each query vector.
pub(super) struct Vectors<'a> {
    /// Whole numbers, two dimensions each, in blocks of `[pair of dimensions][vector]`.
    pub(super) queries: &'a mut [i32],
    /// The scale of each query, times that of the scores.
    pub(super) query_scales: &'a mut [f32],
    /// Scores in a tile, then weights.
    pub(super) scores: &'a mut [Tile],
    /// Weights as whole numbers.
    pub(super) pairs: &'a mut [WeightPairs],
    /// Their scales.
    pub(super) weight_scales: &'a mut [f32],
    /// The factors by which the sums of earlier tiles are rescaled.
    pub(super) factors: &'a mut [f32],
    /// Sums of weights in a chunk, by lane.
    pub(super) denominators: &'a mut [[f32; LANES]],
}

/// The number of lines, by their content.
struct Lines {
    queries: usize,
    scores: usize,
    pairs: usize,
    /// One number for each vector.
    scalars: usize,
    unpacked: usize,
    softmax: usize,
}

impl Lines {
    fn new(params: &AttentionParams<'_>, unit: &Unit) -> Self {
        let vectors = unit.vectors(params);
        let keys = params.key_length.div_ceil(2) * (TILE / LANES);
        let values = params.value_length.div_ceil(LANES) * (TILE / 2);
        Self {
            queries: (vectors * params.key_length.div_ceil(2)).div_ceil(LANES),
            scores: vectors * (TILE / LANES),
            pairs: vectors * (TILE / LANES / 2),
            scalars: vectors.div_ceil(LANES),
            unpacked: keys.max(values),
            softmax: unit.softmax_lines(params),
        }
    }
}

impl<'a> Workspace<'a> {
    /// The number of lines that a unit takes.
    pub(super) fn lines(params: &AttentionParams<'_>, unit: &Unit) -> usize {
        let lines = Lines::new(params, unit);
        let vectors = lines.queries + lines.scores + lines.pairs + 3 * lines.scalars + unit.vectors(params);
        vectors + lines.unpacked + 2 * lines.softmax
    }

    /// Views so many lines, whatever they hold.
    #[inline(always)]
    pub(super) fn view(mut memory: &'a mut [Line], params: &AttentionParams<'_>, unit: &Unit) -> Self {
        let (count, lines) = (unit.vectors(params), Lines::new(params, unit));
        let mut take = |lines| memory.split_off_mut(..lines).expect("memory as long as `lines` says");
        let mut scalars = || &mut Line::floats_mut(take(lines.scalars)).as_flattened_mut()[..count];
        let (query_scales, weight_scales, factors) = (scalars(), scalars(), scalars());
        let vectors = Vectors {
            queries: Line::integers_mut(take(lines.queries)).as_flattened_mut(),
            query_scales,
            scores: Line::floats_mut(take(lines.scores)).as_chunks_mut().0,
            pairs: Line::integers_mut(take(lines.pairs))
                .as_flattened_mut()
                .as_chunks_mut()
                .0
                .as_chunks_mut()
                .0,
            weight_scales,
            factors,
            denominators: Line::floats_mut(take(count)),
        };
        let tile = TileBuffers { vectors, unpacked: Line::integers_mut(take(lines.unpacked)) };
        let (chunk, all) = (take(lines.softmax), take(lines.softmax));
        Self { tile, chunk: OnlineSoftmax::view(chunk, count), all: OnlineSoftmax::view(all, count) }
    }
}
