//! Keys and values of one tile as pairs of whole numbers.
//!
//! Two numbers of 16 bits are a pair, as the integer dot product reads them: two dimensions of a key, or one dimension of
//! two tokens' values. Each token has its scale. Many query vectors read pairs that were unpacked for all
//! of them, few take the numbers from their pages.

use std::ops::Range;

use super::params::TILE;
use crate::kv::{Element, Line, PAGE_TOKENS};
use crate::lanes::{Kernel, LANES, Lanes};

/// The keys or the values of one head in a tile, page by page.
pub(super) struct Tokens<'a, E: Element> {
    numbers: [E::Slice<'a>; TILE / LANES],
    /// The scale of each token of a page.
    pub(super) scales: [&'a [f32; LANES]; TILE / LANES],
}

impl<'a, E: Element> Tokens<'a, E> {
    /// No tokens at all.
    pub(super) fn none() -> Self {
        Self { numbers: [E::empty(); TILE / LANES], scales: [&[0.0; LANES]; TILE / LANES] }
    }

    /// Views the lines of a head in one page of the tile.
    #[inline(always)]
    pub(super) fn set_page(&mut self, page: usize, lines: &'a [Line], groups: usize) {
        let (numbers, scales) = Line::split_token_scales(lines);
        self.numbers[page] = E::view(numbers, groups);
        self.scales[page] = scales;
    }

    /// Makes ready to round the numbers of some pages, and to prefetch those of `ahead` meanwhile.
    #[inline(always)]
    pub(super) fn rounding<'t, L: Lanes>(
        &'t self,
        lanes: L,
        pages: Range<usize>,
        ahead: &'t Self,
    ) -> Rounding<'t, 'a, E> {
        let (zero, mut inverses) = (lanes.splat(0.0), [[0.0; LANES]; TILE / LANES]);
        for page in pages {
            let scales = lanes.load(self.scales[page]);
            let inverse = lanes.div(lanes.splat(1.0), scales);
            lanes.store(lanes.select_less(zero, scales, inverse, zero), &mut inverses[page]);
        }
        Rounding { tokens: self, inverses, ahead }
    }
}

/// Tokens whose numbers are rounded to whole ones.
pub(super) struct Rounding<'a, 'p, E: Element> {
    tokens: &'a Tokens<'p, E>,
    /// The factors that make whole numbers of each page's: zero where those are nothing.
    inverses: [[f32; LANES]; TILE / LANES],
    /// The tokens that are needed next.
    ahead: &'a Tokens<'p, E>,
}

impl<E: Element> Rounding<'_, '_, E> {
    /// Prefetches what is needed next, two groups at a time.
    #[inline(always)]
    fn prefetch<L: Lanes>(&self, lanes: L, page: usize, index: usize) {
        E::prefetch(lanes, self.ahead.numbers[page], 2 * index);
    }
}

/// A source of pairs.
pub(super) trait PairSource {
    /// Sixteen pairs of a page.
    fn pairs<L: Lanes>(&self, lanes: L, page: usize, row: usize, column: usize) -> L::I32;

    /// Prefetches what is needed after all of these, and lies about as far.
    fn prefetch<L: Lanes>(&self, lanes: L, page: usize, row: usize, column: usize);

    /// Rows and columns of a page.
    fn shape(&self) -> (usize, usize);
}

/// Keys: a row is a pair of dimensions, of which an odd last one is followed by zeros, and has one column.
pub(super) struct Keys<'a, 'p, E: Element> {
    /// Next come the values of the same tokens.
    pub(super) rounding: Rounding<'a, 'p, E>,
    pub(super) length: usize,
}

