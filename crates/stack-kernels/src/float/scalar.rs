//! The specification of the float kernels: plain loops.

use super::pack::weight;
use super::{BLOCK, FloatRows, FloatTask};
use crate::format::Format;
use crate::tile::LANES;

/// Adds the products of a task to its sums.
pub(crate) fn multiply(task: &mut FloatTask<'_>) {
    let groups = task.checked_groups();
    let group_lines = task.weights.len() / groups;
    for (row, sums) in task.rows.clone().zip(task.sums.chunks_exact_mut(groups)) {
        let x = activations(task.input, row);
        for (group, sums) in task.weights.chunks_exact(group_lines).zip(sums) {
            for first in (0..x.len()).step_by(BLOCK) {
                let mut block = [0.0_f32; LANES];
                for column in first..x.len().min(first + BLOCK) {
                    // The second of a BF16 pair comes first.
                    let column = if task.format == Format::Bf16 { column ^ 1 } else { column };
                    for (lane, sum) in block.iter_mut().enumerate() {
                        *sum = weight(task.format, group, lane, column).mul_add(x[column], *sum);
                    }
                }
                for (sum, block) in sums.iter_mut().zip(block) {
                    *sum += block;
                }
            }
        }
    }
}

/// Returns the activations of one row as floats: an even number of them if they are paired.
fn activations(input: &FloatRows, row: usize) -> Vec<f32> {
    let elements = (0..input.steps()).map(|step| input.element(row, step));
    if input.is_paired() {
        elements.flat_map(|pair| [f32::from_bits(pair << 16), f32::from_bits(pair & 0xFFFF_0000)]).collect()
    } else {
        elements.map(f32::from_bits).collect()
    }
}
