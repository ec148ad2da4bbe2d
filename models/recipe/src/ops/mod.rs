//! The model's fused operations, each with its gradient written by hand.
//!
//! candle multiplies matrices as fast as the processor allows, but its element-wise operations make one pass and
//! one allocation each. In a model this narrow they would take most of the time, so each block that is not a
//! matrix product is one operation here.

mod attention;
mod cross_entropy;
mod exp;
mod rms_norm;
mod swiglu;

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor};

pub(crate) use attention::{Attention, Rotary};
pub(crate) use cross_entropy::CrossEntropy;
pub(crate) use rms_norm::{EPSILON, RmsNorm};
pub(crate) use swiglu::SwiGlu;

/// Lends the numbers of a contiguous CPU tensor to `use_it`.
pub(crate) fn with_floats<R>(tensor: &Tensor, use_it: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(cpu) => Ok(use_it(floats(cpu, layout)?)),
        _ => candle_core::bail!("the recipe trains on the processor only"),
    }
}

fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("expected a contiguous tensor, got strides {:?}", layout.stride())
    };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// Compares an operation's gradient with central differences of its forward pass.
#[cfg(test)]
fn check_gradient(input: &candle_core::Var, forward: impl Fn(&Tensor) -> Result<Tensor>) -> Result<()> {
    // A fixed, uneven weighting of the outputs, so that no error cancels out.
    let score = |output: &Tensor| -> Result<Tensor> {
        let count = output.elem_count();
        let weights: Vec<f32> = (0..count).map(|i| ((i * 37 % 11) as f32 - 5.0) / 5.0).collect();
        output.flatten_all()?.mul(&Tensor::from_vec(weights, count, output.device())?)?.sum_all()
    };
    let gradients = score(&forward(input.as_tensor())?)?.backward()?;
    let gradient =
        gradients.get(input.as_tensor()).expect("the input takes part").flatten_all()?.to_vec1::<f32>()?;
    let values = input.flatten_all()?.to_vec1::<f32>()?;
    let step = 1e-2;
    for i in 0..values.len() {
        let mut at = [0f32; 2];
        for (value, sign) in at.iter_mut().zip([-1.0, 1.0]) {
            let mut moved = values.clone();
            moved[i] += sign * step;
            let moved = Tensor::from_vec(moved, input.shape(), input.device())?;
            *value = score(&forward(&moved)?)?.to_scalar::<f32>()?;
        }
        let expected = (at[1] - at[0]) / (2.0 * step);
        assert!(
            (gradient[i] - expected).abs() < 1e-2 + 2e-2 * expected.abs(),
            "element {i}: gradient {} but the slope is {expected}",
            gradient[i]
        );
    }
    Ok(())
}
