//! Products of sixteen rows of weights and `M` rows of activations.
//!
//! ```text
//! for each block or half of a block
//!   i[m] = start[m]                               # takes the offset of the codes away
//!   for each group of four columns
//!     for each m: i[m] = dot(i[m], weights, broadcast activations[m])
//!   for each m: f[m] = i[m] · scale + f[m]
//! for each m: f[m] = f[m] − floor · Σ minima·sums[m];  sums[m] = f[m] · scale[m] + sums[m]
//! ```
//!
//! `M` is known to the compiler, so that `i` and `f` are registers: two per row, and three for everything else.

use std::arch::x86_64::{
    __m512, __m512i, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_dpwssd_epi32, _mm512_fmadd_ps,
    _mm512_fnmadd_ps, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_setzero_si512,
};

use super::load;
use crate::activations::{Rounded32, Rounded256};
use crate::tile::LANES;

/// Weights of sixteen rows, whether they are unpacked already or on the way.
///
/// # Safety
///
/// Its functions may be called where the machine has the features of this module, for the blocks that there are.
pub(super) trait Source {
    /// Whether each half of a block has its own scale.
    const HALVES: bool;
    /// Whether scales come with minima. Sums begin at zero then, otherwise at `start`.
    const MINIMA: bool;

    /// The codes of a block.
    type Block;

    /// Number of blocks.
    fn blocks(&self) -> usize;

    /// Which of the activations' starts fits the codes' offset.
    fn start(&self) -> usize;

    /// # Safety
    ///
    /// As the trait says.
    unsafe fn block(&self, block: usize) -> Self::Block;

    /// # Safety
    ///
    /// As the trait says.
    unsafe fn group(block: &Self::Block, group: usize) -> __m512i;

    /// # Safety
    ///
    /// As the trait says.
    unsafe fn scale(&self, sub: usize) -> __m512;

    /// # Safety
    ///
    /// As the trait says.
    unsafe fn minima(&self, pair: usize) -> __m512i;

    /// # Safety
    ///
    /// As the trait says.
    unsafe fn floor(&self, block: usize) -> __m512;
}

/// Adds the products with activations that have a scale per 256.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn scale_per_256<S: Source, const M: usize>(
    source: &S,
    inputs: &[Rounded256; M],
    sums: &mut [[f32; LANES]; M],
) {
    assert_eq!(source.blocks(), 8, "tiles with a scale per 256 are whole");
    let subs = if S::HALVES { 2 } else { 1 };
    let mut tile_sums = [_mm512_setzero_ps(); M];
    for block in 0..8 {
        // SAFETY: this function has the features of this module, and there are so many blocks.
        let codes = unsafe { source.block(block) };
        for half in 0..subs {
            let sub = block * subs + half;
            let mut products = [_mm512_setzero_si512(); M];
            if !S::MINIMA {
                for (product, input) in products.iter_mut().zip(inputs) {
                    *product = _mm512_set1_epi32(input.starts[source.start()][sub]);
                }
            }
            for group in 8 / subs * half..8 / subs * (half + 1) {
                // SAFETY: as above.
                let weights = unsafe { S::group(&codes, group) };
                for (product, input) in products.iter_mut().zip(inputs) {
                    let x = _mm512_set1_epi32(input.codes[8 * block + group]);
                    *product = _mm512_dpbusd_epi32(*product, weights, x);
                }
            }
            // SAFETY: as above.
            let scale = unsafe { source.scale(sub) };
            for (sum, product) in tile_sums.iter_mut().zip(products) {
                *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(product), scale, *sum);
            }
        }
    }
    if S::MINIMA {
        let mut products = [_mm512_setzero_si512(); M];
        for pair in 0..4 * subs {
            // SAFETY: as above.
            let minima = unsafe { source.minima(pair) };
            for (product, input) in products.iter_mut().zip(inputs) {
                let x = if S::HALVES { input.sums_of_16[pair] } else { input.sums_of_32[pair] };
                *product = _mm512_dpwssd_epi32(*product, minima, _mm512_set1_epi32(x));
            }
        }
        // SAFETY: as above.
        let floor = unsafe { source.floor(0) };
        for (sum, product) in tile_sums.iter_mut().zip(products) {
            *sum = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(product), floor, *sum);
        }
    }
    for ((sum, tile_sum), input) in sums.iter_mut().zip(tile_sums).zip(inputs) {
        load::store_floats(sum, _mm512_fmadd_ps(tile_sum, _mm512_set1_ps(input.scale), load::floats(sum)));
    }
}

/// Adds the products with activations that have a scale per 32.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn scale_per_32<S: Source, const M: usize>(
    source: &S,
    inputs: &[Rounded32; M],
    sums: &mut [[f32; LANES]; M],
) {
    let mut totals = [_mm512_setzero_ps(); M];
    for (total, sum) in totals.iter_mut().zip(sums.iter()) {
        *total = load::floats(sum);
    }
    for block in 0..source.blocks().min(8) {
        // SAFETY: this function has the features of this module, and there are so many blocks.
        let codes = unsafe { source.block(block) };
        let mut products = [_mm512_setzero_si512(); M];
        if !S::MINIMA {
            for (product, input) in products.iter_mut().zip(inputs) {
                *product = _mm512_set1_epi32(input.starts[source.start()][block]);
            }
        }
        for group in 0..8 {
            // SAFETY: as above.
            let weights = unsafe { S::group(&codes, group) };
            for (product, input) in products.iter_mut().zip(inputs) {
                let x = _mm512_set1_epi32(input.codes[8 * block + group]);
                *product = _mm512_dpbusd_epi32(*product, weights, x);
            }
        }
        // SAFETY: as above.
        let scale = unsafe { source.scale(block) };
        for ((total, product), input) in totals.iter_mut().zip(products).zip(inputs) {
            let scale = _mm512_mul_ps(scale, _mm512_set1_ps(input.scales[block]));
            *total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(product), scale, *total);
        }
        if S::MINIMA {
            // SAFETY: as above.
            let floor = unsafe { source.floor(block) };
            for (total, input) in totals.iter_mut().zip(inputs) {
                *total = _mm512_fmadd_ps(floor, _mm512_set1_ps(input.sums[block]), *total);
            }
        }
    }
    for (sum, total) in sums.iter_mut().zip(totals) {
        load::store_floats(sum, total);
    }
}
