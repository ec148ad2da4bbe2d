//! Products of `N` times sixteen rows of weights and `M` rows of activations.
//!
//! ```text
//! for each block or half of a block
//!   i[n][m] = compensation[m]                     # for the zero point of the quants
//!   for each group of four columns
//!     for each m: for each n: i[n][m] = dot(i[n][m], weights[n], broadcast activations[m])
//!   for each m: f[n][m] = i[n][m] · scale[n] + f[n][m]
//! for each m: f[n][m] = f[n][m] − dmin[n] · Σ mins[n]·sums[m];  sums[n][m] = f[n][m] · scale[m] + sums[n][m]
//! ```
//!
//! `N` and `M` are known to the compiler, so that `i` and `f` are registers, and a few are left for everything else. Where
//! `N` is 1 each dot product reads an activation, which is all that a core can read meanwhile; where it is 2 every other.

#![expect(
    clippy::needless_range_loop,
    reason = "loops with constant bounds become straight-line code, iterators over arrays of registers become calls"
)]

use std::arch::x86_64::{
    __m512, __m512i, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_dpwssd_epi32, _mm512_fmadd_ps,
    _mm512_fnmadd_ps, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_setzero_si512,
};

use super::load;
use crate::activations::{BlockQ8_0, BlockQ8K};
use crate::tile::LANES;

/// `N` times sixteen rows of weights, whether they are unpacked already or on the way.
///
/// # Safety
///
/// Its functions may be called where the machine has the features of this module, for the blocks that there are and `n`
/// below `N`.
pub(super) trait Tiles<const N: usize> {
    /// Whether each half of a block has its own scale.
    const HALVES: bool;
    /// Whether scales come with mins. Sums begin at zero then, otherwise at the compensation.
    const MINS: bool;

    /// The quants of a block of all rows.
    type Block;

    /// Number of blocks.
    fn blocks(&self) -> usize;

    /// The index of the activations' compensation for the zero point of the quants.
    fn compensation(&self) -> usize;

    /// # Safety
    ///
    /// As the trait says.
    unsafe fn block(&self, block: usize) -> Self::Block;

    /// # Safety
    ///
    /// As the trait says.
    unsafe fn group(block: &Self::Block, n: usize, group: usize) -> __m512i;

    /// # Safety
    ///
    /// As the trait says.
    unsafe fn scale(&self, n: usize, sub: usize) -> __m512;

    /// # Safety
    ///
    /// As the trait says.
    unsafe fn mins(&self, n: usize, pair: usize) -> __m512i;

    /// # Safety
    ///
    /// As the trait says.
    unsafe fn dmin(&self, n: usize, block: usize) -> __m512;
}

