//! The formats in which weights are stored.

use std::fmt;

/// A format of weights, as GGUF files store them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// 32-bit floats.
    F32,
    /// 16-bit floats of IEEE 754.
    F16,
    /// The upper half of 32-bit floats.
    Bf16,
    /// Four bits and a scale per 32.
    Q4_0,
    /// Four bits, a scale and a min per 32.
    Q4_1,
    /// Five bits and a scale per 32.
    Q5_0,
    /// Five bits, a scale and a min per 32.
    Q5_1,
    /// Eight bits and a scale per 32.
    Q8_0,
    /// Two bits, with scales and mins of four bits per 16.
    Q2K,
    /// Three bits, with scales of six bits per 16.
    Q3K,
    /// Four bits, with scales and mins of six bits per 32.
    Q4K,
    /// Five bits, with scales and mins of six bits per 32.
    Q5K,
    /// Six bits, with scales of eight bits per 16.
    Q6K,
    /// Indices into a table of sixteen values, and a scale per 32.
    Iq4Nl,
    /// Indices into the same table, with scales of six bits per 32.
    Iq4Xs,
    /// Floats of four bits, and an exponent per 32.
    Mxfp4,
}

/// The form of activations that a format of weights takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// As they are.
    Float,
    /// Rounded to the upper half of 32-bit floats.
    Bf16,
    /// In eight bits, with a scale per 32.
    Q8_0,
    /// In eight bits, with a scale per 256.
    Q8K,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 16] = [
        Self::F32,
        Self::F16,
        Self::Bf16,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q2K,
        Self::Q3K,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
        Self::Iq4Nl,
        Self::Iq4Xs,
        Self::Mxfp4,
    ];

    /// Number of weights that share a block of the file.
    pub fn block(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 1,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 | Self::Iq4Nl | Self::Mxfp4 => 32,
            Self::Q2K | Self::Q3K | Self::Q4K | Self::Q5K | Self::Q6K | Self::Iq4Xs => 256,
        }
    }

    /// Bytes of such a block.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Q4_0 | Self::Iq4Nl => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Mxfp4 => 17,
            Self::Q2K => 84,
            Self::Q3K => 110,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
            Self::Iq4Xs => 136,
        }
    }

    /// The form of activations that weights of this format take.
    pub fn input(self) -> Input {
        match self.block() {
            1 if self == Self::Bf16 => Input::Bf16,
            1 => Input::Float,
            32 => Input::Q8_0,
            _ => Input::Q8K,
        }
    }

    /// Returns the name that GGUF tools use.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q2K => "Q2_K",
            Self::Q3K => "Q3_K",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
            Self::Iq4Nl => "IQ4_NL",
            Self::Iq4Xs => "IQ4_XS",
            Self::Mxfp4 => "MXFP4",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
