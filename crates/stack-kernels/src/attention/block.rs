//! One unit of work: a block of query vectors against the positions that they see.

use std::ops::Range;

use super::plan::Unit;
use super::softmax::{Bend, Cap, Tile, View, soften};
use super::tile::{Mix, Pages, Score, vectors};
use super::totals::Totals;
use super::{AttendSpan, AttentionRules, CHUNK, TILE};
use crate::disjoint::Disjoint;
use crate::kv::{Element, KvType, Line, PAGE_TOKENS, Scaled};
use crate::lanes::{Kernel, LANES, Lanes};

/// The work of one unit.
#[derive(Clone, Copy)]
pub(super) struct Attend<'a> {
    pub(super) rules: &'a AttentionRules<'a>,
    pub(super) layer: usize,
    pub(super) spans: &'a [AttendSpan<'a>],
    pub(super) q: &'a [f32],
    pub(super) unit: &'a Unit,
    /// Where chunks leave their results if they are spread over several units.
    pub(super) partials: &'a Disjoint<'a, Line>,
    pub(super) out: &'a Disjoint<'a, f32>,
}

/// Joins the chunks of one block and writes its rows.
#[derive(Clone, Copy)]
pub(super) struct Finish<'a> {
    pub(super) rules: &'a AttentionRules<'a>,
    pub(super) spans: &'a [AttendSpan<'a>],
    /// One for each chunk, in order.
    pub(super) units: &'a [Unit],
    pub(super) partials: &'a Disjoint<'a, Line>,
    pub(super) out: &'a Disjoint<'a, f32>,
}

/// Work with memory to do it in.
pub(super) struct With<'a, T> {
    work: T,
    memory: &'a mut [Line],
}

impl<'a> Attend<'a> {
    /// Lines of scratch memory that it needs: queries, scores, weights by lane, factors, and totals of a chunk and of
    /// all.
    pub(super) fn scratch_lines(&self) -> usize {
        let vectors = self.unit.vectors(self.rules);
        let queries = (vectors * self.rules.key_length).div_ceil(LANES);
        queries
            + vectors * (TILE / LANES + 1)
            + vectors.div_ceil(LANES)
            + 2 * self.unit.totals_lines(self.rules)
    }

