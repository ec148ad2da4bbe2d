//! The two products of attention, blocked for registers: query vectors × keys, and weights × values.
//!
//! Each is written for `V` vectors at a time, and for as many pages (or groups of sixteen dimensions) as leave their sums
//! in registers; a vector's result is the same for every `V`.

#![expect(
    clippy::needless_range_loop,
    reason = "loops with constant bounds become straight code, iterators over arrays of registers become calls"
)]

use std::ops::Range;

use super::TILE;
use super::softmax::Tile;
use crate::kv::Element;
use crate::lanes::{Kernel, LANES, Lanes};

/// The pages of one tile, as groups of sixteen numbers.
pub(super) type Pages<'a, E> = [<E as Element>::Slice<'a>; TILE / LANES];

/// How many of `left` vectors are taken together.
#[inline(always)]
pub(super) fn vectors<L: Lanes>(left: usize) -> usize {
    let sizes: &[usize] = if L::REGISTERS >= 32 { &[12, 8, 4, 2, 1] } else { &[6, 4, 2, 1] };
    sizes.iter().copied().find(|&size| size <= left).unwrap_or(1)
}

/// Query vectors × keys.
pub(super) struct Score<'a, 'p, E: Element> {
    /// `[dimension][vector]`, `vectors` of them.
    pub(super) queries: &'a [f32],
    pub(super) vectors: usize,
    /// `[dimension][token]` each.
    pub(super) keys: &'a Pages<'p, E>,
    /// Those that are looked at.
    pub(super) pages: Range<usize>,
    /// One for each vector.
    pub(super) scores: &'a mut [Tile],
    /// What is needed next, brought near meanwhile: the values of these pages.
    pub(super) ahead: &'a Pages<'p, E>,
}

impl<E: Element> Kernel for Score<'_, '_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        match self.vectors {
            12 => self.all_pages::<L, 12>(lanes),
            8 => self.all_pages::<L, 8>(lanes),
            6 => self.all_pages::<L, 6>(lanes),
            4 => self.all_pages::<L, 4>(lanes),
            2 => self.all_pages::<L, 2>(lanes),
            _ => self.all_pages::<L, 1>(lanes),
        }
    }
}

impl<E: Element> Score<'_, '_, E> {
    #[inline(always)]
    fn all_pages<L: Lanes, const V: usize>(self, lanes: L) {
        let (queries, _) = self.queries.as_chunks::<V>();
        let scores = self.scores.first_chunk_mut::<V>().expect("a tile for each vector");
        let mut page = self.pages.start;
        while page < self.pages.end {
            let left = self.pages.end - page;
            page += match at_once::<L, V>(left) {
                4 => some_pages::<L, E, V, 4>(lanes, queries, (self.keys, self.ahead), page, scores),
                2 => some_pages::<L, E, V, 2>(lanes, queries, (self.keys, self.ahead), page, scores),
                _ => some_pages::<L, E, V, 1>(lanes, queries, (self.keys, self.ahead), page, scores),
            };
        }
    }
}

/// How many of `left` groups of sixteen keep their sums in registers together with one group each of keys or values and
/// one number of a vector.
#[inline(always)]
fn at_once<L: Lanes, const V: usize>(left: usize) -> usize {
    let fit = (L::REGISTERS - 1) / (V + 1);
    if fit >= 4 && left >= 4 {
        4
    } else if fit >= 2 && left >= 2 {
        2
    } else {
        1
    }
}

#[inline(always)]
fn some_pages<'p, L: Lanes, E: Element, const V: usize, const P: usize>(
    lanes: L,
    queries: &[[f32; V]],
    (keys, ahead): (&Pages<'p, E>, &Pages<'p, E>),
    first: usize,
    scores: &mut [Tile; V],
) -> usize {
    let zero = lanes.splat(0.0);
    let mut sums = [[zero; P]; V];
    let mut pages = [E::empty(); P];
    for p in 0..P {
        pages[p] = E::first(keys[first + p], queries.len());
    }
    for (dimension, queries) in queries.iter().enumerate() {
        let mut loaded = [zero; P];
        for p in 0..P {
            loaded[p] = E::key(lanes, pages[p], dimension);
            ask::<L, E, V>(lanes, ahead[first + p], dimension);
        }
        for v in 0..V {
            let query = lanes.splat(queries[v]);
            for p in 0..P {
                sums[v][p] = lanes.fma(query, loaded[p], sums[v][p]);
            }
        }
    }
    for v in 0..V {
        for p in 0..P {
            lanes.store(sums[v][p], &mut scores[v][first + p]);
        }
    }
    P
}

