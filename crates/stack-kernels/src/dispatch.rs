//! From a level to its kernels.

/// Evaluates an expression with the kernels of a level.
macro_rules! with_kernels {
    ($level:expr, $kernels:ident => $body:expr) => {{
        let level: $crate::level::Level = $level;
        match level.set() {
            #[cfg(target_arch = "x86_64")]
            $crate::level::InstructionSet::Avx512 => {
                let $kernels = $crate::x86::avx512::Avx512::new(level).expect("the level is this one");
                $body
            }
            #[cfg(target_arch = "x86_64")]
            $crate::level::InstructionSet::AvxVnni => {
                let $kernels = $crate::x86::avx2::AvxVnni::new(level).expect("the level is this one");
                $body
            }
            #[cfg(target_arch = "x86_64")]
            $crate::level::InstructionSet::Avx2 => {
                let $kernels = $crate::x86::avx2::Avx2::new(level).expect("the level is this one");
                $body
            }
            #[cfg(target_arch = "aarch64")]
            $crate::level::InstructionSet::I8mm => {
                let $kernels = $crate::aarch64::I8mm::new(level).expect("the level is this one");
                $body
            }
            #[cfg(target_arch = "aarch64")]
            $crate::level::InstructionSet::DotProd => {
                let $kernels = $crate::aarch64::DotProd::new(level).expect("the level is this one");
                $body
            }
            #[cfg(target_arch = "aarch64")]
            $crate::level::InstructionSet::Neon => {
                let $kernels = $crate::aarch64::Neon::new(level).expect("the level is this one");
                $body
            }
            _ => {
                let $kernels = $crate::scalar::Scalar;
                $body
            }
        }
    }};
}
pub(crate) use with_kernels;
