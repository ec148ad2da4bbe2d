//! Writing keys and values.

use std::ops::Range;
use std::sync::Arc;

use super::element::{BLOCK, Element, Half, Scaled, token_scale};
use super::layout::{KvType, LayerKv, Slices};
use super::page::{Line, PAGE_TOKENS};
use super::sequence::KvSequence;
use crate::lanes::{self, Kernel, Lanes};
use crate::level::Level;
use crate::pool::Pool;

/// The new keys and values of one sequence in one layer.
pub struct KvSpan<'a> {
    /// The sequence that they continue.
    pub sequence: &'a mut KvSequence,
    /// The position of the first one; at most the length of the sequence.
    pub position: usize,
    /// Their rows in `k` and `v`.
    pub rows: Range<usize>,
    /// Rows of all heads' keys.
    pub k: &'a [f32],
    /// Rows of all heads' values.
    pub v: &'a [f32],
}

/// Writes new keys and values of one layer.
pub(crate) fn store(level: Level, pool: &Pool, layer: usize, spans: &mut [KvSpan<'_>]) {
    let numbers: usize = spans.iter().map(|span| span.numbers(layer)).sum();
    let pages = spans.iter_mut().flat_map(|span| span.pages(layer));
    if numbers <= GRAIN {
        pages.for_each(|mut page| lanes::run(level, &mut page));
        return;
    }
    let mut pages: Vec<_> = pages.collect();
    let per_task = (pages.len() * GRAIN).div_ceil(numbers).max(1);
    pool.for_chunks(&mut pages, per_task, &|_, pages| {
        for page in pages {
            lanes::run(level, page);
        }
    });
}

impl KvSpan<'_> {
    /// The numbers that it writes.
    fn numbers(&self, layer: usize) -> usize {
        let LayerKv { kv_heads, key_length, value_length } = self.sequence.layout().layer(layer).shape;
        self.rows.len() * kv_heads * (key_length + value_length)
    }

    /// Cuts it at the borders of pages.
    fn pages(&mut self, layer: usize) -> impl Iterator<Item = PageSpan<'_>> {
        let layout = Arc::clone(self.sequence.layout());
        let (kind, slices) = (layout.kind(), *layout.layer(layer));
        let LayerKv { kv_heads, key_length, value_length } = slices.shape;
        let (key_row, value_row) = (kv_heads * key_length, kv_heads * value_length);
        let mut keys = &self.k[self.rows.start * key_row..self.rows.end * key_row];
        let mut values = &self.v[self.rows.start * value_row..self.rows.end * value_row];
        let (start, mut left) = (self.position, self.rows.len());
        let mut slot = start % PAGE_TOKENS;
        self.sequence.pages_mut(start, start + left).map(move |page| {
            let count = left.min(PAGE_TOKENS - slot);
            let (page_keys, page_values);
            (page_keys, keys) = keys.split_at(count * key_row);
            (page_values, values) = values.split_at(count * value_row);
            let page = PageSpan {
                lines: page.lines_mut(),
                kind,
                slices,
                slot,
                count,
                keys: page_keys,
                values: page_values,
            };
            (slot, left) = (0, left - count);
            page
        })
    }
}

/// The new keys and values in one page.
struct PageSpan<'a> {
    lines: &'a mut [Line],
    kind: KvType,
    slices: Slices,
    /// The first token's place in the page.
    slot: usize,
    /// The number of tokens.
    count: usize,
    keys: &'a [f32],
    values: &'a [f32],
}

impl Kernel for &mut PageSpan<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        match self.kind {
            KvType::F16 => self.store::<L, Half>(lanes),
            KvType::Q8 => self.store::<L, Scaled>(lanes),
        }
    }
}

impl PageSpan<'_> {
    #[inline(always)]
    fn store<L: Lanes, E: Element>(&mut self, lanes: L) {
        let shape = self.slices.shape;
        let groups = self.slices.value_groups();
        for head in 0..shape.kv_heads {
            let (to, scales) = Line::split_token_scales_mut(&mut self.lines[self.slices.keys(head)]);
            // A block of dimensions at a time, so that the lines of a page are written while they are near.
            for block in 0..shape.key_length.div_ceil(BLOCK) {
                let (first, end) = (block * BLOCK, shape.key_length.min((block + 1) * BLOCK));
                for token in 0..self.count {
                    let start = (token * shape.kv_heads + head) * shape.key_length;
                    let key = &self.keys[start + first..start + end];
                    E::put_key(lanes, to, shape.key_length, self.slot + token, block, key);
                }
            }
            for token in 0..self.count {
                let start = (token * shape.kv_heads + head) * shape.key_length;
                scales[self.slot + token] = token_scale(lanes, &self.keys[start..start + shape.key_length]);
            }
            let (to, scales) = Line::split_token_scales_mut(&mut self.lines[self.slices.values(head)]);
            for token in 0..self.count {
                let start = (token * shape.kv_heads + head) * shape.value_length;
                let value = &self.values[start..start + shape.value_length];
                scales[self.slot + token] = token_scale(lanes, value);
                for (block, value) in value.chunks(BLOCK).enumerate() {
                    E::put_value(lanes, to, groups, self.slot + token, block, value);
                }
            }
        }
    }
}

/// Numbers that are worth a thread's while: twice as many as where something is computed (`Cpu::grain`), since they are
/// only rounded and moved.
const GRAIN: usize = 16384;
