//! A tile of any quantized format, unpacked to what all of them have in common.

use crate::buffer::Line;
use crate::tile::LANES;

/// Up to 256 columns of sixteen rows: codes as bytes, scales as floats.
///
/// With `c` the code, `s` the scale and `o` the format's offset, a weight is `s·(c − o)`, less its minimum.
#[repr(C, align(64))]
#[derive(Clone, Debug)]
pub(crate) struct Panel {
    /// The codes: \[block]\[group], a line each.
    pub(crate) codes: [[Line; 8]; 8],
    /// The scales: one per block, or one per half.
    pub(crate) scales: [[f32; LANES]; 16],
    /// Minima of blocks or halves as pairs of 16-bit integers, where they are scaled by `floor`.
    pub(crate) minima: [[i32; LANES]; 8],
    /// What scales `minima`; or, of formats with a scale per 32, what each block adds.
    pub(crate) floors: [[f32; LANES]; 8],
    /// The blocks that there are.
    pub(crate) blocks: usize,
}

impl Default for Panel {
    /// Makes a panel without blocks.
    fn default() -> Self {
        Self {
            codes: [[Line::ZERO; 8]; 8],
            scales: [[0.0; LANES]; 16],
            minima: [[0; LANES]; 8],
            floors: [[0.0; LANES]; 8],
            blocks: 0,
        }
    }
}