impl<E: Element> PairSource for Keys<'_, '_, E> {
    #[inline(always)]
    fn pairs<L: Lanes>(&self, lanes: L, page: usize, row: usize, _: usize) -> L::I32 {
        let Rounding { tokens, inverses, .. } = &self.rounding;
        let (numbers, inverse) = (tokens.numbers[page], lanes.load(&inverses[page]));
        let lower = lanes.round(lanes.mul(E::key(lanes, numbers, 2 * row), inverse));
        let mut higher = lanes.zeros();
        if 2 * row + 1 < self.length {
            higher = lanes.round(lanes.mul(E::key(lanes, numbers, 2 * row + 1), inverse));
        }
        lanes.pair_up(lower, higher)
    }

    #[inline(always)]
    fn prefetch<L: Lanes>(&self, lanes: L, page: usize, row: usize, _: usize) {
        self.rounding.prefetch(lanes, page, row);
    }

    #[inline(always)]
    fn shape(&self) -> (usize, usize) {
        (self.length.div_ceil(2), 1)
    }
}

/// Values: a row is a pair of tokens, a column sixteen dimensions.
pub(super) struct Values<'a, 'p, E: Element> {
    /// Next come the keys of the tile that follows.
    pub(super) rounding: Rounding<'a, 'p, E>,
    pub(super) groups: usize,
}

impl<E: Element> PairSource for Values<'_, '_, E> {
    #[inline(always)]
    fn pairs<L: Lanes>(&self, lanes: L, page: usize, row: usize, column: usize) -> L::I32 {
        let Rounding { tokens, inverses, .. } = &self.rounding;
        let (numbers, inverses) = (tokens.numbers[page], &inverses[page]);
        let mut both = [lanes.zeros(); 2];
        for (token, whole) in both.iter_mut().enumerate() {
            let token = 2 * row + token;
            let value = E::value(lanes, numbers, token, column, self.groups);
            *whole = lanes.round(lanes.mul(value, lanes.splat(inverses[token])));
        }
        lanes.pair_up(both[0], both[1])
    }

    #[inline(always)]
    fn prefetch<L: Lanes>(&self, lanes: L, page: usize, row: usize, column: usize) {
        self.rounding.prefetch(lanes, page, row * self.groups + column);
    }

    #[inline(always)]
    fn shape(&self) -> (usize, usize) {
        (PAGE_TOKENS / 2, self.groups)
    }
}

/// Pairs that were unpacked before.
pub(super) struct UnpackedPairs<'a> {
    pub(super) pairs: &'a [[i32; LANES]],
    pub(super) shape: (usize, usize),
}

impl PairSource for UnpackedPairs<'_> {
    #[inline(always)]
    fn pairs<L: Lanes>(&self, lanes: L, page: usize, row: usize, column: usize) -> L::I32 {
        let (rows, columns) = self.shape;
        lanes.load_pairs(&self.pairs[(page * rows + row) * columns + column])
    }

    #[inline(always)]
    fn prefetch<L: Lanes>(&self, _: L, _: usize, _: usize, _: usize) {}

    #[inline(always)]
    fn shape(&self) -> (usize, usize) {
        self.shape
    }
}

/// Unpacks pairs and returns them as a [`UnpackedPairs`].
pub(super) struct Unpack<'a, S: PairSource> {
    pub(super) source: &'a S,
    pub(super) pages: Range<usize>,
    pub(super) pairs: &'a mut [[i32; LANES]],
}

impl<'a, S: PairSource> Kernel for Unpack<'a, S> {
    type Output = UnpackedPairs<'a>;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> UnpackedPairs<'a> {
        let shape = self.source.shape();
        let (rows, columns) = shape;
        for page in self.pages {
            let pairs = &mut self.pairs[page * rows * columns..][..rows * columns];
            for (row, pairs) in pairs.chunks_exact_mut(columns).enumerate() {
                for (column, to) in pairs.iter_mut().enumerate() {
                    self.source.prefetch(lanes, page, row, column);
                    lanes.store_pairs(self.source.pairs(lanes, page, row, column), to);
                }
            }
        }
        UnpackedPairs { pairs: self.pairs, shape }
    }
}
