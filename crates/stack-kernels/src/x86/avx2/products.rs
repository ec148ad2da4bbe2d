//! Products of bytes in AVX2, with and without the integer dot product.

use std::arch::x86_64::{
    __m256i, _mm256_abs_epi8, _mm256_add_epi16, _mm256_add_epi32, _mm256_dpbusd_avx_epi32, _mm256_madd_epi16,
    _mm256_maddubs_epi16, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_si256,
    _mm256_sign_epi8, _mm256_xor_si256,
};
use std::hint::black_box;
use std::marker::PhantomData;

use super::float::Floats;
use super::integer::{Bytes, Ints};
use crate::buffer::Line;
use crate::vector::{Ints as _, Quants, Vectors};

/// AVX2: pairs of products are summed in 16 bits, as many groups as fit, and then in 32.
#[derive(Clone, Copy)]
pub(crate) struct MultiplyAdd;

impl Vectors for MultiplyAdd {
    type Floats = Floats;
    type Ints = Ints;
    type Bytes = Bytes;

    #[inline(always)]
    unsafe fn products<Q: Quants, const GROUPS: usize, const ROWS: usize>(
        block: *const Line,
        group: usize,
        x: [*const i32; ROWS],
        compensation: [i32; ROWS],
    ) -> [Ints; ROWS] {
        // SAFETY: the caller vouches for all of it.
        unsafe {
            match Q::BITS {
                4 => unsigned::<Q, GROUPS, ROWS, 8>(block, group, x, compensation),
                5 => unsigned::<Q, GROUPS, ROWS, 4>(block, group, x, compensation),
                6 => unsigned::<Q, GROUPS, ROWS, 2>(block, group, x, compensation),
                _ => signed::<Q, GROUPS, ROWS>(block, group, x),
            }
        }
    }
}

/// Multiplies quants so small that the products of `TOGETHER` groups fit 16 bits: of two columns each, 8 times
/// 2 · 15 · 127, 4 times 2 · 31 · 127 and 2 times 2 · 63 · 127 are all below 32768.
///
/// # Safety
///
/// As for [`Vectors::products`].
#[inline(always)]
unsafe fn unsigned<Q: Quants, const GROUPS: usize, const ROWS: usize, const TOGETHER: usize>(
    block: *const Line,
    group: usize,
    x: [*const i32; ROWS],
    compensation: [i32; ROWS],
) -> [Ints; ROWS] {
    // SAFETY: the caller vouches for AVX2, for the lines of the block and for `GROUPS` words of each row.
    unsafe {
        let mut sums = [Ints::splat(0); ROWS];
        for row in 0..ROWS {
            sums[row] = Ints::splat(compensation[row]);
        }
        let ones = _mm256_set1_epi16(1);
        for first in (0..GROUPS).step_by(TOGETHER) {
            let mut shorts = [(_mm256_setzero_si256(), _mm256_setzero_si256()); ROWS];
            let pairs = GROUPS.min(TOGETHER) / 2;
            // Unrolled further, sums would be reordered until they no longer fit the registers.
            for pair in 0..if Q::IS_UNIFORM && pairs > 1 { black_box(pairs) } else { pairs } {
                for step in [first + 2 * pair, first + 2 * pair + 1] {
                    let quants = Q::group::<Bytes>(block, group + step);
                    for row in 0..ROWS {
                        let x = _mm256_set1_epi32(x[row].add(step).read());
                        shorts[row].0 = _mm256_add_epi16(shorts[row].0, _mm256_maddubs_epi16(quants.0, x));
                        shorts[row].1 = _mm256_add_epi16(shorts[row].1, _mm256_maddubs_epi16(quants.1, x));
                    }
                }
            }
            for row in 0..ROWS {
                sums[row].0 = _mm256_add_epi32(sums[row].0, _mm256_madd_epi16(shorts[row].0, ones));
                sums[row].1 = _mm256_add_epi32(sums[row].1, _mm256_madd_epi16(shorts[row].1, ones));
            }
        }
        sums
    }
}

/// Multiplies quants of eight bits, of which even two products overflow 16 bits: 128 is subtracted, which leaves
/// 2 · 128 · 127, and signs move to the activations. Sums begin at zero then.
///
/// # Safety
///
/// As for [`Vectors::products`].
#[inline(always)]
unsafe fn signed<Q: Quants, const GROUPS: usize, const ROWS: usize>(
    block: *const Line,
    group: usize,
    x: [*const i32; ROWS],
) -> [Ints; ROWS] {
    // SAFETY: the caller vouches for AVX2, for the lines of the block and for `GROUPS` words of each row.
    unsafe {
        let mut sums = [Ints::splat(0); ROWS];
        let (ones, top) = (_mm256_set1_epi16(1), _mm256_set1_epi8(i8::MIN));
        for step in 0..GROUPS {
            let quants = Q::group::<Bytes>(block, group + step);
            let quants = (_mm256_xor_si256(quants.0, top), _mm256_xor_si256(quants.1, top));
            let sizes = (_mm256_abs_epi8(quants.0), _mm256_abs_epi8(quants.1));
            for row in 0..ROWS {
                let x = _mm256_set1_epi32(x[row].add(step).read());
                let low = _mm256_maddubs_epi16(sizes.0, _mm256_sign_epi8(x, quants.0));
                let high = _mm256_maddubs_epi16(sizes.1, _mm256_sign_epi8(x, quants.1));
                sums[row].0 = _mm256_add_epi32(sums[row].0, _mm256_madd_epi16(low, ones));
                sums[row].1 = _mm256_add_epi32(sums[row].1, _mm256_madd_epi16(high, ones));
            }
        }
        sums
    }
}

