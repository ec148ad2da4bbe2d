//! The definition of every kernel, in plain Rust.
//!
//! Vector levels do the same operations in the same order, fused multiply-adds included, so that every level computes
//! the same numbers.

mod codes;
mod multiply;
mod quantize;
mod scales;
mod unpack;

use crate::activations::{Rounded32, Rounded256};
use crate::buffer::Line;
use crate::float::{self, FloatTask};
use crate::format::Format;
use crate::multiply::{Kernels, Work};
use crate::panel::Panel;
use crate::tile::LANES;

pub(crate) use codes::{FLOATS, UNEVEN};
pub(crate) use unpack::row;

/// The kernels that every machine has.
#[derive(Clone, Copy)]
pub(crate) struct Scalar;

impl Kernels for Scalar {
    fn unpack(self, format: Format, tile: &[Line], blocks: usize, panel: &mut Panel) {
        unpack::unpack(format, tile, blocks, panel);
    }

    fn accumulate_256(
        self,
        format: Format,
        panels: &[Panel],
        inputs: &[Rounded256],
        sums: &mut [[f32; LANES]],
    ) {
        for (panel, sums) in panels.iter().zip(sums.chunks_exact_mut(inputs.len())) {
            multiply::accumulate_256(format, panel, inputs, sums);
        }
    }

    fn accumulate_32(
        self,
        format: Format,
        panels: &[Panel],
        inputs: &[Rounded32],
        sums: &mut [[f32; LANES]],
    ) {
        for (panel, sums) in panels.iter().zip(sums.chunks_exact_mut(inputs.len())) {
            multiply::accumulate_32(format, panel, inputs, sums);
        }
    }

    fn floats(self, task: &mut FloatTask<'_>) {
        float::scalar::multiply(task);
    }

    fn few_rows(self, _: &Work<'_>, _: &mut Panel, _: &mut [[f32; LANES]]) -> bool {
        false
    }

    fn round_256(self, x: &[f32; 256], out: &mut Rounded256) {
        quantize::round_256(x, out);
    }

    fn round_32(self, x: &[f32; 256], out: &mut Rounded32) {
        quantize::round_32(x, out);
    }
}
