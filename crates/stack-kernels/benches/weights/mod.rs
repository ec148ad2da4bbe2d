//! Weights and activations to multiply, and what their products must be.

use stack_kernels::{Format, Matrix};

/// Returns blocks as a file holds them, with any quants and with scales of one sixteenth.
pub(crate) fn native(format: Format, weights: usize) -> Vec<u8> {
    let mut native: Vec<u8> =
        (0..weights / format.block() * format.block_bytes()).map(|n| (n * 31 + n / 97) as u8).collect();
    let sixteenth = [0x00, 0x2C];
    for block in native.chunks_exact_mut(format.block_bytes()) {
        match format {
            Format::F32 => block.copy_from_slice(&0.0625f32.to_le_bytes()),
            Format::F16 => block.copy_from_slice(&sixteenth),
            Format::Bf16 => block.copy_from_slice(&[0x80, 0x3D]),
            Format::Q4_1 | Format::Q5_1 | Format::Q4K | Format::Q5K => {
                block[..2].copy_from_slice(&sixteenth);
                block[2..4].copy_from_slice(&sixteenth);
            }
            Format::Q2K => {
                block[80..82].copy_from_slice(&sixteenth);
                block[82..].copy_from_slice(&sixteenth);
            }
            Format::Q3K => block[108..].copy_from_slice(&sixteenth),
            Format::Q6K => block[208..].copy_from_slice(&sixteenth),
            Format::Mxfp4 => block[0] = 120,
            _ => block[..2].copy_from_slice(&sixteenth),
        }
    }
    native
}

/// Returns rows of numbers between −1 and 1.
pub(crate) fn activations(rows: usize, cols: usize) -> Vec<f32> {
    (0..rows * cols).map(|n| ((n * 7919) % 2001) as f32 / 1000.0 - 1.0).collect()
}

/// Checks some outputs, which are sums of the products of matrices and activations, against double precision.
///
/// The tolerance is what rounding activations to eight bits may do.
pub(crate) fn assert_products(output: &[f32], products: &[(&Matrix, &[f32])]) {
    let width = products[0].0.rows();
    let last = output.len() / width - 1;
    for (row, column) in [(0, 0), (0, width / 2), (0, width - 1), (last, 0), (last, width - 1)] {
        let (mut sum, mut magnitude) = (0.0, 0.0);
        for (matrix, x) in products {
            let mut weights = vec![0.0; matrix.cols()];
            matrix.row(column, &mut weights);
            for (w, x) in weights.iter().zip(&x[row * matrix.cols()..]) {
                let term = f64::from(w * x);
                sum += term;
                magnitude += term.abs();
            }
        }
        let output = f64::from(output[row * width + column]);
        let format = products[0].0.format();
        assert!((output - sum).abs() <= 2e-3 * magnitude, "{format}: {output} in row {row} is not {sum}");
    }
}
