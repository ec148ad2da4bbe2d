//! Every level against the definition.

use half::f16;
use proptest::prelude::*;

use super::*;
use crate::level::Level;

/// Applies every operation to the same operands.
struct Operations<'a>(&'a [f32; LANES], &'a [f32; LANES], &'a [f32; LANES]);

impl Kernel for Operations<'_> {
    type Output = Vec<u32>;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> Vec<u32> {
        let (a, b, c) = (lanes.load(self.0), lanes.load(self.1), lanes.load(self.2));
        let mut halves = [0; LANES];
        lanes.store_f16(a, &mut halves);
        let results = [
            lanes.add(a, b),
            lanes.sub(a, b),
            lanes.mul(a, b),
            lanes.div(a, b),
            lanes.fma(a, b, c),
            lanes.max(a, b),
            lanes.min(a, b),
            lanes.select_less(a, b, c, a),
            lanes.load_f16(&halves),
            lanes.load_i8(&self.1.map(|x| x as i8)),
            lanes.splat(lanes.largest(a)),
            lanes.splat(lanes.sum(a)),
            exp(lanes, a),
            sigmoid_inverse(lanes, b),
        ];
        let mut bits = Vec::new();
        let (mut pairs, mut neighbours) = ([0; LANES], [0; LANES / 2]);
        let (whole, other) = (lanes.round(lanes.mul(a, lanes.splat(8.0))), lanes.round(b));
        lanes.store_pairs(lanes.pair_up(whole, other), &mut pairs);
        let narrow = lanes.max(lanes.splat(-9000.0), lanes.min(lanes.splat(9000.0), c));
        lanes.store_neighbours(lanes.round(narrow), &mut neighbours);
        let sums = lanes.plus_products(lanes.zeros(), lanes.load_pairs(&pairs), neighbours[0]);
        let sums = lanes.to_floats(lanes.plus_products(sums, lanes.load_pairs(&pairs), neighbours[7]));
        bits.extend(pairs.into_iter().chain(neighbours).map(i32::cast_unsigned));
        let results = results.into_iter().chain([sums, lanes.to_floats(whole)]);
        for result in results {
            let mut all = [0.0; LANES];
            lanes.store(result, &mut all);
            bits.extend(all.map(f32::to_bits));
        }
        bits
    }
}

/// eˣ of each number.
struct Exp<'a>(&'a mut [f32; LANES]);

impl Kernel for Exp<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let x = lanes.load(self.0);
        lanes.store(exp(lanes, x), self.0);
    }
}

fn numbers() -> impl Strategy<Value = [f32; LANES]> {
    prop::array::uniform16(prop_oneof![
        -1e3f32..1e3,
        -1f32..1.0,
        -1e-6f32..1e-6,
        Just(0.0),
        Just(f32::NEG_INFINITY),
        Just(1e30),
        Just(65504.0),
    ])
}

proptest! {
    #[test]
    fn levels_agree_bit_for_bit(a in numbers(), b in numbers(), c in numbers()) {
        let expected = Operations(&a, &b, &c).run(scalar::Scalar);
        for level in Level::available() {
            let found = run(level, Operations(&a, &b, &c));
            for (index, (&found, &expected)) in found.iter().zip(&expected).enumerate() {
                let both_nan = f32::from_bits(found).is_nan() && f32::from_bits(expected).is_nan();
                prop_assert!(found == expected || both_nan, "{level}: result {} lane {}", index / 16, index % 16);
            }
        }
    }

    #[test]
    fn the_exponential_is_right_to_seven_digits(x in -87f32..88.0) {
        let mut found = [x; LANES];
        Exp(&mut found).run(scalar::Scalar);
        let expected = f64::from(x).exp();
        prop_assert!((f64::from(found[0]) / expected - 1.0).abs() < 2e-7, "e^{x} is not {}", found[0]);
    }
}

#[test]
fn the_exponential_is_exact_where_softmax_needs_it() {
    for level in Level::available() {
        let mut x = [0.0; LANES];
        x[..3].copy_from_slice(&[f32::NEG_INFINITY, -88.0, 100.0]);
        run(level, Exp(&mut x));
        assert_eq!(x[..2], [0.0, 0.0]);
        assert!(x[2].is_finite() && x[2] > 1e38);
        assert_eq!(x[3..], [1.0; 13]);
    }
}

#[test]
fn half_precision_survives_both_ways() {
    struct Both([u16; LANES]);
    impl Kernel for Both {
        type Output = [u16; LANES];

        #[inline(always)]
        fn run<L: Lanes>(self, lanes: L) -> [u16; LANES] {
            let mut to = [0; LANES];
            lanes.store_f16(lanes.load_f16(&self.0), &mut to);
            to
        }
    }
    for level in Level::available() {
        for first in (0..=u16::MAX).step_by(LANES) {
            let from = std::array::from_fn(|lane| first + lane as u16);
            if from.iter().all(|&bits| !f16::from_bits(bits).is_nan()) {
                assert_eq!(run(level, Both(from)), from);
            }
        }
    }
}
