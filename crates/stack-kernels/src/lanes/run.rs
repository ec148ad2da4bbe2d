//! From a level to its lanes.

use super::{Kernel, scalar};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
#[cfg(target_arch = "x86_64")]
use crate::level::InstructionSet;
use crate::level::Level;

/// Runs a kernel with the instructions of a level.
pub(crate) fn run<K: Kernel>(level: Level, kernel: K) -> K::Output {
    match level.set() {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => {
            // SAFETY: the level is a witness that the processor has these instructions.
            unsafe { avx512::enter(kernel) }
        }
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 | InstructionSet::AvxVnni => {
            // SAFETY: the level is a witness that the processor has these instructions.
            unsafe { avx2::enter(kernel) }
        }
        // The compiler turns the loops over sixteen numbers into NEON instructions by itself.
        _ => kernel.run(scalar::Scalar),
    }
}
