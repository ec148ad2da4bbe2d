//! The difference between formats: the reading of quants and scales from a tile.

use std::arch::x86_64::{__m512, __m512i, _mm512_setzero_ps, _mm512_setzero_si512};

use super::{load, quants, scales};
use crate::buffer::Line;
use crate::format::Format;
use crate::tile::quants::{FP4_E2M1, IQ4_NL_CODEBOOK};

/// A format's tile.
///
/// # Safety
///
/// Its functions may be called where the machine has the features of this module, with all the lines of a tile's
/// scales, for the blocks that the tile has.
pub(super) trait BlockFormat {
    /// The format.
    const FORMAT: Format;
    /// Lines of the quants of a block.
    const LINES: usize;
    /// Whether each half of a block has its own scale.
    const HALVES: bool = false;
    /// Whether scales come with mins.
    const MINS: bool = false;
    /// Whether activations have a scale per 32.
    const PER_32: bool = false;
    /// The index of the activations' compensation, of formats with a zero point.
    const COMPENSATION: usize = 0;

    /// Unpacks the quants of a block.
    ///
    /// # Safety
    ///
    /// As the trait says.
    ///
    /// # Panics
    ///
    /// When there are not `LINES` lines.
    unsafe fn quants(lines: &[Line]) -> [__m512i; 8];

    /// Returns `d`, the scale of all scales of a tile.
    ///
    /// # Safety
    ///
    /// As the trait says.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn d(_scales: &[Line]) -> __m512 {
        _mm512_setzero_ps()
    }

    /// Returns the scales of a block or half.
    ///
    /// # Safety
    ///
    /// As the trait says.
    unsafe fn scale(scales: &[Line], d: __m512, sub: usize) -> __m512;

    /// Returns a pair of mins.
    ///
    /// # Safety
    ///
    /// As the trait says.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn mins(_scales: &[Line], _pair: usize) -> __m512i {
        _mm512_setzero_si512()
    }

    /// Returns `dmin`, the scale of the mins; or, of formats with a scale per 32, the number that a block adds.
    ///
    /// # Safety
    ///
    /// As the trait says.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
    unsafe fn dmin(_scales: &[Line], _blocks: usize, _block: usize) -> __m512 {
        _mm512_setzero_ps()
    }
}

/// Writes the block formats as a table, since they differ in little.
macro_rules! block_formats {
    ($($name:ident {
        lines: $lines:literal,
        quants: |$l:ident| $quants:expr,
        $(halves: $halves:literal,)?
        $(per_32: $per_32:literal,)?
        $(compensation: $compensation:literal,)?
        $(d: |$ds:ident| $d:expr,)?
        scale: |$ss:tt, $sd:tt, $si:ident| $scale:expr,
        $(mins: |$ms:ident, $mi:ident| $mins:expr,)?
        $(dmin: |$fs:ident, $fn:tt, $fi:tt| $dmin:expr,)?
    })+) => {$(
        #[doc = concat!("The tile of ", stringify!($name), ".")]
        pub(super) struct $name;

        impl BlockFormat for $name {
            const FORMAT: Format = Format::$name;
            const LINES: usize = $lines;
            $(const HALVES: bool = $halves;)?
            $(const PER_32: bool = $per_32;)?
            $(const COMPENSATION: usize = $compensation;)?
            // A format that says how its dmin is read has mins.
            $(const MINS: bool = { let _ = stringify!($fs); true };)?

            #[inline]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
            unsafe fn quants($l: &[Line]) -> [__m512i; 8] {
                let $l: &[Line; $lines] = $l.try_into().expect("the caller gives one block");
                $quants
            }

            $(#[inline]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
            unsafe fn d($ds: &[Line]) -> __m512 {
                // SAFETY: the caller promises that the lines are those of a tile.
                unsafe { $d }
            })?

            #[inline]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
            unsafe fn scale($ss: &[Line], $sd: __m512, $si: usize) -> __m512 {
                // SAFETY: the caller promises that the lines are those of a tile that has it.
                unsafe { $scale }
            }

            $(#[inline]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
            unsafe fn mins($ms: &[Line], $mi: usize) -> __m512i {
                // SAFETY: the caller promises that the lines are those of a tile that has it.
                unsafe { $mins }
            })?

            $(#[inline]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
            unsafe fn dmin($fs: &[Line], $fn: usize, $fi: usize) -> __m512 {
                // SAFETY: the caller promises that the lines are those of a tile that has it.
                unsafe { $dmin }
            })?
        }
    )+};
}

