//! The two products of attention, blocked for registers: query vectors × keys, and weights × values.
//!
//! Both multiply whole numbers of 16 bits and add in 32, twice as fast as single precision and exact, so that no order
//! matters. Each is written for `V` vectors at a time, and for as many pages (or groups of sixteen dimensions) as leave
//! their sums in registers.

#![expect(
    clippy::needless_range_loop,
    reason = "loops with constant bounds become straight-line code, iterators over arrays of registers become calls"
)]

use std::hint::black_box;
use std::ops::Range;

use super::pairs::PairSource;
use super::params::TILE;
use super::query::WeightPairs;
use super::softmax::Tile;
use crate::kv::PAGE_TOKENS;
use crate::lanes::{Kernel, LANES, Lanes};

/// Cuts vectors into blocks that are taken together.
#[inline(always)]
pub(super) fn blocks<L: Lanes>(count: usize) -> impl Iterator<Item = Range<usize>> {
    let sizes: &[usize] = if L::REGISTERS >= 32 { &[12, 8, 4, 2, 1] } else { &[6, 4, 2, 1] };
    let mut first = 0;
    std::iter::from_fn(move || {
        let size = sizes.iter().copied().find(|&size| size <= count - first)?;
        first += size;
        Some(first - size..first)
    })
}

/// Calls a method for a number of vectors that is known to the compiler.
macro_rules! for_vectors {
    ($vectors:expr, $task:ident.$method:ident($lanes:ident)) => {
        match $vectors {
            12 => $task.$method::<L, 12>($lanes),
            8 => $task.$method::<L, 8>($lanes),
            6 => $task.$method::<L, 6>($lanes),
            4 => $task.$method::<L, 4>($lanes),
            2 => $task.$method::<L, 2>($lanes),
            _ => $task.$method::<L, 1>($lanes),
        }
    };
}

/// Query vectors × keys.
pub(super) struct Score<'a, S: PairSource> {
    /// `[pair of dimensions][vector]`, `vectors` of them.
    pub(super) queries: &'a [i32],
    pub(super) vectors: usize,
    /// The scale of each vector.
    pub(super) query_scales: &'a [f32],
    pub(super) keys: &'a S,
    /// The scale of each token's key.
    pub(super) key_scales: &'a [&'a [f32; LANES]; TILE / LANES],
    /// Those that are looked at.
    pub(super) pages: Range<usize>,
    /// One for each vector.
    pub(super) scores: &'a mut [Tile],
}

impl<S: PairSource> Kernel for Score<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        for_vectors!(self.vectors, self.all_pages(lanes));
    }
}

impl<S: PairSource> Score<'_, S> {
    #[inline(always)]
    fn all_pages<L: Lanes, const V: usize>(&mut self, lanes: L) {
        let mut page = self.pages.start;
        while page < self.pages.end {
            page += match at_once::<L, V>(self.pages.end - page) {
                4 => self.some_pages::<L, V, 4>(lanes, page),
                2 => self.some_pages::<L, V, 2>(lanes, page),
                _ => self.some_pages::<L, V, 1>(lanes, page),
            };
        }
    }

    #[inline(always)]
    fn some_pages<L: Lanes, const V: usize, const P: usize>(&mut self, lanes: L, first: usize) -> usize {
        let (queries, _) = self.queries.as_chunks::<V>();
        let mut sums = [[lanes.zeros(); P]; V];
        for (pair, queries) in queries.iter().enumerate() {
            let mut keys = [lanes.zeros(); P];
            for p in 0..P {
                self.keys.prefetch(lanes, first + p, pair, 0);
                keys[p] = self.keys.pairs(lanes, first + p, pair, 0);
            }
            for v in 0..V {
                for p in 0..P {
                    sums[v][p] = lanes.plus_products(sums[v][p], keys[p], queries[v]);
                }
            }
        }
        let scores = self.scores.first_chunk_mut::<V>().expect("a tile for each vector");
        let query_scales = self.query_scales.first_chunk::<V>().expect("a scale for each vector");
        for p in 0..P {
            let key_scales = lanes.load(self.key_scales[first + p]);
            for v in 0..V {
                let scaled = lanes.mul(lanes.to_floats(sums[v][p]), key_scales);
                lanes.store(lanes.mul(scaled, lanes.splat(query_scales[v])), &mut scores[v][first + p]);
            }
        }
        P
    }
}

/// The number of groups of sixteen, `left` at most, that keep their sums in registers together with one group each of keys
/// or values and one number of a vector.
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

/// Weights × values, added to what is there.
pub(super) struct Accumulate<'a, S: PairSource> {
    /// One for each vector.
    pub(super) weights: &'a [WeightPairs],
    pub(super) vectors: usize,
    /// The scale of each vector's weights.
    pub(super) weight_scales: &'a [f32],
    /// The factors that rescale the sums so far, one for each vector.
    pub(super) factors: &'a [f32],
    pub(super) values: &'a S,
    /// Those that are looked at.
    pub(super) pages: Range<usize>,
    /// `[vector][sixteen dimensions]`.
    pub(super) accumulator: &'a mut [[f32; LANES]],
}

impl<S: PairSource> Kernel for Accumulate<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        for_vectors!(self.vectors, self.all_groups(lanes));
    }
}

impl<S: PairSource> Accumulate<'_, S> {
    #[inline(always)]
    fn all_groups<L: Lanes, const V: usize>(&mut self, lanes: L) {
        let groups = self.accumulator.len() / V;
        let mut group = 0;
        while group < groups {
            group += match at_once::<L, V>(groups - group) {
                4 => self.some_groups::<L, V, 4>(lanes, group, groups),
                2 => self.some_groups::<L, V, 2>(lanes, group, groups),
                _ => self.some_groups::<L, V, 1>(lanes, group, groups),
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
        let weights = self.weights.first_chunk::<V>().expect("weights of each vector");
        let mut sums = [[lanes.zeros(); G]; V];
        for page in self.pages.clone() {
            for pair in 0..PAGE_TOKENS / 2 {
                let mut values = [lanes.zeros(); G];
                for g in 0..G {
                    self.values.prefetch(lanes, page, pair, first + g);
                    values[g] = self.values.pairs(lanes, page, pair, first + g);
                }
                for v in 0..V {
                    for g in 0..G {
                        sums[v][g] = lanes.plus_products(sums[v][g], values[g], weights[v][page][pair]);
                    }
                }
            }
        }
        // The compiler keeps in memory what is indexed by a variable: this copy, so that the sums above are not.
        let sums = black_box(sums);
        for v in 0..V {
            let (scale, factor) = (lanes.splat(self.weight_scales[v]), lanes.splat(self.factors[v]));
            for (g, accumulator) in self.accumulator[v * groups + first..][..G].iter_mut().enumerate() {
                let before = lanes.mul(lanes.load(accumulator), factor);
                lanes.store(lanes.fma(lanes.to_floats(sums[v][g]), scale, before), accumulator);
            }
        }
        G
    }
}
