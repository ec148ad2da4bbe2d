//! Writing keys and values.

use std::ops::Range;

use super::element::Element;
use super::layout::{KvType, Slices};
use super::{KvSequence, Line, PAGE_TOKENS};
use crate::cpu::Cpu;
use crate::lanes::{self, Kernel, LANES, Lanes, load_part};

/// The new keys and values of one sequence in one layer.
pub struct KvSpan<'a> {
    /// Where they go.
    pub sequence: &'a mut KvSequence,
    /// The position of the first one; at most the length of the sequence.
    pub position: usize,
    /// Which rows of `k` and `v` they are.
    pub rows: Range<usize>,
    /// Rows of all heads' keys.
    pub k: &'a [f32],
    /// Rows of all heads' values.
    pub v: &'a [f32],
}

impl Cpu {
    /// Writes new keys and values of one layer; sequences grow as needed.
    ///
    /// # Panics
    ///
    /// When shapes disagree or a span does not follow what its sequence holds.
    pub fn store_kv(&self, layer: usize, spans: &mut [KvSpan<'_>]) {
        let mut parts = Vec::new();
        for span in spans {
            let KvSpan { sequence, position, rows, k, v } = span;
            let position = *position;
            let layout = std::sync::Arc::clone(sequence.layout());
            let shape = layout.layer(layer).shape;
            let (key_row, value_row) =
                (shape.kv_heads * shape.key_length, shape.kv_heads * shape.value_length);
            let (mut k, mut v) = (
                &k[rows.start * key_row..rows.end * key_row],
                &v[rows.start * value_row..rows.end * value_row],
            );
            let mut slot = position % PAGE_TOKENS;
            let mut left = rows.len();
            for page in sequence.pages_mut(position, position + left) {
                let count = left.min(PAGE_TOKENS - slot);
                let (keys, values);
                (keys, k) = k.split_at(count * key_row);
                (values, v) = v.split_at(count * value_row);
                let slices = *layout.layer(layer);
                parts.push(Part {
                    lines: page.lines_mut(),
                    kind: layout.kind(),
                    slices,
                    slot,
                    count,
                    keys,
                    values,
                });
                (slot, left) = (0, left - count);
            }
        }
        let numbers: usize = parts.iter().map(|part| part.keys.len() + part.values.len()).sum();
        let per_task = (parts.len() * GRAIN).div_ceil(numbers.max(1)).max(1);
        self.pool().for_chunks(&mut parts, per_task, &|_, parts| {
            for part in parts {
                lanes::run(self.level(), part);
            }
        });
    }
}

/// The new keys and values in one page.
struct Part<'a> {
    lines: &'a mut [Line],
    kind: KvType,
    slices: Slices,
    /// The first token's place in the page.
    slot: usize,
    /// How many tokens.
    count: usize,
    keys: &'a [f32],
    values: &'a [f32],
}

impl Kernel for &mut Part<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        match self.kind {
            KvType::F16 => self.store::<L, u16>(lanes),
            KvType::F32 => self.store::<L, f32>(lanes),
        }
    }
}

impl Part<'_> {
    #[inline(always)]
    fn store<L: Lanes, E: Element>(&mut self, lanes: L) {
        let shape = self.slices.shape;
        let groups = self.slices.value_groups();
        for head in 0..shape.kv_heads {
            let to = E::view_mut(&mut self.lines[self.slices.keys(head)]);
            // Sixteen dimensions at a time, so that the lines of a page are written while they are near.
            for (group, to) in to.chunks_mut(LANES).take(shape.key_length.div_ceil(LANES)).enumerate() {
                let first = group * LANES;
                let length = (shape.key_length - first).min(LANES);
                for token in 0..self.count {
                    let start = (token * shape.kv_heads + head) * shape.key_length + first;
                    let mut numbers = E::ZEROS;
                    E::store(lanes, load_part(lanes, &self.keys[start..start + length], 0.0), &mut numbers);
                    for (number, to) in numbers[..length].iter().zip(&mut *to) {
                        to[self.slot + token] = *number;
                    }
                }
            }
            let to = E::view_mut(&mut self.lines[self.slices.values(head)]);
            let to = to[self.slot * groups..].chunks_exact_mut(groups.max(1));
            for (token, to) in to.take(self.count).enumerate() {
                let start = (token * shape.kv_heads + head) * shape.value_length;
                let value = &self.values[start..start + shape.value_length];
                for (value, to) in value.chunks(LANES).zip(to) {
                    E::store(lanes, load_part(lanes, value, 0.0), to);
                }
            }
        }
    }
}

/// Numbers that take a thread about as long as waking another one.
const GRAIN: usize = 16384;
