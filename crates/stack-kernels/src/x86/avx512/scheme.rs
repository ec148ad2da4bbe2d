//! What differs from format to format: how codes and scales are read from a tile.

use std::arch::x86_64::{__m512, __m512i, _mm512_setzero_ps, _mm512_setzero_si512};

use super::{codes, load, scales};
use crate::buffer::Line;
use crate::format::Format;
use crate::scalar;

/// A format's tile.
///
/// # Safety
///
/// Its functions may be called where the machine has the features of this module, with all the lines of a tile's
/// scales, for the blocks that the tile has.
pub(super) trait Scheme {
    /// The format.
    const FORMAT: Format;
    /// Lines of the codes of a block.
    const LINES: usize;
    /// Whether each half of a block has its own scale.
    const HALVES: bool = false;
    /// Whether scales come with minima.
    const MINIMA: bool = false;
    /// Whether activations have a scale per 32.
    const PER_32: bool = false;
    /// Where sums begin, of formats with an offset.
    const START: usize = 0;

    /// Unpacks the codes of a block.
    ///
    /// # Safety
    ///
    /// As the trait says.
    ///
    /// # Panics
    ///
    /// When there are not `LINES` lines.
    unsafe fn codes(lines: &[Line]) -> [__m512i; 8];

    /// Returns what scales all scales of a tile.
    ///
    /// # Safety
    ///
    /// As the trait says.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn head(_scales: &[Line]) -> __m512 {
        _mm512_setzero_ps()
    }

    /// Returns the scales of a block or half.
    ///
    /// # Safety
    ///
    /// As the trait says.
    unsafe fn scale(scales: &[Line], head: __m512, sub: usize) -> __m512;

    /// Returns a pair of minima.
    ///
    /// # Safety
    ///
    /// As the trait says.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn minima(_scales: &[Line], _pair: usize) -> __m512i {
        _mm512_setzero_si512()
    }

    /// Returns what scales the minima, or what a block adds.
    ///
    /// # Safety
    ///
    /// As the trait says.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn floor(_scales: &[Line], _blocks: usize, _block: usize) -> __m512 {
        _mm512_setzero_ps()
    }
}

/// Writes the schemes as a table, since they differ in little.
macro_rules! schemes {
    ($($name:ident {
        lines: $lines:literal,
        codes: |$l:ident| $codes:expr,
        $(halves: $halves:literal,)?
        $(per_32: $per_32:literal,)?
        $(start: $start:literal,)?
        $(head: |$hs:ident| $head:expr,)?
        scale: |$ss:tt, $sh:tt, $si:ident| $scale:expr,
        $(minima: |$ms:ident, $mi:ident| $minima:expr,)?
        $(floor: |$fs:ident, $fn:tt, $fi:tt| $floor:expr,)?
    })+) => {$(
        #[doc = concat!("The tile of ", stringify!($name), ".")]
        pub(super) struct $name;

        impl Scheme for $name {
            const FORMAT: Format = Format::$name;
            const LINES: usize = $lines;
            $(const HALVES: bool = $halves;)?
            $(const PER_32: bool = $per_32;)?
            $(const START: usize = $start;)?
            // A format that says how its floor is read has minima.
            $(const MINIMA: bool = { let _ = stringify!($fs); true };)?

            #[inline]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
            unsafe fn codes($l: &[Line]) -> [__m512i; 8] {
                let $l: &[Line; $lines] = $l.try_into().expect("the caller gives one block");
                $codes
            }

            $(#[inline]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
            unsafe fn head($hs: &[Line]) -> __m512 {
                // SAFETY: the caller promises that the lines are those of a tile.
                unsafe { $head }
            })?

            #[inline]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
            unsafe fn scale($ss: &[Line], $sh: __m512, $si: usize) -> __m512 {
                // SAFETY: the caller promises that the lines are those of a tile that has it.
                unsafe { $scale }
            }

            $(#[inline]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
            unsafe fn minima($ms: &[Line], $mi: usize) -> __m512i {
                // SAFETY: the caller promises that the lines are those of a tile that has it.
                unsafe { $minima }
            })?

            $(#[inline]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
            unsafe fn floor($fs: &[Line], $fn: usize, $fi: usize) -> __m512 {
                // SAFETY: the caller promises that the lines are those of a tile that has it.
                unsafe { $floor }
            })?
        }
    )+};
}

