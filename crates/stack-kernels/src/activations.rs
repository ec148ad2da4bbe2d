//! The other operand of a product: rows of activations, rounded as the format of the weights asks.

use crate::float::FloatRows;
use crate::format::Input;
use crate::tile::{BLOCK, TILE};

/// Rows of activations in the form that some format of weights is multiplied with.
///
/// It keeps its memory, so that one that is filled again and again allocates only while it grows.
#[derive(Clone, Debug, Default)]
pub struct Activations {
    pub(crate) storage: Storage,
    rows: usize,
    cols: usize,
}

/// The forms. Rounded ones are held tile by tile (all rows of the first 256 columns, then of the next), because a
/// kernel reads the same columns of many rows.
#[derive(Clone, Debug)]
pub(crate) enum Storage {
    /// As floats.
    Float(FloatRows),
    /// \[tile]\[row].
    Q8_0(Vec<BlockQ8_0>),
    /// \[tile]\[row].
    Q8K(Vec<BlockQ8K>),
}

/// 256 columns of one row, rounded to eight bits with one scale.
///
/// `scale` is 1/i and a quant min(127, round(i·x)) with i = −127/x', where x' is the value of largest magnitude.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BlockQ8K {
    /// Four quants each, as bytes.
    pub(crate) quants: [i32; 64],
    /// The scale of the quants.
    pub(crate) scale: f32,
    /// Sums of the quants of 32 columns, two 16-bit integers each.
    pub(crate) sums_of_32: [i32; 4],
    /// Sums of the quants of 16 columns, two 16-bit integers each.
    pub(crate) sums_of_16: [i32; 8],
    /// Zero-point compensation, from which sums begin, for weights that are 4, 32 or 128 too large: −4 times the sum of
    /// the quants of 16 columns, −32 times the same, −128 times that of 32 columns.
    pub(crate) compensation: [[i32; 16]; 3],
}

/// Up to 256 columns of one row, rounded to eight bits with a scale per 32; the rest is zero.
///
/// With `a` the largest magnitude, `scale` is a/127 and a quant round(127/a·x).
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BlockQ8_0 {
    /// Four quants each, as bytes.
    pub(crate) quants: [i32; 64],
    /// The scales of the quants, one per 32.
    pub(crate) scales: [f32; 8],
    /// `scale` times the sum of the quants.
    pub(crate) sums: [f32; 8],
    /// Zero-point compensation, from which sums begin, for weights that are 8, 16 or 128 too large: so many times the
    /// sum of the quants, negative.
    pub(crate) compensation: [[i32; 8]; 3],
}

impl Activations {
    /// Makes one without rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The form in which they are held.
    pub fn input(&self) -> Input {
        match &self.storage {
            Storage::Float(rows) if rows.is_paired() => Input::Bf16,
            Storage::Float(_) => Input::Float,
            Storage::Q8_0(_) => Input::Q8_0,
            Storage::Q8K(_) => Input::Q8K,
        }
    }

    /// Copies some rows into another one, in the order of `rows`; a row may be named more than once.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    pub fn gather(&self, rows: &[u32], into: &mut Self) {
        into.shape(self.input(), rows.len(), self.cols);
        match (&self.storage, &mut into.storage) {
            (Storage::Float(from), Storage::Float(to)) => to.gather(from, rows),
            (Storage::Q8_0(from), Storage::Q8_0(to)) => gather_tiles(from, self.rows, rows, to),
            (Storage::Q8K(from), Storage::Q8K(to)) => gather_tiles(from, self.rows, rows, to),
            _ => unreachable!("`shape` made the forms equal"),
        }
    }

    /// Makes room for so many rows in that form; what they hold is unspecified.
    ///
    /// # Panics
    ///
    /// When the columns are no multiple of what shares a scale.
    pub(crate) fn shape(&mut self, input: Input, rows: usize, cols: usize) {
        (self.rows, self.cols) = (rows, cols);
        let tiles = cols.div_ceil(TILE) * rows;
        match (input, &mut self.storage) {
            (Input::Float | Input::Bf16, Storage::Float(floats)) => {
                floats.shape(rows, cols, input == Input::Bf16);
            }
            (Input::Q8_0, Storage::Q8_0(blocks)) => blocks.resize(tiles, BlockQ8_0::ZERO),
            (Input::Q8K, Storage::Q8K(blocks)) => blocks.resize(tiles, BlockQ8K::ZERO),
            (Input::Float | Input::Bf16, storage) => {
                let mut floats = FloatRows::default();
                floats.shape(rows, cols, input == Input::Bf16);
                *storage = Storage::Float(floats);
            }
            (Input::Q8_0, storage) => *storage = Storage::Q8_0(vec![BlockQ8_0::ZERO; tiles]),
            (Input::Q8K, storage) => *storage = Storage::Q8K(vec![BlockQ8K::ZERO; tiles]),
        }
        let multiple = match input {
            Input::Float | Input::Bf16 => 1,
            Input::Q8_0 => BLOCK,
            Input::Q8K => TILE,
        };
        assert!(cols.is_multiple_of(multiple), "{cols} columns are no multiple of {multiple}");
    }
}

fn gather_tiles<T: Copy>(from: &[T], from_rows: usize, rows: &[u32], to: &mut [T]) {
    if rows.is_empty() {
        return;
    }
    for (from, to) in from.chunks_exact(from_rows).zip(to.chunks_exact_mut(rows.len())) {
        for (to, &row) in to.iter_mut().zip(rows) {
            *to = from[row as usize];
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self::Float(FloatRows::default())
    }
}

impl BlockQ8K {
    /// Returns the factor that makes quants of activations, and the scale of those quants.
    #[inline]
    pub(crate) fn scale_of(low: f32, high: f32) -> (f32, f32) {
        let inverse = -127.0 / if high >= -low { high } else { low };
        // All are zero, or so small that they may as well be.
        if inverse.is_infinite() { (0.0, 0.0) } else { (inverse, 1.0 / inverse) }
    }

    pub(crate) const ZERO: Self = Self {
        quants: [0; 64],
        scale: 0.0,
        sums_of_32: [0; 4],
        sums_of_16: [0; 8],
        compensation: [[0; 16]; 3],
    };
}

impl BlockQ8_0 {
    /// Returns the factor that makes quants of activations, and the scale of those quants.
    #[inline]
    pub(crate) fn scale_of(extreme: f32) -> (f32, f32) {
        let inverse = 127.0 / extreme;
        if inverse.is_infinite() { (0.0, 0.0) } else { (inverse, extreme / 127.0) }
    }

    pub(crate) const ZERO: Self =
        Self { quants: [0; 64], scales: [0.0; 8], sums: [0.0; 8], compensation: [[0; 8]; 3] };
}
