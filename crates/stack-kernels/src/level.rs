//! The instruction sets that this machine has.
//!
//! They are detected here and nowhere else: a kernel takes a [`Level`], or a proof that is made of one, and asks no more.

use std::error::Error;
use std::fmt;

/// An instruction set that this machine was seen to have: the witness that every vector kernel asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Level {
    set: InstructionSet,
    has_bf16: bool,
}

/// The instruction sets that kernels are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum InstructionSet {
    /// Plain Rust: the definition of every kernel.
    Scalar,
    /// x86: AVX2, FMA and F16C.
    Avx2,
    /// x86: as [`InstructionSet::Avx2`], with the integer dot product.
    AvxVnni,
    /// x86: AVX-512 F, BW, VL, DQ and VNNI.
    Avx512,
    /// Arm: what every 64-bit processor has.
    Neon,
    /// Arm: as [`InstructionSet::Neon`], with the integer dot product.
    DotProd,
    /// Arm: as [`InstructionSet::DotProd`], with the integer matrix product.
    I8mm,
}

impl Level {
    /// Returns the best level of this machine.
    pub fn detect() -> Self {
        Self::available()[0]
    }

    /// Returns the levels that this machine has, best first; the last one is scalar.
    pub fn available() -> Vec<Self> {
        let present = INSTRUCTION_SETS.into_iter().filter(|set| set.is_present());
        present.map(|set| Self { set, has_bf16: set.has_bf16() }).collect()
    }

    /// Returns the level with this name, if the machine has it.
    ///
    /// # Errors
    ///
    /// When no level has the name or this machine lacks it.
    pub fn named(name: &str) -> Result<Self, UnknownLevel> {
        Self::available()
            .into_iter()
            .find(|level| level.name() == name)
            .ok_or_else(|| UnknownLevel { name: name.to_owned() })
    }

    /// The name that [`Self::named`] takes.
    pub fn name(self) -> &'static str {
        match self.set {
            InstructionSet::Scalar => "scalar",
            InstructionSet::Avx2 => "avx2",
            InstructionSet::AvxVnni => "avxvnni",
            InstructionSet::Avx512 => "avx512",
            InstructionSet::Neon => "neon",
            InstructionSet::DotProd => "dotprod",
            InstructionSet::I8mm => "i8mm",
        }
    }

    /// The instruction set.
    #[inline]
    pub(crate) fn set(self) -> InstructionSet {
        self.set
    }

    /// Whether the machine multiplies pairs of BF16 values. It is no level of its own, since one format alone gains.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only AVX-512 has such kernels"))]
    pub(crate) fn has_bf16(self) -> bool {
        self.has_bf16
    }

    /// The same level of a machine that does not, for tests of what takes the instruction's place.
    #[cfg(test)]
    pub(crate) fn without_bf16(self) -> Self {
        Self { has_bf16: false, ..self }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl InstructionSet {
    /// Whether an extension for BF16 comes with the set, which is present.
    #[cfg(target_arch = "x86_64")]
    fn has_bf16(self) -> bool {
        self == Self::Avx512 && is_x86_feature_detected!("avx512bf16")
    }

    #[cfg(not(target_arch = "x86_64"))]
    #[expect(clippy::unused_self, reason = "it matters on x86")]
    fn has_bf16(self) -> bool {
        false
    }

    #[cfg(target_arch = "x86_64")]
    fn is_present(self) -> bool {
        match self {
            Self::Scalar => true,
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
            }
            Self::AvxVnni => Self::Avx2.is_present() && is_x86_feature_detected!("avxvnni"),
            Self::Avx512 => {
                Self::Avx2.is_present()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vnni")
            }
            Self::Neon | Self::DotProd | Self::I8mm => false,
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn is_present(self) -> bool {
        use std::arch::is_aarch64_feature_detected;

        match self {
            Self::Scalar => true,
            Self::Neon => is_aarch64_feature_detected!("neon"),
            Self::DotProd => Self::Neon.is_present() && is_aarch64_feature_detected!("dotprod"),
            Self::I8mm => Self::DotProd.is_present() && is_aarch64_feature_detected!("i8mm"),
            Self::Avx2 | Self::AvxVnni | Self::Avx512 => false,
        }
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn is_present(self) -> bool {
        self == Self::Scalar
    }
}

/// A level that does not exist or that this machine lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLevel {
    name: String,
}

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = Level::available().into_iter().map(Level::name).collect();
        write!(f, "there is no level `{}` on this machine, which has {}", self.name, names.join(", "))
    }
}

impl Error for UnknownLevel {}

/// Best first, of each processor family.
const INSTRUCTION_SETS: [InstructionSet; 7] = [
    InstructionSet::Avx512,
    InstructionSet::AvxVnni,
    InstructionSet::Avx2,
    InstructionSet::I8mm,
    InstructionSet::DotProd,
    InstructionSet::Neon,
    InstructionSet::Scalar,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_available_level_is_found_by_its_name() {
        for level in Level::available() {
            assert_eq!(Level::named(level.name()), Ok(level));
        }
        assert_eq!(Level::available().last().map(|level| level.name()), Some("scalar"));
    }

    #[test]
    fn a_level_that_does_not_exist_is_refused() {
        let error = Level::named("avx1024").unwrap_err().to_string();
        assert!(error.contains("avx1024") && error.contains("scalar"), "{error}");
    }
}
