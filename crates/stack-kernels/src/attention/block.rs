//! One unit of work: a block of query vectors against the positions that they see.

use std::ops::Range;

use super::online_softmax::OnlineSoftmax;
use super::pairs::{Keys, PairSource, Tokens, Unpack, Values};
use super::params::{AttendSpan, AttentionParams, CHUNK, TILE};
use super::query::{round_query, round_weights};
use super::schedule::Unit;
use super::softmax::{self, ScoreModifiers, Softcap, View};
use super::tile::{self, Accumulate, Score};
use super::workspace::{TileBuffers, Vectors, Workspace};
use crate::disjoint::Disjoint;
use crate::kv::{Element, Half, KvType, Line, PAGE_TOKENS, Scaled};
use crate::lanes::{Kernel, LANES, Lanes, is_streamed};

/// The kernel of one unit.
#[derive(Clone, Copy)]
pub(super) struct Attend<'a> {
    pub(super) params: &'a AttentionParams<'a>,
    pub(super) layer: usize,
    pub(super) spans: &'a [AttendSpan<'a>],
    pub(super) q: &'a [f32],
    pub(super) unit: &'a Unit,
    /// The results of chunks, if they are spread over several units.
    pub(super) partials: &'a Disjoint<'a, Line>,
    pub(super) out: &'a Disjoint<'a, f32>,
}

/// Joins the chunks of one block and writes its rows.
#[derive(Clone, Copy)]
pub(super) struct Finish<'a> {
    pub(super) params: &'a AttentionParams<'a>,
    pub(super) spans: &'a [AttendSpan<'a>],
    /// One for each chunk, in order.
    pub(super) units: &'a [Unit],
    pub(super) partials: &'a Disjoint<'a, Line>,
    pub(super) out: &'a Disjoint<'a, f32>,
}

/// A kernel with scratch memory to run in.
pub(super) struct WithScratch<'a, T> {
    kernel: T,
    scratch: &'a mut [Line],
}

impl<'a> Attend<'a> {
    /// Lines of scratch memory that it needs.
    pub(super) fn scratch_lines(&self) -> usize {
        Workspace::lines(self.params, self.unit)
    }

    pub(super) fn with_scratch(self, scratch: &'a mut [Line]) -> WithScratch<'a, Self> {
        WithScratch { kernel: self, scratch }
    }

    /// Rounds the queries of its vectors.
    #[inline(always)]
    fn pack_queries<L: Lanes>(&self, lanes: L, vectors: &mut Vectors<'_>) {
        let length = self.params.key_length;
        let pairs = length.div_ceil(2);
        for block in tile::blocks::<L>(self.unit.vectors(self.params)) {
            let size = block.len();
            let packed = &mut vectors.queries[block.start * pairs..][..size * pairs];
            for (index, vector) in block.enumerate() {
                let query = self.query(vector);
                self.query(vector + QUERIES_AHEAD).iter().step_by(LANES).for_each(|x| lanes.prefetch(x));
                let scale = round_query(lanes, query, &mut packed[index..], size);
                vectors.query_scales[vector] = self.params.scale * scale;
            }
        }
    }

    /// The query of a vector, or nothing beyond the last one of the batch.
    #[inline(always)]
    fn query(&self, vector: usize) -> &'a [f32] {
        let length = self.params.key_length;
        let start = head_index(self.params, self.spans, self.unit, vector) * length;
        self.q.get(start..start + length).unwrap_or_default()
    }

    #[inline(always)]
    fn run<L: Lanes, E: Element>(self, lanes: L, scratch: &mut [Line]) {
        let Self { params, unit, .. } = self;
        let Workspace { mut tile, mut chunk, mut all } = Workspace::view(scratch, params, unit);
        self.pack_queries(lanes, &mut tile.vectors);
        if let Some(start) = unit.partial {
            // SAFETY: the schedule gave these lines to this unit alone.
            let lines = unsafe { self.partials.part(start..start + unit.softmax_lines(params)) };
            let mut partial = OnlineSoftmax::view(lines, unit.vectors(params));
            return self.chunk::<L, E>(lanes, unit.chunks.start, &mut tile, &mut partial);
        }
        all.reset();
        for index in unit.chunks.clone() {
            self.chunk::<L, E>(lanes, index, &mut tile, &mut chunk);
            all.merge(lanes, &chunk);
        }
        write(lanes, params, self.spans, unit, &mut all, self.out);
    }