schemes! {
    Q4_0 {
        lines: 4,
        codes: |lines| codes::nibbles(lines),
        per_32: true,
        start: 0,
        scale: |scales, _, sub| load::halves(scales, 32 * sub),
    }
    Q4_1 {
        lines: 4,
        codes: |lines| codes::nibbles(lines),
        per_32: true,
        scale: |scales, _, sub| load::halves(scales, 32 * sub),
        floor: |scales, blocks, block| load::halves(scales, 32 * (blocks + block)),
    }
    Q5_0 {
        lines: 5,
        codes: |lines| codes::five_bits(lines),
        per_32: true,
        start: 1,
        scale: |scales, _, sub| load::halves(scales, 32 * sub),
    }
    Q5_1 {
        lines: 5,
        codes: |lines| codes::five_bits(lines),
        per_32: true,
        scale: |scales, _, sub| load::halves(scales, 32 * sub),
        floor: |scales, blocks, block| load::halves(scales, 32 * (blocks + block)),
    }
    Q8_0 {
        lines: 8,
        codes: |lines| codes::bytes(lines),
        per_32: true,
        start: 2,
        scale: |scales, _, sub| load::halves(scales, 32 * sub),
    }
    Iq4Nl {
        lines: 4,
        codes: |lines| codes::looked_up(lines, &scalar::UNEVEN),
        per_32: true,
        start: 2,
        scale: |scales, _, sub| load::halves(scales, 32 * sub),
    }
    Mxfp4 {
        lines: 4,
        codes: |lines| codes::looked_up(lines, &scalar::FLOATS),
        per_32: true,
        start: 2,
        scale: |scales, _, sub| scales::halves_of_powers(scales, sub),
    }
    Q2K {
        lines: 2,
        codes: |lines| codes::two_bits(lines),
        halves: true,
        head: |scales| load::halves(scales, 256),
        scale: |scales, head, sub| scales::low_nibbles(scales, head, sub),
        minima: |scales, pair| scales::high_nibbles(scales, pair),
        floor: |scales, _, _| load::halves(scales, 288),
    }
    Q3K {
        lines: 3,
        codes: |lines| codes::three_bits(lines),
        halves: true,
        start: 0,
        head: |scales| load::halves(scales, 256),
        scale: |scales, head, sub| scales::signed(scales, head, sub),
    }
    Q4K {
        lines: 4,
        codes: |lines| codes::nibbles(lines),
        head: |scales| load::halves(scales, 256),
        scale: |scales, head, sub| scales::unsigned(scales, head, sub),
        minima: |scales, pair| scales::pairs(scales, 128, pair),
        floor: |scales, _, _| load::halves(scales, 288),
    }
    Q5K {
        lines: 5,
        codes: |lines| codes::five_bits(lines),
        head: |scales| load::halves(scales, 256),
        scale: |scales, head, sub| scales::unsigned(scales, head, sub),
        minima: |scales, pair| scales::pairs(scales, 128, pair),
        floor: |scales, _, _| load::halves(scales, 288),
    }
    Q6K {
        lines: 6,
        codes: |lines| codes::six_bits(lines),
        halves: true,
        start: 1,
        head: |scales| load::halves(scales, 256),
        scale: |scales, head, sub| scales::signed(scales, head, sub),
    }
    Iq4Xs {
        lines: 4,
        codes: |lines| codes::looked_up(lines, &scalar::UNEVEN),
        start: 2,
        head: |scales| load::halves(scales, 128),
        scale: |scales, head, sub| scales::signed(scales, head, sub),
    }
}
