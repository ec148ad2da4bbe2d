//! Operations that treat every number alike.

use std::f32::consts::FRAC_1_SQRT_2;

use crate::cpu::{Cpu, GRAIN};
use crate::lanes::{self, Kernel, LANES, Lanes, erf, exp, load_part, sigmoid_inverse, store_part};

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nonlinearity {
    /// x · σ(x).
    Silu,
    /// The tanh form of x · Φ(x).
    Gelu,
    /// x · Φ(x) as it is defined, by the error function.
    GeluErf,
    /// max(x, 0).
    Relu,
    /// max(x, 0)².
    ReluSquared,
    /// gpt-oss: as a gate it is clamped, with σ(1.702 x), and multiplies up + 1; alone it is [`Self::Silu`].
    ClampedSwiglu,
    /// α₊ x² + β x above zero, α₋ (e^min(x, ε) − 1 − x) + β x below (xIELU, arXiv:2411.13010).
    Xielu {
        /// α₊.
        positive: f32,
        /// α₋.
        negative: f32,
        /// β.
        beta: f32,
        /// ε.
        epsilon: f32,
    },
    /// σ(x).
    Sigmoid,
    /// ln(1 + eˣ).
    Softplus,
}

impl Cpu {
    /// Adds `y`, scaled, to `x`.
    ///
    /// # Panics
    ///
    /// When the lengths differ.
    pub fn add(&self, x: &mut [f32], y: &[f32], scale: f32) {
        assert_eq!(x.len(), y.len(), "two slices that are added");
        self.pool().for_chunks(x, GRAIN, &|chunk, x| {
            let y = &y[chunk * GRAIN..][..x.len()];
            lanes::run(self.level(), Add { x, y, scale });
        });
    }

    /// Applies a function in place.
    pub fn activate(&self, x: &mut [f32], function: Nonlinearity) {
        self.pool().for_chunks(x, GRAIN, &|_, x| lanes::run(self.level(), Activate { x, function }));
    }

    /// Writes f(gate) · up.
    ///
    /// # Panics
    ///
    /// When the lengths differ.
    pub fn gated(&self, gate: &[f32], up: &[f32], function: Nonlinearity, out: &mut [f32]) {
        assert!(gate.len() == out.len() && up.len() == out.len(), "gate, up and output have one length");
        self.pool().for_chunks(out, GRAIN, &|chunk, out| {
            let start = chunk * GRAIN;
            let (gate, up) = (&gate[start..][..out.len()], &up[start..][..out.len()]);
            lanes::run(self.level(), Gated { gate, up, function, out });
        });
    }
}

/// Adds a scaled slice.
struct Add<'a> {
    x: &'a mut [f32],
    y: &'a [f32],
    scale: f32,
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        for (x, y) in self.x.iter_mut().zip(self.y) {
            *x += self.scale * y;
        }
    }
}

/// Applies a function in place.
struct Activate<'a> {
    x: &'a mut [f32],
    function: Nonlinearity,
}

impl Kernel for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (chunks, tail) = self.x.as_chunks_mut::<LANES>();
        for chunk in chunks {
            lanes.store(self.function.apply(lanes, lanes.load(chunk)), chunk);
        }
        let y = self.function.apply(lanes, load_part(lanes, tail, 0.0));
        store_part(lanes, y, tail);
    }
}

/// Multiplies by a function of a gate.
struct Gated<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    function: Nonlinearity,
    out: &'a mut [f32],
}

impl Kernel for Gated<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { gate, up, function, out } = self;
        let (gates, gate_tail) = gate.as_chunks::<LANES>();
        let (ups, up_tail) = up.as_chunks::<LANES>();
        let (outs, out_tail) = out.as_chunks_mut::<LANES>();
        for ((gate, up), out) in gates.iter().zip(ups).zip(outs) {
            lanes.store(function.gate(lanes, lanes.load(gate), lanes.load(up)), out);
        }
        let (gate, up) = (load_part(lanes, gate_tail, 0.0), load_part(lanes, up_tail, 0.0));
        store_part(lanes, function.gate(lanes, gate, up), out_tail);
    }
}

impl Nonlinearity {
    #[inline(always)]
    pub(crate) fn gate<L: Lanes>(self, lanes: L, gate: L::F32, up: L::F32) -> L::F32 {
        if self != Self::ClampedSwiglu {
            return lanes.mul(self.apply(lanes, gate), up);
        }
        let (lowest, highest) = (lanes.splat(-CLAMP), lanes.splat(CLAMP));
        let gate = lanes.min(highest, gate);
        let up = lanes.min(highest, lanes.max(lowest, up));
        let swish = lanes.div(gate, sigmoid_inverse(lanes, lanes.mul(gate, lanes.splat(ALPHA))));
        lanes.mul(swish, lanes.add(up, lanes.splat(1.0)))
    }