    /// Attends to one chunk of positions.
    #[inline(always)]
    fn chunk<L: Lanes, E: Element>(
        &self,
        lanes: L,
        index: usize,
        buffers: &mut TileBuffers<'_>,
        softmax: &mut OnlineSoftmax<'_>,
    ) {
        let Self { params, unit, .. } = *self;
        softmax.reset();
        buffers.vectors.denominators.as_flattened_mut().fill(0.0);
        let all = params.seen_by(&self.spans[unit.span], &unit.rows);
        let seen = all.start.max(index * CHUNK)..all.end.min((index + 1) * CHUNK);
        let mut start = seen.start / TILE * TILE;
        let mut tokens = self.tokens::<E>(start);
        while start < seen.end {
            let live = seen.start.max(start) - start..(seen.end - start).min(TILE);
            let following = self.tokens::<E>(start + TILE);
            self.tile(lanes, start, &live, [&tokens.0, &tokens.1, &following.0], buffers, softmax);
            tokens = following;
            start += TILE;
        }
        for (sum, by_lane) in softmax.denominator.iter_mut().zip(&*buffers.vectors.denominators) {
            *sum = lanes.sum(lanes.load(by_lane));
        }
    }

    /// The keys and the values of the tile that starts there, as far as the unit looks.
    #[inline(always)]
    fn tokens<E: Element>(&self, start: usize) -> (Tokens<'a, E>, Tokens<'a, E>) {
        let span = &self.spans[self.unit.span];
        let slices = span.sequence.layout().layer(self.layer);
        let end = self.params.end_seen(span, self.unit.rows.end).min(self.unit.chunks.end * CHUNK);
        let (mut keys, mut values) = (Tokens::none(), Tokens::none());
        for page in 0..end.saturating_sub(start).min(TILE).div_ceil(PAGE_TOKENS) {
            let lines = span.sequence.page(start / PAGE_TOKENS + page).lines();
            keys.set_page(page, &lines[slices.keys(self.unit.kv_head)], slices.shape.key_length);
            let groups = slices.value_groups() * PAGE_TOKENS;
            values.set_page(page, &lines[slices.values(self.unit.kv_head)], groups);
        }
        (keys, values)
    }

    /// Attends to one tile of positions, of which some vector of the block sees those in `live`.
    #[inline(always)]
    fn tile<L: Lanes, E: Element>(
        &self,
        lanes: L,
        start: usize,
        live: &Range<usize>,
        [keys, values, following]: [&Tokens<'a, E>; 3],
        buffers: &mut TileBuffers<'_>,
        softmax: &mut OnlineSoftmax<'_>,
    ) {
        let params = self.params;
        let TileBuffers { vectors, unpacked } = buffers;
        let pages = live.start / LANES..live.end.div_ceil(LANES);
        let rounding = keys.rounding(lanes, pages.clone(), values);
        let source = Keys { rounding, length: params.key_length };
        if self.takes_from_pages() {
            self.score(lanes, &source, &keys.scales, &pages, vectors);
        } else {
            let unpack = Unpack { source: &source, pages: pages.clone(), pairs: unpacked };
            self.score(lanes, &lanes.enter(unpack), &keys.scales, &pages, vectors);
        }
        self.update_softmax(lanes, start, &values.scales, vectors, softmax);
        let groups = params.value_length.div_ceil(LANES);
        let rounding = values.rounding(lanes, pages.clone(), following);
        let source = Values { rounding, groups };
        if self.takes_from_pages() {
            self.accumulate(lanes, &source, &pages, vectors, softmax);
        } else {
            let unpack = Unpack { source: &source, pages: pages.clone(), pairs: unpacked };
            self.accumulate(lanes, &lanes.enter(unpack), &pages, vectors, softmax);
        }
    }

    /// Whether vectors are so few that each number is read once.
    fn takes_from_pages(&self) -> bool {
        self.unit.vectors(self.params) <= DIRECT_MAX
    }

    /// Computes the scores of all vectors.
    #[inline(always)]
    fn score<L: Lanes, S: PairSource>(
        &self,
        lanes: L,
        keys: &S,
        key_scales: &[&[f32; LANES]; TILE / LANES],
        pages: &Range<usize>,
        vectors: &mut Vectors<'_>,
    ) {
        let pairs = self.params.key_length.div_ceil(2);
        for block in tile::blocks::<L>(self.unit.vectors(self.params)) {
            lanes.enter(Score {
                queries: &vectors.queries[block.start * pairs..block.end * pairs],
                vectors: block.len(),
                query_scales: &vectors.query_scales[block.clone()],
                keys,
                key_scales,
                pages: pages.clone(),
                scores: &mut vectors.scores[block],
            });
        }
    }

    /// Adds the weighted values of all vectors.
    #[inline(always)]
    fn accumulate<L: Lanes, S: PairSource>(
        &self,
        lanes: L,
        values: &S,
        pages: &Range<usize>,
        vectors: &Vectors<'_>,
        softmax: &mut OnlineSoftmax<'_>,
    ) {
        let groups = self.params.value_length.div_ceil(LANES);
        for block in tile::blocks::<L>(self.unit.vectors(self.params)) {
            lanes.enter(Accumulate {
                weights: &vectors.pairs[block.clone()],
                vectors: block.len(),
                weight_scales: &vectors.weight_scales[block.clone()],
                factors: &vectors.factors[block.clone()],
                values,
                pages: pages.clone(),
                accumulator: &mut softmax.accumulator[block.start * groups..block.end * groups],
            });
        }
    }

    /// Turns the scores of a tile into weights.
    #[inline(always)]
    fn update_softmax<L: Lanes>(
        &self,
        lanes: L,
        start: usize,
        value_scales: &[&[f32; LANES]; TILE / LANES],
        vectors: &mut Vectors<'_>,
        softmax: &mut OnlineSoftmax<'_>,
    ) {
        let Self { params, unit, .. } = *self;
        let group = params.group();
        let softcap = params.softcap.map(Softcap::new);
        for row in unit.rows.clone() {
            let span = &self.spans[unit.span];
            let position = span.position + row;
            let seen = params.seen(span, row);
            let end = seen.end.saturating_sub(start).min(TILE);
            let seen = seen.start.saturating_sub(start).min(end)..end;
            let view = View { start, seen };
            for head in 0..group {
                let vector = (row - unit.rows.start) * group + head;
                let slope = params.slopes.map(|slopes| slopes[unit.kv_head * group + head]);
                let scores = &mut vectors.scores[vector];
                vectors.factors[vector] = softmax::update(
                    lanes,
                    scores,
                    &view,
                    ScoreModifiers { softcap, slope, position },
                    &mut softmax.max[vector],
                    &mut vectors.denominators[vector],
                );
                vectors.weight_scales[vector] =
                    round_weights(lanes, scores, value_scales, &mut vectors.pairs[vector]);
            }
        }
    }
}

impl Kernel for WithScratch<'_, Attend<'_>> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        match self.kernel.spans[self.kernel.unit.span].sequence.layout().kind() {
            KvType::F16 => self.kernel.run::<L, Half>(lanes, self.scratch),
            KvType::Q8 => self.kernel.run::<L, Scaled>(lanes, self.scratch),
        }
    }
}