/// Asks for what is needed next. Few vectors take less time than memory: they need more requests under way than the nearest
/// cache keeps (13 GB/s on a core of Zen 4, and 17 into the next one); many find it near only if it was brought there.
#[inline(always)]
fn ask<L: Lanes, E: Element, const V: usize>(lanes: L, slice: E::Slice<'_>, group: usize) {
    if V > 2 {
        E::prefetch::<true, L>(lanes, slice, group);
    } else {
        E::prefetch::<false, L>(lanes, slice, group);
    }
}

/// Weights × values, added to what is there.
pub(super) struct Mix<'a, 'p, E: Element> {
    /// One for each vector.
    pub(super) weights: &'a [Tile],
    /// What the sums so far are multiplied by, one for each vector.
    pub(super) factors: &'a [f32],
    pub(super) vectors: usize,
    /// `[token][sixteen dimensions]` each.
    pub(super) values: &'a Pages<'p, E>,
    /// Positions that are looked at, counted from the tile's first.
    pub(super) live: Range<usize>,
    /// `[vector][sixteen dimensions]`.
    pub(super) mixed: &'a mut [[f32; LANES]],
    /// What is needed next, brought near meanwhile: the keys of the tile that follows.
    pub(super) ahead: &'a Pages<'p, E>,
}

impl<E: Element> Kernel for Mix<'_, '_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        match self.vectors {
            12 => self.all_groups::<L, 12>(lanes),
            8 => self.all_groups::<L, 8>(lanes),
            6 => self.all_groups::<L, 6>(lanes),
            4 => self.all_groups::<L, 4>(lanes),
            2 => self.all_groups::<L, 2>(lanes),
            _ => self.all_groups::<L, 1>(lanes),
        }
    }
}

impl<E: Element> Mix<'_, '_, E> {
    #[inline(always)]
    fn all_groups<L: Lanes, const V: usize>(self, lanes: L) {
        let groups = self.mixed.len() / V;
        let mut group = 0;
        let mut task = self;
        while group < groups {
            group += match at_once::<L, V>(groups - group) {
                4 => task.some_groups::<L, V, 4>(lanes, group, groups),
                2 => task.some_groups::<L, V, 2>(lanes, group, groups),
                _ => task.some_groups::<L, V, 1>(lanes, group, groups),
            };
        }
    }

    #[inline(always)]
    fn some_groups<L: Lanes, const V: usize, const G: usize>(
        &mut self,
        lanes: L,
        first: usize,
        groups: usize,
    ) -> usize {
        let zero = lanes.splat(0.0);
        let weights = self.weights.first_chunk::<V>().expect("a tile for each vector");
        let mut sums = [[zero; G]; V];
        for v in 0..V {
            let factor = lanes.splat(self.factors[v]);
            let mixed = &self.mixed[v * groups + first..][..G];
            for g in 0..G {
                sums[v][g] = lanes.mul(lanes.load(&mixed[g]), factor);
            }
        }
        for page in self.live.start / LANES..self.live.end.div_ceil(LANES) {
            let tokens = self.live.start.max(page * LANES) % LANES..(self.live.end - page * LANES).min(LANES);
            let values = E::first(self.values[page], LANES * groups);
            let ahead = self.ahead[page];
            for token in tokens {
                for g in (0..G).step_by(2) {
                    ask::<L, E, V>(lanes, ahead, first * LANES + token * G + g);
                }
                let mut loaded = [zero; G];
                for g in 0..G {
                    loaded[g] = E::value(lanes, values, token, first + g, groups);
                }
                for v in 0..V {
                    let weight = lanes.splat(weights[v][page][token]);
                    for g in 0..G {
                        sums[v][g] = lanes.fma(weight, loaded[g], sums[v][g]);
                    }
                }
            }
        }
        for v in 0..V {
            let mixed = &mut self.mixed[v * groups + first..][..G];
            for g in 0..G {
                lanes.store(sums[v][g], &mut mixed[g]);
            }
        }
        G
    }
}
