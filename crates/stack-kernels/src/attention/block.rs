//! One unit of work: a block of query vectors against the positions that they see.

use std::ops::Range;

use super::panel::{Keys, Source, Tokens, Unpack, Values};
use super::plan::Unit;
use super::query::{round_query, round_weights};
use super::softmax::{Bend, Cap, View, soften};
use super::tile::{self, Mix, Score};
use super::totals::Totals;
use super::work::{Memory, Vectors, Work};
use super::{AttendSpan, AttentionRules, CHUNK, TILE};
use crate::disjoint::Disjoint;
use crate::kv::{Element, Half, KvType, Line, PAGE_TOKENS, Scaled};
use crate::lanes::{Kernel, LANES, Lanes, is_far};

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
    /// Lines of scratch memory that it needs.
    pub(super) fn scratch_lines(&self) -> usize {
        Memory::lines(self.rules, self.unit)
    }

    pub(super) fn with(self, memory: &'a mut [Line]) -> With<'a, Self> {
        With { work: self, memory }
    }

    /// Rounds the queries of its vectors.
    #[inline(always)]
    fn pack_queries<L: Lanes>(&self, lanes: L, vectors: &mut Vectors<'_>) {
        let length = self.rules.key_length;
        let pairs = length.div_ceil(2);
        for block in tile::blocks::<L>(self.unit.vectors(self.rules)) {
            let size = block.len();
            let packed = &mut vectors.queries[block.start * pairs..][..size * pairs];
            for (index, vector) in block.enumerate() {
                let query = self.query(vector);
                self.query(vector + QUERIES_AHEAD).iter().step_by(LANES).for_each(|x| lanes.prefetch(x));
                let unit = round_query(lanes, query, &mut packed[index..], size);
                vectors.units[vector] = self.rules.scale * unit;
            }
        }
    }

    /// The query of a vector, or nothing beyond the last one of the batch.
    #[inline(always)]
    fn query(&self, vector: usize) -> &'a [f32] {
        let length = self.rules.key_length;
        let start = head_index(self.rules, self.spans, self.unit, vector) * length;
        self.q.get(start..start + length).unwrap_or_default()
    }

    #[inline(always)]
    fn run<L: Lanes, E: Element>(self, lanes: L, memory: &mut [Line]) {
        let Self { rules, unit, .. } = self;
        let Memory { mut work, mut chunk, mut all } = Memory::view(memory, rules, unit);
        self.pack_queries(lanes, &mut work.vectors);
        if let Some(start) = unit.partial {
            // SAFETY: the plan gave these lines to this unit alone.
            let lines = unsafe { self.partials.part(start..start + unit.totals_lines(rules)) };
            let mut partial = Totals::view(lines, unit.vectors(rules));
            return self.chunk::<L, E>(lanes, unit.chunks.start, &mut work, &mut partial);
        }
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
        work.vectors.weights.as_flattened_mut().fill(0.0);
        let position = self.spans[unit.span].position;
        let first = unit.rows.clone().map(|row| rules.seen(position + row).start).min().unwrap_or(0);
        let seen = first.max(index * CHUNK)..(position + unit.rows.end).min((index + 1) * CHUNK);
        let mut start = seen.start / TILE * TILE;
        let mut tokens = self.tokens::<E>(start);
        while start < seen.end {
            let live = seen.start.max(start) - start..(seen.end - start).min(TILE);
            let following = self.tokens::<E>(start + TILE);
            self.tile(lanes, start, &live, [&tokens.0, &tokens.1, &following.0], work, totals);
            tokens = following;
            start += TILE;
        }
        for (sum, by_lane) in totals.weight.iter_mut().zip(&*work.vectors.weights) {
            *sum = lanes.sum(lanes.load(by_lane));
        }
    }

    /// The keys and the values of the tile that starts there, as far as the unit looks.
    #[inline(always)]
    fn tokens<E: Element>(&self, start: usize) -> (Tokens<'a, E>, Tokens<'a, E>) {
        let span = &self.spans[self.unit.span];
        let slices = span.sequence.layout().layer(self.layer);
        let end = (span.position + self.unit.rows.end).min(self.unit.chunks.end * CHUNK);
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
        work: &mut Work<'_>,
        totals: &mut Totals<'_>,
    ) {
        let rules = self.rules;
        let Work { vectors, panel } = work;
        let pages = live.start / LANES..live.end.div_ceil(LANES);
        let rounding = keys.rounding(lanes, pages.clone(), values);
        let source = Keys { rounding, length: rules.key_length };
        if self.takes_from_pages() {
            self.score(lanes, &source, &keys.units, &pages, vectors);
        } else {
            let unpack = Unpack { source: &source, pages: pages.clone(), pairs: panel };
            self.score(lanes, &lanes.enter(unpack), &keys.units, &pages, vectors);
        }
        self.soften_all(lanes, start, &values.units, vectors, totals);
        let groups = rules.value_length.div_ceil(LANES);
        let rounding = values.rounding(lanes, pages.clone(), following);
        let source = Values { rounding, groups };
        if self.takes_from_pages() {
            self.mix(lanes, &source, &pages, vectors, totals);
        } else {
            let unpack = Unpack { source: &source, pages: pages.clone(), pairs: panel };
            self.mix(lanes, &lanes.enter(unpack), &pages, vectors, totals);
        }
    }

    /// Whether vectors are so few that each number is read once.
    fn takes_from_pages(&self) -> bool {
        self.unit.vectors(self.rules) <= DIRECT_MAX
    }

    /// Computes the scores of all vectors.
    #[inline(always)]
    fn score<L: Lanes, S: Source>(
        &self,
        lanes: L,
        keys: &S,
        key_units: &[&[f32; LANES]; TILE / LANES],
        pages: &Range<usize>,
        vectors: &mut Vectors<'_>,
    ) {
        let pairs = self.rules.key_length.div_ceil(2);
        for block in tile::blocks::<L>(self.unit.vectors(self.rules)) {
            lanes.enter(Score {
                queries: &vectors.queries[block.start * pairs..block.end * pairs],
                vectors: block.len(),
                units: &vectors.units[block.clone()],
                keys,
                key_units,
                pages: pages.clone(),
                scores: &mut vectors.scores[block],
            });
        }
    }

    /// Adds the weighted values of all vectors.
    #[inline(always)]
    fn mix<L: Lanes, S: Source>(
        &self,
        lanes: L,
        values: &S,
        pages: &Range<usize>,
        vectors: &Vectors<'_>,
        totals: &mut Totals<'_>,
    ) {
        let groups = self.rules.value_length.div_ceil(LANES);
        for block in tile::blocks::<L>(self.unit.vectors(self.rules)) {
            lanes.enter(Mix {
                weights: &vectors.pairs[block.clone()],
                vectors: block.len(),
                units: &vectors.weight_units[block.clone()],
                factors: &vectors.factors[block.clone()],
                values,
                pages: pages.clone(),
                mixed: &mut totals.mixed[block.start * groups..block.end * groups],
            });
        }
    }

    /// Turns the scores of a tile into weights.
    #[inline(always)]
    fn soften_all<L: Lanes>(
        &self,
        lanes: L,
        start: usize,
        value_units: &[&[f32; LANES]; TILE / LANES],
        vectors: &mut Vectors<'_>,
        totals: &mut Totals<'_>,
    ) {
        let Self { rules, unit, .. } = *self;
        let group = rules.group();
        let softcap = rules.softcap.map(Cap::new);
        for row in unit.rows.clone() {
            let position = self.spans[unit.span].position + row;
            let seen = rules.seen(position);
            let end = seen.end.saturating_sub(start).min(TILE);
            let seen = seen.start.saturating_sub(start).min(end)..end;
            let view = View { start, seen };
            for head in 0..group {
                let vector = (row - unit.rows.start) * group + head;
                let slope = rules.slopes.map(|slopes| slopes[unit.kv_head * group + head]);
                let scores = &mut vectors.scores[vector];
                vectors.factors[vector] = soften(
                    lanes,
                    scores,
                    &view,
                    Bend { softcap, slope, position },
                    &mut totals.largest[vector],
                    &mut vectors.weights[vector],
                );
                vectors.weight_units[vector] =
                    round_weights(lanes, scores, value_units, &mut vectors.pairs[vector]);
            }
        }
    }
}

