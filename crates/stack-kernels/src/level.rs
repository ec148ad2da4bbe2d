//! Which vector instructions may be used.

use std::error::Error;
use std::fmt;

/// A set of vector instructions that this machine has: only detection makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Level(Kind);

/// The sets of instructions that kernels are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Plain Rust: the definition of every kernel.
    Scalar,
    /// x86: AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// As [`Kind::Avx2`], with the integer dot product.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// x86: AVX-512 F, BW, VL, DQ and VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// Arm: what every 64-bit processor has.
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// As [`Kind::Neon`], with the integer dot product.
    #[cfg(target_arch = "aarch64")]
    DotProd,
    /// As [`Kind::DotProd`], with the integer matrix product.
    #[cfg(target_arch = "aarch64")]
    I8mm,
}

impl Level {
    /// Returns the best level of this machine.
    pub fn detect() -> Self {
        Self::available()[0]
    }

    /// Lists the levels of this machine, best first and the scalar one last.
    pub fn available() -> Vec<Self> {
        let kinds: &[(Kind, bool)] = &[
            #[cfg(target_arch = "x86_64")]
            (Kind::Avx512, has_avx512()),
            #[cfg(target_arch = "x86_64")]
            (Kind::AvxVnni, has_avx2() && std::is_x86_feature_detected!("avxvnni")),
            #[cfg(target_arch = "x86_64")]
            (Kind::Avx2, has_avx2()),
            #[cfg(target_arch = "aarch64")]
            (Kind::I8mm, has_dotprod() && std::arch::is_aarch64_feature_detected!("i8mm")),
            #[cfg(target_arch = "aarch64")]
            (Kind::DotProd, has_dotprod()),
            #[cfg(target_arch = "aarch64")]
            (Kind::Neon, std::arch::is_aarch64_feature_detected!("neon")),
            (Kind::Scalar, true),
        ];
        kinds.iter().filter(|(_, is_present)| *is_present).map(|(kind, _)| Self(*kind)).collect()
    }

    /// Returns the level of that name.
    ///
    /// # Errors
    ///
    /// When no level has the name or this machine lacks it.
    pub fn named(name: &str) -> Result<Self, UnknownLevel> {
        let available = Self::available();
        available.iter().copied().find(|level| level.name() == name).ok_or_else(|| UnknownLevel {
            name: name.to_owned(),
            available: available.iter().map(|level| level.name()).collect(),
        })
    }

    /// Returns its name, as [`Level::named`] takes it.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::AvxVnni => "avxvnni",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => "neon",
            #[cfg(target_arch = "aarch64")]
            Kind::DotProd => "dotprod",
            #[cfg(target_arch = "aarch64")]
            Kind::I8mm => "i8mm",
        }
    }

    /// Returns the kind, to choose kernels by.
    pub(crate) fn kind(self) -> Kind {
        self.0
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The name of a level that this machine does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLevel {
    name: String,
    available: Vec<&'static str>,
}

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no vector level {:?} on this machine; it has {}",
            self.name,
            self.available.join(", ")
        )
    }
}

impl Error for UnknownLevel {}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    std::is_x86_feature_detected!("avx2")
        && std::is_x86_feature_detected!("fma")
        && std::is_x86_feature_detected!("f16c")
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    has_avx2()
        && std::is_x86_feature_detected!("avx512f")
        && std::is_x86_feature_detected!("avx512bw")
        && std::is_x86_feature_detected!("avx512vl")
        && std::is_x86_feature_detected!("avx512dq")
        && std::is_x86_feature_detected!("avx512vnni")
}

#[cfg(target_arch = "aarch64")]
fn has_dotprod() -> bool {
    std::arch::is_aarch64_feature_detected!("neon") && std::arch::is_aarch64_feature_detected!("dotprod")
}

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
    fn unknown_levels_are_refused_with_what_there_is() {
        let error = Level::named("avx9000").unwrap_err().to_string();
        assert!(error.contains("avx9000") && error.contains("scalar"), "{error}");
    }
}