    pub(super) fn with(self, memory: &'a mut [Line]) -> With<'a, Self> {
        With { work: self, memory }
    }

    /// The queries of its vectors, scaled, in blocks of `[dimension][vector]`.
    #[inline(always)]
    fn pack_queries<L: Lanes>(&self, packed: &mut [f32]) {
        let Self { rules, unit, .. } = *self;
        let (length, count) = (rules.key_length, unit.vectors(rules));
        let mut first = 0;
        while first < count {
            let size = vectors::<L>(count - first);
            let block = &mut packed[first * length..][..size * length];
            for vector in 0..size {
                let query = &self.q[self.head_index(first + vector) * length..][..length];
                for (to, x) in block[vector..].iter_mut().step_by(size).zip(query) {
                    *to = x * rules.scale;
                }
            }
            first += size;
        }
    }

    /// Where the head of a vector lies in the batch, counted in heads.
    #[inline(always)]
    fn head_index(&self, vector: usize) -> usize {
        head_index(self.rules, self.spans, self.unit, vector)
    }

    #[inline(always)]
    fn run<L: Lanes, E: Element>(self, lanes: L, memory: &mut [Line]) {
        let Self { rules, unit, .. } = self;
        let count = unit.vectors(rules);
        let (queries, memory) = memory.split_at_mut((count * rules.key_length).div_ceil(LANES));
        let (scores, memory) = memory.split_at_mut(count * (TILE / LANES));
        let (weights, memory) = memory.split_at_mut(count);
        let (factors, memory) = memory.split_at_mut(count.div_ceil(LANES));
        let (chunk, all) = memory.split_at_mut(unit.totals_lines(rules));
        let queries = Line::floats_mut(queries).as_flattened_mut();
        let (scores, _) = Line::floats_mut(scores).as_chunks_mut::<{ TILE / LANES }>();
        self.pack_queries::<L>(queries);
        let mut work = Work {
            queries,
            scores,
            weights: Line::floats_mut(weights),
            factors: &mut Line::floats_mut(factors).as_flattened_mut()[..count],
        };
        if let Some(start) = unit.partial {
            // SAFETY: the plan gave these lines to this unit alone.
            let lines = unsafe { self.partials.part(start..start + unit.totals_lines(rules)) };
            self.chunk::<L, E>(lanes, unit.chunks.start, &mut work, &mut Totals::view(lines, count));
            return;
        }
        let (mut chunk, mut all) = (Totals::view(chunk, count), Totals::view(all, count));
        all.reset();
        for index in unit.chunks.clone() {
            self.chunk::<L, E>(lanes, index, &mut work, &mut chunk);
            all.merge(lanes, &chunk);
        }
        write(lanes, rules, self.spans, unit, &mut all, self.out);
    }

    /// Attends to one chunk of positions.
    #[inline(always)]
    fn chunk<L: Lanes, E: Element>(
        &self,
        lanes: L,
        index: usize,
        work: &mut Work<'_>,
        totals: &mut Totals<'_>,
    ) {
        let Self { rules, unit, .. } = *self;
        totals.reset();
        work.weights.as_flattened_mut().fill(0.0);
        let position = self.spans[unit.span].position;
        let first = unit.rows.clone().map(|row| rules.seen(position + row).start).min().unwrap_or(0);
        let seen = first.max(index * CHUNK)..(position + unit.rows.end).min((index + 1) * CHUNK);
        let mut start = seen.start / TILE * TILE;
        let mut pages = self.pages::<E>(start);
        while start < seen.end {
            let live = seen.start.max(start) - start..(seen.end - start).min(TILE);
            let following = self.pages::<E>(start + TILE);
            self.tile::<L, E>(lanes, start, live, [&pages.0, &pages.1, &following.0], work, totals);
            pages = following;
            start += TILE;
        }
        for (sum, by_lane) in totals.weight.iter_mut().zip(&*work.weights) {
            *sum = lanes.sum(lanes.load(by_lane));
        }
    }

    /// The keys and the values of the tile that starts there, as far as the unit looks.
    #[inline(always)]
    fn pages<E: Element>(&self, start: usize) -> (Pages<'a, E>, Pages<'a, E>) {
        let span = &self.spans[self.unit.span];
        let slices = span.sequence.layout().layer(self.layer);
        let end = (span.position + self.unit.rows.end).min(self.unit.chunks.end * CHUNK);
        let (mut keys, mut values): (Pages<'_, E>, Pages<'_, E>) =
            ([E::empty(); TILE / LANES], [E::empty(); TILE / LANES]);
        let pages = end.saturating_sub(start).min(TILE).div_ceil(PAGE_TOKENS);
        for (page, (keys, values)) in keys.iter_mut().zip(&mut values).take(pages).enumerate() {
            let lines = span.sequence.page(start / PAGE_TOKENS + page).lines();
            *keys = E::view(&lines[slices.keys(self.unit.kv_head)], slices.shape.key_length);
            *values = E::view(&lines[slices.values(self.unit.kv_head)], slices.value_groups() * PAGE_TOKENS);
        }
        (keys, values)
    }

    /// Attends to one tile of positions, of which some vector of the block sees those in `live`.
    #[inline(always)]
    fn tile<L: Lanes, E: Element>(
        &self,
        lanes: L,
        start: usize,
        live: Range<usize>,
        [keys, values, following]: [&Pages<'a, E>; 3],
        work: &mut Work<'_>,
        totals: &mut Totals<'_>,
    ) {
        let Self { rules, unit, .. } = *self;
        let span = &self.spans[unit.span];
        let pages = live.start / LANES..live.end.div_ceil(LANES);
        let none: Pages<'a, E> = [E::empty(); TILE / LANES];
        let (count, length) = (unit.vectors(rules), rules.key_length);
        let mut first = 0;
        while first < count {
            let size = vectors::<L>(count - first);
            let queries = &work.queries[first * length..][..size * length];
            let scores = &mut work.scores[first..first + size];
            // The first vectors bring the values near for all.
            let ahead = if first == 0 { values } else { &none };
            lanes.enter(Score::<E> { queries, vectors: size, keys, pages: pages.clone(), scores, ahead });
            first += size;
        }
        let group = rules.group();
        let softcap = rules.softcap.map(Cap::new);
        for row in unit.rows.clone() {
            let position = span.position + row;
            let seen = rules.seen(position);
            let end = seen.end.saturating_sub(start).min(TILE);
            let seen = seen.start.saturating_sub(start).min(end)..end;
            let view = View { start, pages: pages.clone(), seen };
            for head in 0..group {
                let vector = (row - unit.rows.start) * group + head;
                let slope = rules.slopes.map(|slopes| slopes[unit.kv_head * group + head]);
                work.factors[vector] = soften(
                    lanes,
                    &mut work.scores[vector],
                    &view,
                    Bend { softcap, slope, position },
                    &mut totals.largest[vector],
                    &mut work.weights[vector],
                );
            }
        }
        let groups = rules.value_length.div_ceil(LANES);
        let mut first = 0;
        while first < count {
            let size = vectors::<L>(count - first);
            lanes.enter(Mix::<E> {
                weights: &work.scores[first..first + size],
                factors: &work.factors[first..first + size],
                vectors: size,
                values,
                live: live.clone(),
                mixed: &mut totals.mixed[first * groups..][..size * groups],
                ahead: if first == 0 { following } else { &none },
            });
            first += size;
        }
    }
}

impl Kernel for With<'_, Attend<'_>> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        match self.work.spans[self.work.unit.span].sequence.layout().kind() {
            KvType::F16 => self.work.run::<L, u16>(lanes, self.memory),
            KvType::F32 => self.work.run::<L, f32>(lanes, self.memory),
            KvType::Q8 => self.work.run::<L, Scaled>(lanes, self.memory),
        }
    }
}

