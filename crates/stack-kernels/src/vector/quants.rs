//! The quants of each format, taken out of their lines.

use super::registers::Bytes;
use crate::buffer::Line;
use crate::tile::quants::{FP4_E2M1, IQ4_NL_CODEBOOK};

/// The quants of a block of 32 columns.
pub(crate) trait Quants {
    /// Bits of the largest quant, where four stands for fewer, too.
    const BITS: u32;

    /// Whether all groups are taken alike, so that a loop over them need not be unrolled.
    #[cfg_attr(target_arch = "aarch64", expect(dead_code, reason = "only the x86 kernels ask"))]
    const IS_UNIFORM: bool = false;

    /// Returns one group of four columns.
    ///
    /// # Safety
    ///
    /// The processor must have the instructions of `B`, `block` must point to the lines of such a block, and `group`
    /// must be below eight.
    unsafe fn group<B: Bytes>(block: *const Line, group: usize) -> B;
}

/// Quants that were unpacked to bytes.
pub(crate) struct Unpacked<const BITS: u32>;

/// `Q4_0`, `Q4_1`, `Q4_K`.
pub(crate) struct Nibbles;

/// `Q5_0`, `Q5_1`, `Q5_K`.
pub(crate) struct FiveBits;

/// `Q6_K`.
pub(crate) struct SixBits;

/// `Q2_K`.
pub(crate) struct TwoBits;

/// `Q3_K`.
pub(crate) struct ThreeBits;

/// `IQ4_NL`, `IQ4_XS`.
pub(crate) struct Codebook;

/// MXFP4.
pub(crate) struct Fp4E2M1;

impl<const BITS: u32> Quants for Unpacked<BITS> {
    const BITS: u32 = BITS;
    const IS_UNIFORM: bool = true;

    #[inline(always)]
    unsafe fn group<B: Bytes>(block: *const Line, group: usize) -> B {
        // SAFETY: the caller vouches for eight lines.
        unsafe { B::load(block.add(group)) }
    }
}

impl Quants for Nibbles {
    const BITS: u32 = 4;

    #[inline(always)]
    unsafe fn group<B: Bytes>(block: *const Line, group: usize) -> B {
        // SAFETY: the caller vouches for four lines.
        let line = unsafe { B::load(block.add(group / 2)) };
        if group.is_multiple_of(2) { line.and(0x0F) } else { line.shr::<4>().and(0x0F) }
    }
}

impl Quants for FiveBits {
    const BITS: u32 = 5;

    #[inline(always)]
    unsafe fn group<B: Bytes>(block: *const Line, group: usize) -> B {
        // SAFETY: the caller vouches for five lines, four of which are those of nibbles.
        let (nibbles, high) = unsafe { (Nibbles::group::<B>(block, group), B::load(block.add(4))) };
        let high = match group {
            0 => high.shl::<4>(),
            1 => high.shl::<3>(),
            2 => high.shl::<2>(),
            3 => high.shl::<1>(),
            4 => high,
            5 => high.shr::<1>(),
            6 => high.shr::<2>(),
            _ => high.shr::<3>(),
        };
        nibbles.or(high.and(0x10))
    }
}

impl Quants for SixBits {
    const BITS: u32 = 6;

    #[inline(always)]
    unsafe fn group<B: Bytes>(block: *const Line, group: usize) -> B {
        let first = 3 * (group / 4);
        if group % 4 < 3 {
            // SAFETY: the caller vouches for six lines.
            return unsafe { B::load(block.add(first + group % 4)) }.and(0x3F);
        }
        // SAFETY: as above.
        let lines = unsafe {
            [B::load(block.add(first)), B::load(block.add(first + 1)), B::load(block.add(first + 2))]
        };
        let low = lines[0].shr::<6>().and(0x03).or(lines[1].shr::<4>().and(0x0C));
        low.or(lines[2].shr::<2>().and(0x30))
    }
}

impl Quants for TwoBits {
    const BITS: u32 = 4;

    #[inline(always)]
    unsafe fn group<B: Bytes>(block: *const Line, group: usize) -> B {
        // SAFETY: the caller vouches for two lines.
        let line = unsafe { B::load(block.add(group / 4)) };
        let line = match group % 4 {
            0 => line,
            1 => line.shr::<2>(),
            2 => line.shr::<4>(),
            _ => line.shr::<6>(),
        };
        line.and(0x03)
    }
}

impl Quants for ThreeBits {
    const BITS: u32 = 4;

    #[inline(always)]
    unsafe fn group<B: Bytes>(block: *const Line, group: usize) -> B {
        // SAFETY: the caller vouches for three lines, two of which are those of two bits.
        let (pairs, high) = unsafe { (TwoBits::group::<B>(block, group), B::load(block.add(2))) };
        let high = match group {
            0 => high.shl::<2>(),
            1 => high.shl::<1>(),
            2 => high,
            3 => high.shr::<1>(),
            4 => high.shr::<2>(),
            5 => high.shr::<3>(),
            6 => high.shr::<4>(),
            _ => high.shr::<5>(),
        };
        pairs.or(high.and(0x04))
    }
}

impl Quants for Codebook {
    const BITS: u32 = 8;

    #[inline(always)]
    unsafe fn group<B: Bytes>(block: *const Line, group: usize) -> B {
        // SAFETY: the caller vouches for four lines, which are those of nibbles.
        unsafe { Nibbles::group::<B>(block, group) }.look_up(&IQ4_NL_CODEBOOK)
    }
}

impl Quants for Fp4E2M1 {
    const BITS: u32 = 8;

    #[inline(always)]
    unsafe fn group<B: Bytes>(block: *const Line, group: usize) -> B {
        // SAFETY: the caller vouches for four lines, which are those of nibbles.
        unsafe { Nibbles::group::<B>(block, group) }.look_up(&FP4_E2M1)
    }
}

/// Evaluates an expression with the quants of a quantized format, and those that its unpacked bytes are.
macro_rules! with_quants {
    ($format:expr, $quants:ident => $body:expr) => {{
        use $crate::format::Format;
        use $crate::vector::quants;
        match $format {
            Format::Q4_0 | Format::Q4_1 | Format::Q4K => {
                type $quants = quants::Nibbles;
                $body
            }
            Format::Q5_0 | Format::Q5_1 | Format::Q5K => {
                type $quants = quants::FiveBits;
                $body
            }
            Format::Q6K => {
                type $quants = quants::SixBits;
                $body
            }
            Format::Q2K => {
                type $quants = quants::TwoBits;
                $body
            }
            Format::Q3K => {
                type $quants = quants::ThreeBits;
                $body
            }
            Format::Q8_0 => {
                type $quants = quants::Unpacked<8>;
                $body
            }
            Format::Iq4Nl | Format::Iq4Xs => {
                type $quants = quants::Codebook;
                $body
            }
            Format::Mxfp4 => {
                type $quants = quants::Fp4E2M1;
                $body
            }
            Format::F32 | Format::F16 | Format::Bf16 => unreachable!("floats have no quants"),
        }
    }};
}
pub(super) use with_quants;
