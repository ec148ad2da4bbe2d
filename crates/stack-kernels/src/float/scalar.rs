//! The specification of the float kernels: plain loops.

use super::pack::weight;
use super::rows::FloatRows;
use super::{BLOCK, FloatFormat, FloatTask, GROUP};

/// Adds the products of a task to its sums.
pub(crate) fn multiply(task: &mut FloatTask<'_>) {
    let groups = task.checked_groups();
    let cols = task.input.cols();
    let group_bytes = task.format.group_bytes(cols);
    for (row, sums) in task.sums.chunks_exact_mut(groups * GROUP).enumerate() {
        let x = activations(task.input, row);
        for (column, sum) in sums.iter_mut().enumerate() {
            let group = &task.weights[column / GROUP * group_bytes..][..group_bytes];
            for first in (0..x.len()).step_by(BLOCK) {
                let mut block = 0.0_f32;
                for k in first..x.len().min(first + BLOCK) {
                    // The second of a BF16 pair comes first.
                    let k = if task.format == FloatFormat::Bf16 { k ^ 1 } else { k };
                    block = weight(task.format, group, column % GROUP, k).mul_add(x[k], block);
                }
                *sum += block;
            }
        }
    }
}

/// Returns the activations of one row as floats, as many as the packed weights have.
fn activations(input: &FloatRows, row: usize) -> Vec<f32> {
    let elements = (0..input.steps()).map(|step| input.element(row, step));
    if input.pairs() {
        elements.flat_map(|pair| [f32::from_bits(pair << 16), f32::from_bits(pair & 0xFFFF_0000)]).collect()
    } else {
        elements.map(f32::from_bits).collect()
    }
}