/// AVX-VNNI: four products are summed in 32 bits at once.
pub(crate) type Vnni = DotProducts<Vex>;

/// The instruction that multiplies unsigned bytes with signed ones and adds each four products to a sum.
pub(crate) trait Dot: Copy {
    /// Executes it.
    ///
    /// # Safety
    ///
    /// The processor must have the instruction.
    unsafe fn dot(sums: __m256i, quants: __m256i, x: __m256i) -> __m256i;
}

/// Its encoding in AVX-VNNI.
#[derive(Clone, Copy)]
pub(crate) struct Vex;

impl Dot for Vex {
    #[inline(always)]
    unsafe fn dot(sums: __m256i, quants: __m256i, x: __m256i) -> __m256i {
        // SAFETY: the caller vouches for AVX-VNNI.
        unsafe { _mm256_dpbusd_avx_epi32(sums, quants, x) }
    }
}

/// Sums by that instruction.
#[derive(Clone, Copy)]
pub(crate) struct DotProducts<D>(PhantomData<D>);

impl<D: Dot> Vectors for DotProducts<D> {
    type Floats = Floats;
    type Ints = Ints;
    type Bytes = Bytes;

    #[inline(always)]
    unsafe fn products<Q: Quants, const GROUPS: usize, const ROWS: usize>(
        block: *const Line,
        group: usize,
        x: [*const i32; ROWS],
        compensation: [i32; ROWS],
    ) -> [Ints; ROWS] {
        // SAFETY: the caller vouches for the instruction, for the lines of the block and for `GROUPS` words of each row.
        unsafe {
            let mut sums = [Ints::splat(0); ROWS];
            for row in 0..ROWS {
                sums[row] = Ints::splat(compensation[row]);
            }
            for step in 0..GROUPS {
                let quants = Q::group::<Bytes>(block, group + step);
                for row in 0..ROWS {
                    let x = _mm256_set1_epi32(x[row].add(step).read());
                    sums[row].0 = D::dot(sums[row].0, quants.0, x);
                    sums[row].1 = D::dot(sums[row].1, quants.1, x);
                }
            }
            sums
        }
    }
}

#[cfg(test)]
mod tests {
    use std::arch::x86_64::_mm256_dpbusd_epi32;

    use super::*;
    use crate::vector::quants::Unpacked;

    /// The encoding in AVX-512, of the same meaning: more machines have it.
    #[derive(Clone, Copy)]
    struct Evex;

    impl Dot for Evex {
        #[inline(always)]
        unsafe fn dot(sums: __m256i, quants: __m256i, x: __m256i) -> __m256i {
            // SAFETY: the caller vouches for AVX-512 VL and VNNI.
            unsafe { _mm256_dpbusd_epi32(sums, quants, x) }
        }
    }

    /// Both ways, for the quants of a number of bits.
    #[target_feature(enable = "avx2,fma,f16c,avx512vl,avx512vnni")]
    fn both<const BITS: u32>(block: &[Line; 8], x: &[[i32; 8]; 4]) -> [[[i32; 16]; 4]; 2] {
        let pointers = x.each_ref().map(|x| x.as_ptr());
        let compensation = x.map(|words| {
            let bytes = words.into_iter().flat_map(i32::to_le_bytes);
            -128 * bytes.map(|byte| i32::from(byte.cast_signed())).sum::<i32>()
        });
        // SAFETY: this function has the features; eight lines are a block of bytes, and rows have eight words.
        let sums = unsafe {
            [
                MultiplyAdd::products::<Unpacked<BITS>, 8, 4>(block.as_ptr(), 0, pointers, compensation),
                DotProducts::<Evex>::products::<Unpacked<BITS>, 8, 4>(
                    block.as_ptr(),
                    0,
                    pointers,
                    compensation,
                ),
            ]
        };
        sums.map(|rows| {
            rows.map(|row| {
                let mut values = [0; 16];
                // SAFETY: there is room for sixteen integers.
                unsafe { row.store(values.as_mut_ptr()) };
                values
            })
        })
    }

    #[test]
    fn dot_products_equal_multiplications_and_additions() {
        if !std::is_x86_feature_detected!("avx512vl") || !std::is_x86_feature_detected!("avx512vnni") {
            eprintln!("SKIPPED: the machine has no AVX-512 VNNI");
            return;
        }
        let word =
            |seed: usize| i32::from_le_bytes([7, 31, 101, 59].map(|k| (seed * k % 255 + 1) as u8 ^ 0x80));
        let noise: [[i32; 8]; 4] =
            std::array::from_fn(|row| std::array::from_fn(|step| word(row * 8 + step)));
        for x in [noise, [[i32::from_le_bytes([0x81; 4]); 8]; 4], [[i32::from_le_bytes([0x7F; 4]); 8]; 4]] {
            for mask in [0x0F, 0x1F, 0x3F, 0xFF] {
                let noisy = std::array::from_fn(|line| {
                    Line(std::array::from_fn(|i| (line * 83 + i * 37) as u8 & mask))
                });
                for block in [noisy, [Line([mask; 64]); 8], [Line([0; 64]); 8]] {
                    // SAFETY: the features were just detected, and processors with AVX-512 have AVX2, FMA and F16C.
                    let [added, dotted] = unsafe {
                        match mask {
                            0x0F => both::<4>(&block, &x),
                            0x1F => both::<5>(&block, &x),
                            0x3F => both::<6>(&block, &x),
                            _ => both::<8>(&block, &x),
                        }
                    };
                    assert_eq!(added, dotted, "quants up to {mask}");
                }
            }
        }
    }
}
