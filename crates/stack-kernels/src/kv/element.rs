//! The numbers that keys and values are held as.
//!
//! The keys or values of one head in one page are groups of sixteen numbers: the keys of sixteen tokens in one dimension,
//! or sixteen dimensions of one token's value. Thirty-two dimensions of a token are a block, which may have a scale.

use super::page::{Line, PAGE_TOKENS};
use crate::lanes::{LANES, Lanes, largest_magnitude, load_part};

/// A way to hold numbers.
pub(crate) trait Element: 'static {
    /// The keys or values of one head in one page.
    type Slice<'a>: Copy;

    /// A slice without numbers.
    fn empty<'a>() -> Self::Slice<'a>;
    /// Lines that so many groups of so many blocks take.
    fn lines(groups: usize, blocks: usize) -> usize;
    fn view(lines: &[Line], groups: usize) -> Self::Slice<'_>;
    /// Brings a group nearer, if there is one. Into the second cache: the nearest one keeps fewer requests under way (13 GB/s
    /// on a core of Zen 4 where the next one reads 17).
    fn prefetch<L: Lanes>(lanes: L, slice: Self::Slice<'_>, group: usize);
    /// The keys of all tokens in one dimension.
    fn key<L: Lanes>(lanes: L, slice: Self::Slice<'_>, dimension: usize) -> L::F32;
    /// One group of a token's value, which has `groups`.
    fn value<L: Lanes>(lanes: L, slice: Self::Slice<'_>, token: usize, group: usize, groups: usize)
    -> L::F32;
    /// Writes one block of a token's key.
    fn put_key<L: Lanes>(lanes: L, to: &mut [Line], length: usize, token: usize, block: usize, key: &[f32]);
    /// Writes one block of a token's value, which has `groups`.
    fn put_value<L: Lanes>(
        lanes: L,
        to: &mut [Line],
        groups: usize,
        token: usize,
        block: usize,
        value: &[f32],
    );
}

/// Half precision, as its bits. What is beyond its range is held as its largest number, never as infinity.
pub(crate) struct Half;

/// A whole number of 8 bits, times the scale of its block.
pub(crate) struct Scaled;

impl Element for Half {
    type Slice<'a> = &'a [[u16; LANES]];

    #[inline(always)]
    fn empty<'a>() -> Self::Slice<'a> {
        &[]
    }

    fn lines(groups: usize, _: usize) -> usize {
        groups.div_ceil(HALVES_PER_LINE)
    }

    #[inline(always)]
    fn view(lines: &[Line], groups: usize) -> Self::Slice<'_> {
        &Line::halves(lines)[..groups]
    }

    #[inline(always)]
    fn prefetch<L: Lanes>(lanes: L, slice: Self::Slice<'_>, group: usize) {
        if let Some(soon) = slice.get(group) {
            lanes.prefetch(soon);
        }
    }

    #[inline(always)]
    fn key<L: Lanes>(lanes: L, slice: Self::Slice<'_>, dimension: usize) -> L::F32 {
        lanes.load_f16(&slice[dimension])
    }

    #[inline(always)]
    fn value<L: Lanes>(
        lanes: L,
        slice: Self::Slice<'_>,
        token: usize,
        group: usize,
        groups: usize,
    ) -> L::F32 {
        lanes.load_f16(&slice[token * groups + group])
    }

    #[inline(always)]
    fn put_key<L: Lanes>(lanes: L, to: &mut [Line], _: usize, token: usize, block: usize, key: &[f32]) {
        let to = &mut Line::halves_mut(to)[block * BLOCK..][..key.len()];
        for (key, to) in key.chunks(LANES).zip(to.chunks_mut(LANES)) {
            let numbers = halves(lanes, key);
            for dimension in 0..to.len() {
                to[dimension][token] = numbers[dimension];
            }
        }
    }

    #[inline(always)]
    fn put_value<L: Lanes>(
        lanes: L,
        to: &mut [Line],
        groups: usize,
        token: usize,
        block: usize,
        value: &[f32],
    ) {
        let to = &mut Line::halves_mut(to)[token * groups + block * (BLOCK / LANES)..];
        for (value, to) in value.chunks(LANES).zip(to) {
            *to = halves(lanes, value);
        }
    }
}

/// Rounds up to sixteen numbers.
#[inline(always)]
fn halves<L: Lanes>(lanes: L, x: &[f32]) -> [u16; LANES] {
    let mut numbers = [0; LANES];
    let x = lanes.max(lanes.splat(-F16_MAX), load_part(lanes, x, 0.0));
    lanes.store_f16(lanes.min(lanes.splat(F16_MAX), x), &mut numbers);
    numbers
}

/// The whole numbers come first, then the scales: for each block a line with one for each token.
impl Element for Scaled {
    type Slice<'a> = (&'a [[i8; LANES]], &'a [[f32; PAGE_TOKENS]]);

    #[inline(always)]
    fn empty<'a>() -> Self::Slice<'a> {
        (&[], &[])
    }

    fn lines(groups: usize, blocks: usize) -> usize {
        groups.div_ceil(BYTES_PER_LINE) + blocks
    }

    #[inline(always)]
    fn view(lines: &[Line], groups: usize) -> Self::Slice<'_> {
        let (numbers, scales) = lines.split_at(groups.div_ceil(BYTES_PER_LINE));
        (&Line::bytes(numbers)[..groups], Line::floats(scales))
    }

    #[inline(always)]
    fn prefetch<L: Lanes>(lanes: L, (numbers, _): Self::Slice<'_>, group: usize) {
        if let Some(soon) = numbers.get(group) {
            lanes.prefetch(soon);
        }
    }

    #[inline(always)]
    fn key<L: Lanes>(lanes: L, (numbers, scales): Self::Slice<'_>, dimension: usize) -> L::F32 {
        lanes.mul(lanes.load_i8(&numbers[dimension]), lanes.load(&scales[dimension / BLOCK]))
    }

    #[inline(always)]
    fn value<L: Lanes>(
        lanes: L,
        (numbers, scales): Self::Slice<'_>,
        token: usize,
        group: usize,
        groups: usize,
    ) -> L::F32 {
        let scale = scales[group / (BLOCK / LANES)][token];
        lanes.mul(lanes.load_i8(&numbers[token * groups + group]), lanes.splat(scale))
    }

    #[inline(always)]
    fn put_key<L: Lanes>(lanes: L, to: &mut [Line], length: usize, token: usize, block: usize, key: &[f32]) {
        let (numbers, scales) = to.split_at_mut(length.div_ceil(BYTES_PER_LINE));
        let (whole, scale) = round_block(lanes, key);
        Line::floats_mut(scales)[block][token] = scale;
        let numbers = &mut Line::bytes_mut(numbers)[block * BLOCK..][..key.len()];
        for dimension in 0..numbers.len() {
            numbers[dimension][token] = whole[dimension];
        }
    }

    #[inline(always)]
    fn put_value<L: Lanes>(
        lanes: L,
        to: &mut [Line],
        groups: usize,
        token: usize,
        block: usize,
        value: &[f32],
    ) {
        let (numbers, scales) = to.split_at_mut((groups * PAGE_TOKENS).div_ceil(BYTES_PER_LINE));
        let (whole, scale) = round_block(lanes, value);
        Line::floats_mut(scales)[block][token] = scale;
        let numbers = Line::bytes_mut(numbers).as_flattened_mut();
        let start = (token * groups + block * (BLOCK / LANES)) * LANES;
        numbers[start..start + value.len()].copy_from_slice(&whole[..value.len()]);
    }
}

