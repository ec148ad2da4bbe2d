//! The definition of every kernel, in plain Rust.
//!
//! Vector levels do the same operations in the same order, fused multiply-adds included, so that every level computes
//! the same numbers.

mod codes;
mod float;
mod multiply;
mod quantize;
mod scales;
mod unpack;

use crate::activations::{Rounded32, Rounded256};
use crate::buffer::Line;
use crate::format::Format;
use crate::multiply::{Kernels, Work};
use crate::panel::Panel;
use crate::tile::LANES;

pub(crate) use codes::{FLOATS, UNEVEN};
pub(crate) use quantize::{round_32, round_256};
pub(crate) use unpack::row;

/// The kernels that every machine has.
#[derive(Clone, Copy)]
pub(crate) struct Scalar;

impl Kernels for Scalar {
    fn unpack(self, format: Format, tile: &[Line], blocks: usize, panel: &mut Panel) {
        unpack::unpack(format, tile, blocks, panel);
    }

    fn accumulate_256(self, format: Format, panel: &Panel, inputs: &[Rounded256], sums: &mut [[f32; LANES]]) {
        multiply::accumulate_256(format, panel, inputs, sums);
    }

    fn accumulate_32(self, format: Format, panel: &Panel, inputs: &[Rounded32], sums: &mut [[f32; LANES]]) {
        multiply::accumulate_32(format, panel, inputs, sums);
    }

    fn floats(self, format: Format, group: &[Line], inputs: &[f32], cols: usize, sums: &mut [[f32; LANES]]) {
        float::multiply(format, group, inputs, cols, sums);
    }

    fn few_rows(self, _: &Work<'_>, _: &mut [[f32; LANES]]) -> bool {
        false
    }
}
