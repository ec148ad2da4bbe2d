//! Whether products ask memory for weights ahead of their use.
//!
//! To decode one sequence is to read every weight once: memory is all that a core waits for. Whether it helps to ask for
//! lines some time before they are used depends on the processor's own prefetchers, and not even a vendor's behave alike:
//! Intel's stay behind (Emerald Rapids reads 15.7 GB/s per core with asking, 14.8 without), Zen 4's are disturbed (22 with,
//! 30 without), Zen 5's stay far behind (36 with, 20 without). So no rule by name: the policy is a value of the [`Cpu`],
//! and a [`PrefetchProbe`] is there for whoever wants to measure it.
//!
//! With more than one row of activations there is so much to compute between two lines that asking always pays: two
//! threads of Zen 4 decode eight sequences at 280 tokens per second with it, at 157 without.

use crate::activations::Activations;
use crate::cpu::Cpu;
use crate::format::{Format, Input};
use crate::level::InstructionSet;
use crate::matrix::Matrix;
use crate::multiply::Product;
use crate::{Epilogue, tile};

/// How the weights of a product with one row of activations get into the caches in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PrefetchPolicy {
    /// Instructions ask for them ahead of their use.
    #[default]
    Software,
    /// It is left to the processor.
    Hardware,
}

impl PrefetchPolicy {
    /// Every policy, the default first.
    pub const ALL: [Self; 2] = [Self::Software, Self::Hardware];

    /// Returns the policy with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }

    /// The name that [`Self::named`] takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::Hardware => "hardware",
        }
    }
}

/// A product to measure policies with. Its weights are zeros, for which kernels do the same as for any others.
pub struct PrefetchProbe {
    weights: Matrix,
    input: Activations,
    output: Vec<f32>,
}

impl PrefetchProbe {
    /// Makes weights of some format, about as many bytes as asked for.
    ///
    /// Returns `None` where there is nothing to choose: for floats, which are always asked for ahead of time, at the
    /// scalar level, which never asks, and where weights cannot be put out of the caches.
    pub fn new(cpu: &Cpu, format: Format, bytes: usize) -> Option<Self> {
        let never_asks = cpu.level().0 == InstructionSet::Scalar;
        if !CAN_EVICT || never_asks || matches!(format.input(), Input::Float | Input::Bf16) {
            return None;
        }
        let group_bytes = 64 * tile::group_lines(format, COLUMNS);
        let weights = Matrix::zeros(cpu, format, tile::LANES * (bytes / group_bytes).max(1), COLUMNS);
        let mut input = Activations::new();
        cpu.quantize(format.input(), &[1.0; COLUMNS], COLUMNS, &mut input);
        let output = vec![0.0; weights.rows()];
        Some(Self { weights, input, output })
    }

    /// Puts the weights out of all caches.
    pub fn evict(&self, cpu: &Cpu) {
        let groups = self.weights.groups();
        cpu.pool().run(groups, &|group| evict(self.weights.group(group)));
    }

    /// Multiplies the weights with one row of activations, under the policy of `cpu`.
    pub fn multiply(&mut self, cpu: &Cpu) {
        let Self { weights, input, output } = self;
        cpu.multiply(&mut [Product { weights, input, output, epilogue: Epilogue::Set }]);
    }
}

#[cfg(target_arch = "x86_64")]
use crate::x86::evict;

#[cfg(not(target_arch = "x86_64"))]
fn evict(_: &[crate::buffer::Line]) {}

const CAN_EVICT: bool = cfg!(target_arch = "x86_64");

/// A whole number of blocks of every format.
const COLUMNS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;

    #[test]
    fn policies_are_found_by_their_names() {
        for policy in PrefetchPolicy::ALL {
            assert_eq!(PrefetchPolicy::named(policy.name()), Some(policy));
        }
        assert_eq!(PrefetchPolicy::named("both"), None);
    }

    #[test]
    fn a_probe_multiplies_what_it_was_asked_for() {
        let cpu = Cpu::new(Level::detect(), 2);
        let scalar = Cpu::new(Level::named("scalar").unwrap(), 1);
        assert!(PrefetchProbe::new(&scalar, Format::Q4K, 100_000).is_none());
        for format in Format::ALL {
            let Some(mut probe) = PrefetchProbe::new(&cpu, format, 100_000) else {
                let is_float = matches!(format, Format::F32 | Format::F16 | Format::Bf16);
                assert!(!CAN_EVICT || is_float || cpu.level() == scalar.level(), "{format} has a choice");
                continue;
            };
            probe.output.fill(1.0);
            probe.evict(&cpu);
            probe.multiply(&cpu);
            assert!(probe.output.iter().all(|&sum| sum == 0.0), "{format}");
            let bytes = probe.weights.bytes();
            assert!((50_000..200_000).contains(&bytes), "{format}: {bytes} bytes");
        }
    }
}
