//! Where tensors live.

use std::fmt;
use std::str::FromStr;

use candle_core::Device;

/// A kind of device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceKind {
    /// The processor, through this program's own kernels.
    #[default]
    Cpu,
    /// The processor, through candle's kernels: to compare.
    Candle,
    /// The first NVIDIA GPU.
    Cuda,
    /// The first Apple GPU.
    Metal,
}

impl DeviceKind {
    /// Opens the device.
    ///
    /// # Errors
    ///
    /// When there is none, or this program was built without support for it.
    pub fn open(self) -> candle_core::Result<Device> {
        match self {
            Self::Cpu | Self::Candle => Ok(Device::Cpu),
            Self::Cuda => Device::new_cuda(0),
            Self::Metal => Device::new_metal(0),
        }
    }

    /// Whether this program was built with support for it.
    pub fn supported(self) -> bool {
        match self {
            Self::Cpu | Self::Candle => true,
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Metal => cfg!(feature = "metal"),
        }
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Candle => "candle",
            Self::Cuda => "cuda",
            Self::Metal => "metal",
        })
    }
}

impl FromStr for DeviceKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "cpu" => Ok(Self::Cpu),
            "candle" => Ok(Self::Candle),
            "cuda" => Ok(Self::Cuda),
            "metal" => Ok(Self::Metal),
            other => Err(format!("{other:?} is not a device; use cpu, candle, cuda or metal")),
        }
    }
}