/// The scale by which a key or a value becomes whole numbers of at most [`WHOLE_MAX`]; 0 if it is too small for
/// that or not finite.
#[inline(always)]
pub(super) fn token_scale<L: Lanes>(lanes: L, vector: &[f32]) -> f32 {
    let scale = largest_magnitude(lanes, vector).min(F16_MAX) / f32::from(WHOLE_MAX);
    if scale >= SCALE_MIN { scale } else { 0.0 }
}

/// Rounds a block to whole numbers from −127 to 127 and returns them and their scale. What is not finite becomes zero.
#[inline(always)]
fn round_block<L: Lanes>(lanes: L, block: &[f32]) -> ([i8; BLOCK], f32) {
    let mut numbers = [0.0; BLOCK];
    numbers[..block.len()].copy_from_slice(block);
    let (groups, _) = numbers.as_chunks_mut::<LANES>();
    let mut largest = lanes.splat(0.0);
    for group in &*groups {
        let x = lanes.load(group);
        largest = lanes.max(lanes.max(largest, x), lanes.sub(lanes.splat(0.0), x));
    }
    let largest = lanes.largest(largest);
    let mut whole = [0; BLOCK];
    if !(largest.is_normal() && largest < f32::MAX / 127.0) {
        return (whole, 0.0);
    }
    for group in groups {
        // The product is at most 127 and a little; adding 1.5 · 2²³ rounds it and leaves it in the low bits.
        let product = lanes.mul(lanes.load(group), lanes.splat(127.0 / largest));
        lanes.store(lanes.add(product, lanes.splat(ROUND)), group);
    }
    for (whole, x) in whole.iter_mut().zip(numbers) {
        *whole = x.to_bits() as i8;
    }
    (whole, largest / 127.0)
}

/// The largest whole number that attention computes with. Rounding to half precision may add one.
pub(crate) const WHOLE_MAX: u16 = 2047;
/// Less is nothing: half precision itself ends at 6e-8.
const SCALE_MIN: f32 = 1e-30;
/// Dimensions in a block.
pub(super) const BLOCK: usize = 32;
const BYTES_PER_LINE: usize = size_of::<Line>() / LANES;
const HALVES_PER_LINE: usize = size_of::<Line>() / (2 * LANES);
const F16_MAX: f32 = 65504.0;
const ROUND: f32 = 12_582_912.0;