/// Adds the products with activations that have a scale per 256.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn accumulate_q8_k<T: Tiles<N>, const N: usize, const M: usize>(
    tiles: &T,
    inputs: &[BlockQ8K; M],
    sums: [&mut [[f32; LANES]; M]; N],
) {
    assert_eq!(tiles.blocks(), 8, "tiles with a scale per 256 are whole");
    let subs = if T::HALVES { 2 } else { 1 };
    let mut tile_sums = [[_mm512_setzero_ps(); M]; N];
    for block in 0..8 {
        // SAFETY: this function has the features of this module, and there are so many blocks.
        let quants = unsafe { tiles.block(block) };
        for half in 0..subs {
            let sub = block * subs + half;
            let mut products = [[_mm512_setzero_si512(); M]; N];
            if !T::MINS {
                for m in 0..M {
                    let compensation = _mm512_set1_epi32(inputs[m].compensation[tiles.compensation()][sub]);
                    for n in 0..N {
                        products[n][m] = compensation;
                    }
                }
            }
            for group in 8 / subs * half..8 / subs * (half + 1) {
                let mut weights = [_mm512_setzero_si512(); N];
                for n in 0..N {
                    // SAFETY: as above.
                    weights[n] = unsafe { T::group(&quants, n, group) };
                }
                for m in 0..M {
                    let x = _mm512_set1_epi32(inputs[m].quants[8 * block + group]);
                    for n in 0..N {
                        products[n][m] = _mm512_dpbusd_epi32(products[n][m], weights[n], x);
                    }
                }
            }
            for n in 0..N {
                // SAFETY: as above.
                let scale = unsafe { tiles.scale(n, sub) };
                for m in 0..M {
                    let products = _mm512_cvtepi32_ps(products[n][m]);
                    tile_sums[n][m] = _mm512_fmadd_ps(products, scale, tile_sums[n][m]);
                }
            }
        }
    }
    if T::MINS {
        let mut products = [[_mm512_setzero_si512(); M]; N];
        for pair in 0..4 * subs {
            let mut mins = [_mm512_setzero_si512(); N];
            for n in 0..N {
                // SAFETY: as above.
                mins[n] = unsafe { tiles.mins(n, pair) };
            }
            for m in 0..M {
                let x = if T::HALVES { inputs[m].sums_of_16[pair] } else { inputs[m].sums_of_32[pair] };
                let x = _mm512_set1_epi32(x);
                for n in 0..N {
                    products[n][m] = _mm512_dpwssd_epi32(products[n][m], mins[n], x);
                }
            }
        }
        for n in 0..N {
            // SAFETY: as above.
            let dmin = unsafe { tiles.dmin(n, 0) };
            for m in 0..M {
                let products = _mm512_cvtepi32_ps(products[n][m]);
                tile_sums[n][m] = _mm512_fnmadd_ps(products, dmin, tile_sums[n][m]);
            }
        }
    }
    for (tile_sums, sums) in tile_sums.into_iter().zip(sums) {
        for m in 0..M {
            let scale = _mm512_set1_ps(inputs[m].scale);
            let sum = _mm512_fmadd_ps(tile_sums[m], scale, load::floats(&sums[m]));
            load::store_floats(&mut sums[m], sum);
        }
    }
}

/// Adds the products with activations that have a scale per 32.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,f16c,fma")]
pub(super) fn accumulate_q8_0<T: Tiles<N>, const N: usize, const M: usize>(
    tiles: &T,
    inputs: &[BlockQ8_0; M],
    sums: [&mut [[f32; LANES]; M]; N],
) {
    let mut totals = [[_mm512_setzero_ps(); M]; N];
    for n in 0..N {
        for m in 0..M {
            totals[n][m] = load::floats(&sums[n][m]);
        }
    }
    for block in 0..tiles.blocks().min(8) {
        // SAFETY: this function has the features of this module, and there are so many blocks.
        let quants = unsafe { tiles.block(block) };
        let mut products = [[_mm512_setzero_si512(); M]; N];
        if !T::MINS {
            for m in 0..M {
                let compensation = _mm512_set1_epi32(inputs[m].compensation[tiles.compensation()][block]);
                for n in 0..N {
                    products[n][m] = compensation;
                }
            }
        }
        for group in 0..8 {
            let mut weights = [_mm512_setzero_si512(); N];
            for n in 0..N {
                // SAFETY: as above.
                weights[n] = unsafe { T::group(&quants, n, group) };
            }
            for m in 0..M {
                let x = _mm512_set1_epi32(inputs[m].quants[8 * block + group]);
                for n in 0..N {
                    products[n][m] = _mm512_dpbusd_epi32(products[n][m], weights[n], x);
                }
            }
        }
        for n in 0..N {
            // SAFETY: as above.
            let scale = unsafe { tiles.scale(n, block) };
            for m in 0..M {
                let scale = _mm512_mul_ps(scale, _mm512_set1_ps(inputs[m].scales[block]));
                totals[n][m] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products[n][m]), scale, totals[n][m]);
            }
            if T::MINS {
                // SAFETY: as above.
                let dmin = unsafe { tiles.dmin(n, block) };
                for m in 0..M {
                    totals[n][m] = _mm512_fmadd_ps(dmin, _mm512_set1_ps(inputs[m].sums[block]), totals[n][m]);
                }
            }
        }
    }
    for (totals, sums) in totals.into_iter().zip(sums) {
        for m in 0..M {
            load::store_floats(&mut sums[m], totals[m]);
        }
    }
}