impl<'a> Finish<'a> {
    /// Lines of scratch memory that it needs.
    pub(super) fn scratch_lines(&self) -> usize {
        self.units[0].softmax_lines(self.params)
    }

    pub(super) fn with_scratch(self, scratch: &'a mut [Line]) -> WithScratch<'a, Self> {
        WithScratch { kernel: self, scratch }
    }
}

impl Kernel for WithScratch<'_, Finish<'_>> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Finish { params, spans, units, partials, out } = self.kernel;
        let count = units[0].vectors(params);
        let mut all = OnlineSoftmax::view(self.scratch, count);
        all.reset();
        for unit in units {
            let start = unit.partial.expect("the unit of a spread block leaves a partial result");
            // SAFETY: the region that wrote partial results has ended, and each block's are read by one task.
            let lines = unsafe { partials.part(start..start + unit.softmax_lines(params)) };
            all.merge(lanes, &OnlineSoftmax::view(lines, count));
        }
        write(lanes, params, spans, &units[0], &mut all, out);
    }
}

/// Writes the rows of a block.
#[inline(always)]
fn write<L: Lanes>(
    lanes: L,
    params: &AttentionParams<'_>,
    spans: &[AttendSpan<'_>],
    unit: &Unit,
    all: &mut OnlineSoftmax<'_>,
    out: &Disjoint<'_, f32>,
) {
    let is_streamed = is_streamed(out.len());
    for vector in 0..unit.vectors(params) {
        let head = head_index(params, spans, unit, vector);
        if let Some(sinks) = params.sinks {
            all.sink(lanes, vector, sinks[head % params.heads]);
        }
        let start = head * params.value_length;
        // SAFETY: spans do not share rows, and the schedule gives each row and head to one block.
        let out = unsafe { out.part(start..start + params.value_length) };
        // SAFETY: `sfence` follows, and these rows are not used before that.
        unsafe { all.mean(lanes, vector, out, is_streamed) };
    }
    if is_streamed {
        lanes.sfence();
    }
}

/// The index of the head of a vector in the batch.
#[inline(always)]
fn head_index(params: &AttentionParams<'_>, spans: &[AttendSpan<'_>], unit: &Unit, vector: usize) -> usize {
    let group = params.group();
    let row = spans[unit.span].rows.start + unit.rows.start + vector / group;
    row * params.heads + unit.kv_head * group + vector % group
}

/// The distance to the query that is prefetched, in vectors.
const QUERIES_AHEAD: usize = 4;

/// Up to so many vectors, numbers are unpacked on their way to the products.
const DIRECT_MAX: usize = 4;
