//! How keys and values are held between tokens.

use std::fmt;
use std::str::FromStr;

use stack_kernels::KvType;

use super::DeviceKind;

/// How the cache of a decoder holds keys and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheType {
    /// In half precision.
    #[default]
    F16,
    /// As whole numbers of 8 bits with a scale for every 32 of them: little more than half the memory, a little less
    /// exact.
    Q8_0,
}

impl CacheType {
    /// Whether decoders on this device can hold their cache so.
    pub fn is_held_by(self, device: DeviceKind) -> bool {
        self == Self::F16 || device == DeviceKind::Cpu
    }

    /// The kernels' name of it.
    pub(super) fn kernel(self) -> KvType {
        match self {
            Self::F16 => KvType::F16,
            Self::Q8_0 => KvType::Q8,
        }
    }
}

impl From<KvType> for CacheType {
    fn from(kind: KvType) -> Self {
        match kind {
            KvType::F16 => Self::F16,
            KvType::Q8 => Self::Q8_0,
        }
    }
}

impl fmt::Display for CacheType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
        })
    }
}

impl FromStr for CacheType {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "f16" => Ok(Self::F16),
            "q8_0" => Ok(Self::Q8_0),
            other => Err(format!("{other:?} is not a KV cache type; use f16 or q8_0")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for kind in [CacheType::F16, CacheType::Q8_0] {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("q4_0".parse::<CacheType>().is_err());
    }
}
