//! The other operand of a product: rows of activations, rounded as the format of the weights asks.

use crate::float::FloatRows;
use crate::format::Input;
use crate::tile::{BLOCK, TILE};

/// Rows of activations in the form that some format of weights is multiplied with.
///
/// It keeps its memory, so that one that is filled again and again allocates only while it grows.
#[derive(Clone, Debug, Default)]
pub struct Activations {
    pub(crate) held: Held,
    rows: usize,
    cols: usize,
}

/// The forms. Rounded ones are held tile by tile (all rows of the first 256 columns, then of the next), because a
/// kernel reads the same columns of many rows.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    /// As floats.
    Float(FloatRows),
    /// \[tile]\[row].
    Block32(Vec<Rounded32>),
    /// \[tile]\[row].
    Block256(Vec<Rounded256>),
}

/// 256 columns of one row, rounded to eight bits with one scale.
///
/// `scale` is 1/i and a code min(127, round(i·x)) with i = −127/x', where x' is the value of largest magnitude.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rounded256 {
    /// Four codes each, as bytes.
    pub(crate) codes: [i32; 64],
    /// What a code of 1 stands for.
    pub(crate) scale: f32,
    /// Sums of the codes of 32 columns, two 16-bit integers each.
    pub(crate) sums_of_32: [i32; 4],
    /// Sums of the codes of 16 columns, two 16-bit integers each.
    pub(crate) sums_of_16: [i32; 8],
    /// Where a sum begins when weights are 4, 32 or 128 too large: −4 times the sum of the codes of 16 columns, −32
    /// times the same, −128 times that of 32 columns.
    pub(crate) starts: [[i32; 16]; 3],
}

/// Up to 256 columns of one row, rounded to eight bits with a scale per 32; the rest is zero.
///
/// With `a` the largest magnitude, `scale` is a/127 and a code round(127/a·x).
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rounded32 {
    /// Four codes each, as bytes.
    pub(crate) codes: [i32; 64],
    /// What a code of 1 stands for.
    pub(crate) scales: [f32; 8],
    /// `scale` times the sum of the codes.
    pub(crate) sums: [f32; 8],
    /// Where a sum begins when weights are 8, 16 or 128 too large: so many times the sum of the codes, negative.
    pub(crate) starts: [[i32; 8]; 3],
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
        match &self.held {
            Held::Float(rows) if rows.is_paired() => Input::Bf16,
            Held::Float(_) => Input::Float,
            Held::Block32(_) => Input::Block32,
            Held::Block256(_) => Input::Block256,
        }
    }

    /// Copies some rows into another one, in the order of `rows`; a row may be named more than once.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    pub fn gather(&self, rows: &[u32], into: &mut Self) {
        into.shape(self.input(), rows.len(), self.cols);
        match (&self.held, &mut into.held) {
            (Held::Float(from), Held::Float(to)) => to.gather(from, rows),
            (Held::Block32(from), Held::Block32(to)) => gather_tiles(from, self.rows, rows, to),
            (Held::Block256(from), Held::Block256(to)) => gather_tiles(from, self.rows, rows, to),
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
        match (input, &mut self.held) {
            (Input::Float | Input::Bf16, Held::Float(held)) => held.shape(rows, cols, input == Input::Bf16),
            (Input::Block32, Held::Block32(held)) => held.resize(tiles, Rounded32::ZERO),
            (Input::Block256, Held::Block256(held)) => held.resize(tiles, Rounded256::ZERO),
            (Input::Float | Input::Bf16, held) => {
                let mut floats = FloatRows::default();
                floats.shape(rows, cols, input == Input::Bf16);
                *held = Held::Float(floats);
            }
            (Input::Block32, held) => *held = Held::Block32(vec![Rounded32::ZERO; tiles]),
            (Input::Block256, held) => *held = Held::Block256(vec![Rounded256::ZERO; tiles]),
        }
        let multiple = match input {
            Input::Float | Input::Bf16 => 1,
            Input::Block32 => BLOCK,
            Input::Block256 => TILE,
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

impl Default for Held {
    fn default() -> Self {
        Self::Float(FloatRows::default())
    }
}

impl Rounded256 {
    /// Returns what activations are multiplied with to become codes, and what a code of 1 stands for.
    #[inline]
    pub(crate) fn scale_of(low: f32, high: f32) -> (f32, f32) {
        let inverse = -127.0 / if high >= -low { high } else { low };
        // All are zero, or so small that they may as well be.
        if inverse.is_infinite() { (0.0, 0.0) } else { (inverse, 1.0 / inverse) }
    }

    pub(crate) const ZERO: Self =
        Self { codes: [0; 64], scale: 0.0, sums_of_32: [0; 4], sums_of_16: [0; 8], starts: [[0; 16]; 3] };
}

impl Rounded32 {
    /// Returns what activations are multiplied with to become codes, and what a code of 1 stands for.
    #[inline]
    pub(crate) fn scale_of(extreme: f32) -> (f32, f32) {
        let inverse = 127.0 / extreme;
        if inverse.is_infinite() { (0.0, 0.0) } else { (inverse, extreme / 127.0) }
    }

    pub(crate) const ZERO: Self =
        Self { codes: [0; 64], scales: [0.0; 8], sums: [0.0; 8], starts: [[0; 8]; 3] };
}
