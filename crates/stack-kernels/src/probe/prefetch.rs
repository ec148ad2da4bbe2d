//! A product to measure prefetch policies with.

use crate::activations::Activations;
use crate::cpu::Cpu;
use crate::format::{Format, Input};
use crate::level::InstructionSet;
use crate::matrix::Matrix;
use crate::ops::{Epilogue, Product};
use crate::tile;

/// A product to measure policies with. Its weights are zeros, for which kernels do the same as for any others.
pub struct PrefetchProbe {
    weights: Matrix,
    input: Activations,
    output: Vec<f32>,
}

impl PrefetchProbe {
    /// Makes weights of some format, about as many bytes as asked for.
    ///
    /// Returns `None` where there is nothing to choose: for floats, which are always prefetched, at the scalar level,
    /// which never prefetches, and where weights cannot be evicted from the caches.
    pub fn new(cpu: &Cpu, format: Format, bytes: usize) -> Option<Self> {
        let never_prefetches = cpu.level().set() == InstructionSet::Scalar;
        if !CAN_EVICT || never_prefetches || matches!(format.input(), Input::Float | Input::Bf16) {
            return None;
        }
        let group_bytes = 64 * tile::group_lines(format, COLUMNS);
        let weights = Matrix::zeros(cpu, format, tile::LANES * (bytes / group_bytes).max(1), COLUMNS);
        let mut input = Activations::new();
        cpu.quantize(format.input(), &[1.0; COLUMNS], COLUMNS, &mut input);
        let output = vec![0.0; weights.rows()];
        Some(Self { weights, input, output })
    }

    /// Evicts the weights from all caches.
    pub fn evict(&self, cpu: &Cpu) {
        let groups = self.weights.groups();
        cpu.pool().run(groups, &|group| evict(self.weights.group(group)));
    }

    /// Multiplies the weights with one row of activations, under the policy of `cpu`.
    pub fn multiply(&mut self, cpu: &Cpu) {
        let Self { weights, input, output } = self;
        cpu.multiply(&mut [Product { weights, input, output, bias: None, epilogue: Epilogue::Set }]);
    }
}

#[cfg(target_arch = "x86_64")]
use crate::cache::evict;

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
