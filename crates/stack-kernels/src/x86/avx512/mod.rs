//! Kernels for AVX-512 with the integer dot product.
//!
//! A register holds sixteen rows of weights: one lane is one row. Every function here carries the same features, so
//! that they inline into one another; [`Avx512`] is where the features are known to be there.

mod accumulate;
mod codes;
mod few_rows;
pub(crate) mod float;
mod load;
mod quantize;
mod scales;
mod scheme;
mod strips;
mod unpack;

use crate::activations::{Rounded32, Rounded256};
use crate::buffer::Line;
use crate::float::FloatTask;
use crate::format::Format;
use crate::level::{Level, Tier};
use crate::multiply::{Kernels, Work};
use crate::panel::Panel;
use crate::tile::{self, LANES};

/// The proof that this machine has the features of this module.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// Makes the proof from a level that was detected, if it is this one.
    pub(crate) fn new(level: Level) -> Option<Self> {
        (level.0 == Tier::Avx512).then_some(Self(()))
    }
}

impl Kernels for Avx512 {
    fn unpack(self, format: Format, tile: &[Line], blocks: usize, panel: &mut Panel) {
        // SAFETY: `self` proves that the machine has the features.
        unsafe { unpack::unpack(format, tile, blocks, panel) }
    }

    fn accumulate_256(
        self,
        format: Format,
        panels: &[Panel],
        inputs: &[Rounded256],
        sums: &mut [[f32; LANES]],
    ) {
        let start = tile::start(format).unwrap_or(0);
        // SAFETY: `self` proves that the machine has the features.
        unsafe {
            match (tile::has_halves(format), tile::has_minima(format)) {
                (false, false) => unpack::accumulate_256::<false, false>(panels, start, inputs, sums),
                (false, true) => unpack::accumulate_256::<false, true>(panels, start, inputs, sums),
                (true, false) => unpack::accumulate_256::<true, false>(panels, start, inputs, sums),
                (true, true) => unpack::accumulate_256::<true, true>(panels, start, inputs, sums),
            }
        }
    }

    fn accumulate_32(
        self,
        format: Format,
        panels: &[Panel],
        inputs: &[Rounded32],
        sums: &mut [[f32; LANES]],
    ) {
        let start = tile::start(format).unwrap_or(0);
        // SAFETY: `self` proves that the machine has the features.
        unsafe {
            if tile::has_minima(format) {
                unpack::accumulate_32::<true>(panels, start, inputs, sums);
            } else {
                unpack::accumulate_32::<false>(panels, start, inputs, sums);
            }
        }
    }

    fn floats(self, task: &mut FloatTask<'_>) {
        if task.format == Format::Bf16 && std::is_x86_feature_detected!("avx512bf16") {
            // SAFETY: `self` proves that the machine has the features, but for BF16, which was just detected.
            return unsafe { float::multiply_pairs(task) };
        }
        // SAFETY: `self` proves that the machine has the features.
        unsafe { float::multiply_floats(task) }
    }

    fn few_rows(self, work: &Work<'_>, _: &mut Panel, sums: &mut [[f32; LANES]]) -> bool {
        // SAFETY: `self` proves that the machine has the features.
        unsafe { few_rows::multiply(work, sums) }
    }

    fn round_256(self, x: &[f32; 256], out: &mut Rounded256) {
        // SAFETY: `self` proves that the machine has the features.
        unsafe { quantize::round_256(x, out) }
    }

    fn round_32(self, x: &[f32; 256], out: &mut Rounded32) {
        // SAFETY: `self` proves that the machine has the features.
        unsafe { quantize::round_32(x, out) }
    }
}