    #[inline(always)]
    pub(crate) fn apply<L: Lanes>(self, lanes: L, x: L::F32) -> L::F32 {
        let (zero, one) = (lanes.splat(0.0), lanes.splat(1.0));
        match self {
            Self::Silu | Self::ClampedSwiglu => lanes.div(x, sigmoid_inverse(lanes, x)),
            Self::Gelu => {
                // ½ (1 + tanh u) = σ(2u), which does not cancel where tanh is near −1.
                let cube = lanes.mul(lanes.mul(x, x), x);
                let inner = lanes.fma(lanes.splat(GELU_CUBIC), cube, x);
                lanes.div(x, sigmoid_inverse(lanes, lanes.mul(lanes.splat(GELU_SLOPE), inner)))
            }
            Self::GeluErf => {
                let half = lanes.mul(lanes.splat(0.5), x);
                lanes.fma(half, erf(lanes, lanes.mul(x, lanes.splat(FRAC_1_SQRT_2))), half)
            }
            Self::Relu => lanes.max(zero, x),
            Self::ReluSquared => {
                let x = lanes.max(zero, x);
                lanes.mul(x, x)
            }
            Self::Xielu { positive, negative, beta, epsilon } => {
                let above = lanes.mul(lanes.splat(positive), lanes.mul(x, x));
                let grown = exp(lanes, lanes.min(lanes.splat(epsilon), x));
                let below = lanes.mul(lanes.splat(negative), lanes.sub(lanes.sub(grown, one), x));
                lanes.fma(lanes.splat(beta), x, lanes.select_less(zero, x, above, below))
            }
            Self::Sigmoid => lanes.div(one, sigmoid_inverse(lanes, x)),
            Self::Softplus => {
                // ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|), which does not overflow.
                let negated = lanes.sub(zero, x);
                let mut all = [0.0f32; LANES];
                lanes.store(exp(lanes, lanes.min(x, negated)), &mut all);
                for x in &mut all {
                    *x = x.ln_1p();
                }
                lanes.add(lanes.max(zero, x), lanes.load(&all))
            }
        }
    }
}

/// gpt-oss's slope of the logistic function and bound of its arguments.
const ALPHA: f32 = 1.702;
const CLAMP: f32 = 7.0;
/// 2 √(2/π).
const GELU_SLOPE: f32 = 1.595_769;
const GELU_CUBIC: f32 = 0.044_715;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;

    const XIELU: Nonlinearity =
        Nonlinearity::Xielu { positive: 2.0, negative: 3.0, beta: 0.5, epsilon: -1e-6 };

    const ALL: [Nonlinearity; 9] = [
        Nonlinearity::Silu,
        Nonlinearity::Gelu,
        Nonlinearity::GeluErf,
        Nonlinearity::Relu,
        Nonlinearity::ReluSquared,
        Nonlinearity::ClampedSwiglu,
        XIELU,
        Nonlinearity::Sigmoid,
        Nonlinearity::Softplus,
    ];

    fn plain(function: Nonlinearity, x: f64) -> f64 {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        match function {
            Nonlinearity::Silu | Nonlinearity::ClampedSwiglu => x * sigmoid(x),
            Nonlinearity::Gelu => {
                0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
            }
            Nonlinearity::GeluErf => 0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)),
            Nonlinearity::Relu => x.max(0.0),
            Nonlinearity::ReluSquared => x.max(0.0).powi(2),
            Nonlinearity::Xielu { .. } if x > 0.0 => 2.0 * x * x + 0.5 * x,
            Nonlinearity::Xielu { .. } => 3.0 * (x.min(-1e-6).exp() - 1.0 - x) + 0.5 * x,
            Nonlinearity::Sigmoid => sigmoid(x),
            Nonlinearity::Softplus => x.exp().ln_1p(),
        }
    }

    /// By its Taylor series, which cancels too much beyond 4, where it is 1 but for 10⁻⁸.
    fn erf(x: f64) -> f64 {
        if x.abs() > 4.0 {
            return x.signum();
        }
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        std::f64::consts::FRAC_2_SQRT_PI * sum
    }

    #[test]
    fn functions_equal_their_definition_at_every_level() {
        // A length that ends within sixteen numbers, and more than one chunk.
        let x: Vec<f32> =
            (0..2 * GRAIN + 5).map(|i| (i as f32 - GRAIN as f32) * 20.0 / GRAIN as f32).collect();
        let up: Vec<f32> = (0..x.len()).map(|i| 1.0 + (i % 3) as f32).collect();
        for function in ALL {
            let mut reference: Option<Vec<f32>> = None;
            for level in Level::available() {
                let cpu = Cpu::new(level, 2);
                let mut found = x.clone();
                cpu.activate(&mut found, function);
                for (&x, &found) in x.iter().zip(&found) {
                    let expected = plain(function, f64::from(x));
                    let error = (f64::from(found) - expected).abs();
                    assert!(error <= 1e-6 * expected.abs().max(1.0), "{level} {function:?} {x}: {found}");
                }
                let mut product = vec![0.0; x.len()];
                cpu.gated(&x, &up, function, &mut product);
                if function != Nonlinearity::ClampedSwiglu {
                    let expected: Vec<f32> = found.iter().zip(&up).map(|(f, up)| f * up).collect();
                    assert_eq!(product, expected);
                }
                found.extend(product);
                assert_eq!(&found, reference.get_or_insert_with(|| found.clone()), "{level} {function:?}");
            }
        }
    }

    #[test]
    fn a_clamped_gate_is_bounded_and_multiplies_up_plus_one() {
        for level in Level::available() {
            let mut out = [0.0; 3];
            Cpu::new(level, 1).gated(
                &[1.0, 100.0, -100.0],
                &[2.0, 100.0, 100.0],
                Nonlinearity::ClampedSwiglu,
                &mut out,
            );
            let expected = [3.0 / (1.0 + (-1.702f32).exp()), 8.0 * 7.0 / (1.0 + (-11.914f32).exp()), 0.0];
            for (found, expected) in out.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-4, "{out:?}");
            }
        }
    }

    #[test]
    fn adding_scales_what_is_added() {
        let mut x = vec![1.0; 20_001];
        let y: Vec<f32> = (0..x.len()).map(|i| i as f32).collect();
        Cpu::new(Level::detect(), 2).add(&mut x, &y, 0.5);
        assert!(x.iter().enumerate().all(|(i, &x)| x == 1.0 + i as f32 * 0.5));
    }
}
