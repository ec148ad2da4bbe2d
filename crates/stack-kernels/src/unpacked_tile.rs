//! A tile of any quantized format, unpacked to what all of them have in common.

use crate::buffer::Line;
use crate::tile::LANES;

/// Up to 256 columns of sixteen rows: quants as bytes, scales as floats.
///
/// With `q` the quant, `d` the scale and `z` the format's zero point, a weight is `d·(q − z)`, less its min.
#[repr(C, align(64))]
#[derive(Clone, Debug)]
pub(crate) struct UnpackedTile {
    /// The quants: \[block]\[group], a line each.
    pub(crate) quants: [[Line; 8]; 8],
    /// The scales: one per block, or one per half.
    pub(crate) scales: [[f32; LANES]; 16],
    /// Mins of blocks or halves as pairs of 16-bit integers, where they are scaled by `dmin`.
    pub(crate) mins: [[i32; LANES]; 8],
    /// The scale of `mins`; or, of formats with a scale per 32, the number that each block adds.
    pub(crate) dmins: [[f32; LANES]; 8],
    /// The blocks that there are.
    pub(crate) blocks: usize,
}

impl Default for UnpackedTile {
    /// Makes a tile without blocks.
    fn default() -> Self {
        Self {
            quants: [[Line::ZERO; 8]; 8],
            scales: [[0.0; LANES]; 16],
            mins: [[0; LANES]; 8],
            dmins: [[0.0; LANES]; 8],
            blocks: 0,
        }
    }
}