impl<'a> Finish<'a> {
    /// Lines of scratch memory that it needs.
    pub(super) fn scratch_lines(&self) -> usize {
        self.units[0].totals_lines(self.rules)
    }

    pub(super) fn with(self, memory: &'a mut [Line]) -> With<'a, Self> {
        With { work: self, memory }
    }
}

impl Kernel for With<'_, Finish<'_>> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Finish { rules, spans, units, partials, out } = self.work;
        let count = units[0].vectors(rules);
        let mut all = Totals::view(self.memory, count);
        all.reset();
        for unit in units {
            let start = unit.partial.expect("the unit of a spread block leaves a partial result");
            // SAFETY: the region that wrote partial results has ended, and each block's are read by one task.
            let lines = unsafe { partials.part(start..start + unit.totals_lines(rules)) };
            all.merge(lanes, &Totals::view(lines, count));
        }
        write(lanes, rules, spans, &units[0], &mut all, out);
    }
}

/// Writes the rows of a block.
#[inline(always)]
fn write<L: Lanes>(
    lanes: L,
    rules: &AttentionRules<'_>,
    spans: &[AttendSpan<'_>],
    unit: &Unit,
    all: &mut Totals<'_>,
    out: &Disjoint<'_, f32>,
) {
    for vector in 0..unit.vectors(rules) {
        let head = head_index(rules, spans, unit, vector);
        if let Some(sinks) = rules.sinks {
            all.sink(lanes, vector, sinks[head % rules.heads]);
        }
        let start = head * rules.value_length;
        // SAFETY: spans do not share rows, and the plan gives each row and head to one block.
        all.mean(lanes, vector, unsafe { out.part(start..start + rules.value_length) });
    }
}

/// Where the head of a vector lies in the batch, counted in heads.
#[inline(always)]
fn head_index(rules: &AttentionRules<'_>, spans: &[AttendSpan<'_>], unit: &Unit, vector: usize) -> usize {
    let group = rules.group();
    let row = spans[unit.span].rows.start + unit.rows.start + vector / group;
    row * rules.heads + unit.kv_head * group + vector % group
}

/// What a unit computes with.
struct Work<'a> {
    queries: &'a [f32],
    /// Scores of the vectors in a tile, then weights.
    scores: &'a mut [Tile],
    /// Sums of weights in a chunk, by lane.
    weights: &'a mut [[f32; LANES]],
    /// What the sums of earlier tiles are multiplied by.
    factors: &'a mut [f32],
}
