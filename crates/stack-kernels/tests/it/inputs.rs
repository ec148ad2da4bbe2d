//! Weights and activations made up for tests.

use half::f16;
use stack_kernels::Format;

/// A small generator of numbers that look random and are always the same (xorshift64).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn byte(&mut self) -> u8 {
        (self.next() >> 32) as u8
    }

    /// Between −1 and 1.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub(crate) fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.unit()).collect()
    }
}

/// Formats whose weights are quants and scales.
pub(crate) fn quantized() -> impl Iterator<Item = Format> {
    Format::ALL.into_iter().filter(|format| format.block() > 1)
}

/// Blocks as a file has them: any quants, and floats that are finite and small.
pub(crate) fn native(format: Format, rows: usize, cols: usize, seed: u64) -> Vec<u8> {
    let mut numbers = Numbers::new(seed);
    native_of(format, rows, cols, seed, || numbers.byte())
}

/// As [`native`], with quants from `byte`.
pub(crate) fn native_of(
    format: Format,
    rows: usize,
    cols: usize,
    seed: u64,
    mut byte: impl FnMut() -> u8,
) -> Vec<u8> {
    let mut numbers = Numbers::new(seed + 1);
    let bytes = rows * cols / format.block() * format.block_bytes();
    let mut native: Vec<u8> = (0..bytes).map(|_| byte()).collect();
    for block in native.chunks_exact_mut(format.block_bytes()) {
        match format {
            Format::F32 => block.copy_from_slice(&numbers.unit().to_le_bytes()),
            Format::F16 => half(block, 0, numbers.unit()),
            Format::Bf16 => block[1] = block[1] & 0x80 | 0x3E,
            Format::Mxfp4 => block[0] = 118 + block[0] % 12,
            _ => halves(format).iter().for_each(|&at| half(block, at, numbers.unit() / 16.0)),
        }
    }
    native
}

/// Where a block has numbers of 16 bits.
fn halves(format: Format) -> &'static [usize] {
    match format {
        Format::Q4_0 | Format::Q5_0 | Format::Q8_0 | Format::Iq4Nl | Format::Iq4Xs => &[0],
        Format::Q4_1 | Format::Q5_1 | Format::Q4K | Format::Q5K => &[0, 2],
        Format::Q2K => &[80, 82],
        Format::Q3K => &[108],
        Format::Q6K => &[208],
        Format::F32 | Format::F16 | Format::Bf16 | Format::Mxfp4 => &[],
    }
}

fn half(block: &mut [u8], at: usize, value: f32) {
    block[at..at + 2].copy_from_slice(&f16::from_f32(value).to_le_bytes());
}
