//! Sixteen floats at a time, at every level.
//!
//! The float kernels of this crate are written once, over [`Lanes`]: sixteen numbers that every operation treats alike,
//! held in one register, in two or in an array. Every operation rounds once and in the same order at every level, so
//! the levels agree bit for bit, and the scalar one, which is plain Rust, says what the others must compute.
//!
//! A kernel is a [`Kernel`]; [`run`] enters it with the instructions of a level switched on. For that to reach the
//! inner loops, everything between is `#[inline(always)]` and loops do not hide in closures.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod erf;
mod exp;
mod run;
mod scalar;

pub(crate) use erf::erf;
pub(crate) use exp::{exp, sigmoid_inverse};
pub(crate) use run::run;

/// The number of lanes.
pub(crate) const LANES: usize = 16;

/// Operations on sixteen numbers. Values of this type are witnesses that the processor has the instructions.
pub(crate) trait Lanes: Copy {
    /// Sixteen numbers.
    type F32: Copy;
    /// Sixteen whole numbers of 32 bits.
    type I32: Copy;

    /// The number of registers, counted in sixteen numbers.
    const REGISTERS: usize;

    fn splat(self, x: f32) -> Self::F32;
    fn load(self, from: &[f32; LANES]) -> Self::F32;
    fn store(self, x: Self::F32, to: &mut [f32; LANES]);
    /// Stores past the caches, if `to` begins a line: for numbers that are read so much later that no cache would hold
    /// them any more. No line is fetched only to be overwritten.
    ///
    /// # Safety
    ///
    /// [`Self::sfence`] must be called before `to` is read or written again.
    #[inline(always)]
    unsafe fn store_streaming(self, x: Self::F32, to: &mut [f32; LANES]) {
        self.store(x, to);
    }
    /// Orders streaming stores before all stores that follow.
    #[inline(always)]
    fn sfence(self) {}
    /// Loads sixteen half-precision numbers.
    fn load_f16(self, from: &[u16; LANES]) -> Self::F32;
    /// Loads sixteen whole numbers.
    fn load_i8(self, from: &[i8; LANES]) -> Self::F32;
    /// Stores half-precision numbers, rounded to nearest, ties to even.
    fn store_f16(self, x: Self::F32, to: &mut [u16; LANES]);
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32;
    fn div(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// a · b + c, rounded once.
    fn fma(self, a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// The larger one; `b` if they are unordered.
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// The smaller one; `b` if they are unordered.
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32;
    /// `then` where a < b, else `otherwise`.
    fn select_less(self, a: Self::F32, b: Self::F32, then: Self::F32, otherwise: Self::F32) -> Self::F32;
    /// The largest of the sixteen.
    fn largest(self, x: Self::F32) -> f32;
    /// 2 to the power of the integer in the low bits of x, as left there by adding 1.5 · 2²³.
    fn power_of_two(self, x: Self::F32) -> Self::F32;

    /// Sixteen zeros.
    fn zeros(self) -> Self::I32;
    /// Loads sixteen pairs of 16-bit integers.
    fn load_pairs(self, from: &[i32; LANES]) -> Self::I32;
    fn store_pairs(self, pairs: Self::I32, to: &mut [i32; LANES]);
    /// Makes pairs of what fits 16 bits.
    fn pair_up(self, lower: Self::I32, higher: Self::I32) -> Self::I32;
    /// Adds the products of sixteen pairs and one: the lower ones' and the higher ones'.
    fn plus_products(self, sums: Self::I32, pairs: Self::I32, with: i32) -> Self::I32;
    fn to_floats(self, x: Self::I32) -> Self::F32;
    /// Rounds to nearest, ties to even; what is beyond 32 bits or no number has zeros for its low sixteen bits.
    fn round(self, x: Self::F32) -> Self::I32;
    /// Stores neighbours, which fit 16 bits, as pairs, the first one lower.
    fn store_neighbours(self, x: Self::I32, to: &mut [i32; LANES / 2]);

    /// Prefetches the line at `at` into the second cache. It changes no result.
    fn prefetch<T>(self, at: &T);

    /// Runs another kernel, compiled apart, at this level.
    fn enter<K: Kernel>(self, kernel: K) -> K::Output;

    /// Adds the sixteen numbers up, by halves.
    #[inline(always)]
    fn sum(self, x: Self::F32) -> f32 {
        let mut all = [0.0; LANES];
        self.store(x, &mut all);
        let mut half = LANES / 2;
        while half > 0 {
            for lane in 0..half {
                all[lane] += all[lane + half];
            }
            half /= 2;
        }
        all[0]
    }
}

/// Whether a result of so many numbers is stored past the caches: its first lines would leave the second one before
/// they are read.
pub(crate) fn is_streamed(numbers: usize) -> bool {
    size_of::<f32>() * numbers > 1 << 20
}

/// A computation that is compiled once for each level.
pub(crate) trait Kernel {
    type Output;

    /// Computes. Implementations are `#[inline(always)]`.
    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
}

/// Loads up to sixteen numbers and fills the rest.
#[inline(always)]
pub(crate) fn load_part<L: Lanes>(lanes: L, from: &[f32], rest: f32) -> L::F32 {
    if let Some(all) = from.as_array() {
        return lanes.load(all);
    }
    let mut all = [rest; LANES];
    all[..from.len()].copy_from_slice(from);
    lanes.load(&all)
}

/// The largest magnitude of some numbers; what is no number does not count.
#[inline(always)]
pub(crate) fn largest_magnitude<L: Lanes>(lanes: L, numbers: &[f32]) -> f32 {
    let mut largest = lanes.splat(0.0);
    for x in numbers.chunks(LANES) {
        let x = load_part(lanes, x, 0.0);
        largest = lanes.max(lanes.max(x, lanes.sub(lanes.splat(0.0), x)), largest);
    }
    lanes.largest(largest)
}

/// Stores the first up to sixteen numbers.
#[inline(always)]
pub(crate) fn store_part<L: Lanes>(lanes: L, x: L::F32, to: &mut [f32]) {
    if let Some(all) = to.as_mut_array() {
        return lanes.store(x, all);
    }
    let mut all = [0.0; LANES];
    lanes.store(x, &mut all);
    to.copy_from_slice(&all[..to.len()]);
}

#[cfg(test)]
mod tests;