impl Kernel for With<'_, Attend<'_>> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        match self.work.spans[self.work.unit.span].sequence.layout().kind() {
            KvType::F16 => self.work.run::<L, Half>(lanes, self.memory),
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
    let is_far = is_far(out.len());
    for vector in 0..unit.vectors(rules) {
        let head = head_index(rules, spans, unit, vector);
        if let Some(sinks) = rules.sinks {
            all.sink(lanes, vector, sinks[head % rules.heads]);
        }
        let start = head * rules.value_length;
        // SAFETY: spans do not share rows, and the plan gives each row and head to one block.
        let out = unsafe { out.part(start..start + rules.value_length) };
        // SAFETY: `settle` follows, and nobody comes back to these rows before.
        unsafe { all.mean(lanes, vector, out, is_far) };
    }
    if is_far {
        lanes.settle();
    }
}

/// Where the head of a vector lies in the batch, counted in heads.
#[inline(always)]
fn head_index(rules: &AttentionRules<'_>, spans: &[AttendSpan<'_>], unit: &Unit, vector: usize) -> usize {
    let group = rules.group();
    let row = spans[unit.span].rows.start + unit.rows.start + vector / group;
    row * rules.heads + unit.kv_head * group + vector % group
}

/// How many vectors ahead queries are asked for.
const QUERIES_AHEAD: usize = 4;

/// Up to so many vectors, numbers are unpacked on their way to the products.
const DIRECT_MAX: usize = 4;
