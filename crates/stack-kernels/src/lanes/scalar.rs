//! The lanes as an array: the definition.

use half::f16;

use super::{Kernel, LANES, Lanes};

/// Plain Rust.
#[derive(Clone, Copy)]
pub(super) struct Scalar;

impl Lanes for Scalar {
    type F32 = [f32; LANES];
    type I32 = [i32; LANES];

    const REGISTERS: usize = 8;

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        [x; LANES]
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::F32 {
        *from
    }

    #[inline(always)]
    fn store(self, x: Self::F32, to: &mut [f32; LANES]) {
        *to = x;
    }

    #[inline(always)]
    fn load_f16(self, from: &[u16; LANES]) -> Self::F32 {
        from.map(|x| f16::from_bits(x).to_f32_const())
    }

    #[inline(always)]
    fn load_i8(self, from: &[i8; LANES]) -> Self::F32 {
        from.map(f32::from)
    }

    #[inline(always)]
    fn store_f16(self, x: Self::F32, to: &mut [u16; LANES]) {
        *to = x.map(|x| f16::from_f32_const(x).to_bits());
    }

    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        std::array::from_fn(|lane| a[lane] + b[lane])
    }

    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        std::array::from_fn(|lane| a[lane] - b[lane])
    }

    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        std::array::from_fn(|lane| a[lane] * b[lane])
    }

    #[inline(always)]
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        std::array::from_fn(|lane| a[lane] / b[lane])
    }

    #[inline(always)]
    fn fma(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32 {
        std::array::from_fn(|lane| a[lane].mul_add(b[lane], c[lane]))
    }

    #[inline(always)]
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        std::array::from_fn(|lane| if a[lane] > b[lane] { a[lane] } else { b[lane] })
    }

    #[inline(always)]
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        std::array::from_fn(|lane| if a[lane] < b[lane] { a[lane] } else { b[lane] })
    }

    #[inline(always)]
    fn select_less(self, a: Self::F32, b: Self::F32, then: Self::F32, otherwise: Self::F32) -> Self::F32 {
        std::array::from_fn(|lane| if a[lane] < b[lane] { then[lane] } else { otherwise[lane] })
    }

    #[inline(always)]
    fn largest(self, x: Self::F32) -> f32 {
        x.into_iter().fold(f32::NEG_INFINITY, |largest, x| if largest > x { largest } else { x })
    }

    #[inline(always)]
    fn power_of_two(self, x: Self::F32) -> Self::F32 {
        x.map(|x| f32::from_bits((x.to_bits() << 23).wrapping_add(1.0f32.to_bits())))
    }

    #[inline(always)]
    fn zeros(self) -> Self::I32 {
        [0; LANES]
    }

    #[inline(always)]
    fn load_pairs(self, from: &[i32; LANES]) -> Self::I32 {
        *from
    }

    #[inline(always)]
    fn store_pairs(self, pairs: Self::I32, to: &mut [i32; LANES]) {
        *to = pairs;
    }

    #[inline(always)]
    fn pair_up(self, lower: Self::I32, higher: Self::I32) -> Self::I32 {
        std::array::from_fn(|lane| pair(lower[lane], higher[lane]))
    }

    #[inline(always)]
    fn plus_products(self, sums: Self::I32, pairs: Self::I32, with: i32) -> Self::I32 {
        std::array::from_fn(|lane| {
            let lower = i32::from(pairs[lane] as i16) * i32::from(with as i16);
            let higher = (pairs[lane] >> 16) * (with >> 16);
            sums[lane].wrapping_add(lower).wrapping_add(higher)
        })
    }

    #[inline(always)]
    fn to_floats(self, x: Self::I32) -> Self::F32 {
        x.map(|x| x as f32)
    }

    #[inline(always)]
    fn round(self, x: Self::F32) -> Self::I32 {
        // A register makes its smallest number of one that it cannot hold.
        x.map(|x| {
            if (-2f32.powi(31)..2f32.powi(31)).contains(&x) { x.round_ties_even() as i32 } else { i32::MIN }
        })
    }

    #[inline(always)]
    fn store_neighbours(self, x: Self::I32, to: &mut [i32; LANES / 2]) {
        *to = std::array::from_fn(|index| pair(x[2 * index], x[2 * index + 1]));
    }

    #[inline(always)]
    fn prefetch<T>(self, _: &T) {}

    #[inline(always)]
    fn enter<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }
}

/// Two numbers of 16 bits.
#[inline(always)]
fn pair(lower: i32, higher: i32) -> i32 {
    lower & 0xFFFF | higher << 16
}