block_formats! {
    Q4_0 {
        lines: 4,
        quants: |lines| quants::nibbles(lines),
        per_32: true,
        compensation: 0,
        scale: |scales, _, sub| load::halves(scales, 32 * sub),
    }
    Q4_1 {
        lines: 4,
        quants: |lines| quants::nibbles(lines),
        per_32: true,
        scale: |scales, _, sub| load::halves(scales, 32 * sub),
        dmin: |scales, blocks, block| load::halves(scales, 32 * (blocks + block)),
    }
    Q5_0 {
        lines: 5,
        quants: |lines| quants::five_bits(lines),
        per_32: true,
        compensation: 1,
        scale: |scales, _, sub| load::halves(scales, 32 * sub),
    }
    Q5_1 {
        lines: 5,
        quants: |lines| quants::five_bits(lines),
        per_32: true,
        scale: |scales, _, sub| load::halves(scales, 32 * sub),
        dmin: |scales, blocks, block| load::halves(scales, 32 * (blocks + block)),
    }
    Q8_0 {
        lines: 8,
        quants: |lines| quants::bytes(lines),
        per_32: true,
        compensation: 2,
        scale: |scales, _, sub| load::halves(scales, 32 * sub),
    }
    Iq4Nl {
        lines: 4,
        quants: |lines| quants::looked_up(lines, &IQ4_NL_CODEBOOK),
        per_32: true,
        compensation: 2,
        scale: |scales, _, sub| load::halves(scales, 32 * sub),
    }
    Mxfp4 {
        lines: 4,
        quants: |lines| quants::looked_up(lines, &FP4_E2M1),
        per_32: true,
        compensation: 2,
        scale: |scales, _, sub| scales::halves_of_powers(scales, sub),
    }
    Q2K {
        lines: 2,
        quants: |lines| quants::two_bits(lines),
        halves: true,
        d: |scales| load::halves(scales, 256),
        scale: |scales, d, sub| scales::low_nibbles(scales, d, sub),
        mins: |scales, pair| scales::high_nibbles(scales, pair),
        dmin: |scales, _, _| load::halves(scales, 288),
    }
    Q3K {
        lines: 3,
        quants: |lines| quants::three_bits(lines),
        halves: true,
        compensation: 0,
        d: |scales| load::halves(scales, 256),
        scale: |scales, d, sub| scales::signed(scales, d, sub),
    }
    Q4K {
        lines: 4,
        quants: |lines| quants::nibbles(lines),
        d: |scales| load::halves(scales, 256),
        scale: |scales, d, sub| scales::unsigned(scales, d, sub),
        mins: |scales, pair| scales::pairs(scales, 128, pair),
        dmin: |scales, _, _| load::halves(scales, 288),
    }
    Q5K {
        lines: 5,
        quants: |lines| quants::five_bits(lines),
        d: |scales| load::halves(scales, 256),
        scale: |scales, d, sub| scales::unsigned(scales, d, sub),
        mins: |scales, pair| scales::pairs(scales, 128, pair),
        dmin: |scales, _, _| load::halves(scales, 288),
    }
    Q6K {
        lines: 6,
        quants: |lines| quants::six_bits(lines),
        halves: true,
        compensation: 1,
        d: |scales| load::halves(scales, 256),
        scale: |scales, d, sub| scales::signed(scales, d, sub),
    }
    Iq4Xs {
        lines: 4,
        quants: |lines| quants::looked_up(lines, &IQ4_NL_CODEBOOK),
        compensation: 2,
        d: |scales| load::halves(scales, 128),
        scale: |scales, d, sub| scales::signed(scales, d, sub),
    }
}
