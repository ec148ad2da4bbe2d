//! Every level against the scalar one, bit by bit.

use super::{FloatRows, FloatTask, ROWS, pack, scalar};
use crate::buffer::Line;
use crate::dispatch::with_kernels;
use crate::format::Format;
use crate::kernels::Kernels;
use crate::level::Level;
use crate::pool::Pool;
use crate::tile::{self, LANES};

type Multiply = Box<dyn Fn(&mut FloatTask<'_>)>;

/// Lists the kernels that this machine can run. Where BF16 has an instruction, so does what takes its place elsewhere.
fn kernels() -> Vec<(String, Multiply)> {
    let floats =
        |level| -> Multiply { with_kernels!(level, kernels => Box::new(move |task| kernels.floats(task))) };
    let mut levels = Level::available();
    let fewer = levels.iter().map(|level| level.without_bf16()).filter(|level| !levels.contains(level));
    levels.extend(fewer.collect::<Vec<_>>());
    levels.into_iter().map(|level| (format!("{level:?}"), floats(level))).collect()
}

const FORMATS: [Format; 3] = [Format::F32, Format::F16, Format::Bf16];

/// Numbers in [-1, 1) that look random.
fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn native(format: Format, weights: &[f32]) -> Vec<u8> {
    match format {
        Format::F16 => weights.iter().flat_map(|&w| half::f16::from_f32(w).to_le_bytes()).collect(),
        Format::Bf16 => weights.iter().flat_map(|&w| half::bf16::from_f32(w).to_le_bytes()).collect(),
        _ => weights.iter().flat_map(|w| w.to_le_bytes()).collect(),
    }
}

fn packed(format: Format, cols: usize, weights: &[f32]) -> Vec<Line> {
    let row_bytes = cols * format.block_bytes();
    let native = native(format, weights);
    let groups = native.chunks(LANES * row_bytes);
    let packed = groups.flat_map(|rows| {
        let mut lines = vec![Line::ZERO; tile::group_lines(format, cols)];
        pack::pack(format, rows, row_bytes, &mut lines);
        lines
    });
    packed.collect()
}

fn input(format: Format, cols: usize, x: &[f32]) -> FloatRows {
    let mut input = FloatRows::default();
    input.shape(x.len() / cols, cols, format == Format::Bf16);
    input.fill(x, &Pool::new(1));
    input
}

fn sums(
    format: Format,
    multiply: &dyn Fn(&mut FloatTask<'_>),
    weights: &[Line],
    input: &FloatRows,
) -> Vec<[f32; LANES]> {
    let groups = weights.len() / tile::group_lines(format, input.cols());
    let mut sums = vec![[0.0; LANES]; input.rows() * groups];
    for (first, sums) in (0..input.rows()).step_by(ROWS).zip(sums.chunks_mut(ROWS * groups)) {
        let rows = first..(first + ROWS).min(input.rows());
        multiply(&mut FloatTask { format, weights, input, rows, sums });
    }
    sums
}

fn bits(sums: &[[f32; LANES]]) -> Vec<u32> {
    sums.as_flattened().iter().map(|sum| sum.to_bits()).collect()
}

#[test]
fn packed_weights_are_found_again() {
    for format in FORMATS {
        for (rows, cols) in [(1, 1), (5, 33), (16, 64), (17, 31), (40, 257)] {
            let weights = noise(rows * cols, 7);
            let packed = packed(format, cols, &weights);
            let groups = packed.chunks_exact(tile::group_lines(format, cols));
            for (group, weights) in groups.zip(weights.chunks(LANES * cols)) {
                for (lane, weights) in weights.chunks_exact(cols).enumerate() {
                    let mut found = vec![0.0; cols];
                    pack::row(format, group, lane, &mut found);
                    assert_eq!(native(format, &found), native(format, weights));
                }
            }
        }
    }
}

#[test]
fn scalar_products_are_near_the_exact_ones() {
    for format in FORMATS {
        let (rows, cols) = (19, 700);
        let weights = noise(rows * cols, 3);
        let x = noise(2 * cols, 4);
        let sums = sums(format, &scalar::multiply, &packed(format, cols, &weights), &input(format, cols, &x));
        for (sums, x) in sums.chunks_exact(2).zip(x.chunks_exact(cols)) {
            for (sum, weights) in sums.as_flattened().iter().zip(weights.chunks_exact(cols)) {
                let terms = weights.iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x));
                let (exact, scale) =
                    terms.fold((0.0, 0.0), |(sum, scale), term| (sum + term, scale + term.abs()));
                let error = (f64::from(*sum) - exact).abs();
                let unit = if format == Format::Bf16 { 4e-3 } else { 5e-4 };
                assert!(error <= unit * scale, "{format}: {error} of {scale}");
            }
        }
    }
}

#[test]
fn every_level_computes_the_same_bits() {
    for format in FORMATS {
        for (groups, cols) in [(1, 1), (2, 3), (3, 255), (1, 256), (2, 257), (5, 515)] {
            let weights = packed(format, cols, &noise(groups * LANES * cols, cols as u64));
            for rows in [1, 2, 3, 4, 5, 7, 11, 12, 13, 24, 25, 48, 49, 96, 97, 110] {
                let input = input(format, cols, &noise(rows * cols, rows as u64));
                let expected = sums(format, &scalar::multiply, &weights, &input);
                for (name, kernel) in kernels() {
                    let found = sums(format, &*kernel, &weights, &input);
                    assert!(bits(&found) == bits(&expected), "{name} {format} {rows} x {groups} x {cols}");
                }
            }
        }
    }
}

#[test]
fn a_row_does_not_depend_on_its_neighbours() {
    for format in FORMATS {
        let (groups, cols) = (3, 600);
        let weights = packed(format, cols, &noise(groups * LANES * cols, 1));
        let all = input(format, cols, &noise(33 * cols, 2));
        for (name, kernel) in kernels() {
            let together = sums(format, &*kernel, &weights, &all);
            for (row, expected) in together.chunks_exact(groups).enumerate() {
                let mut one = FloatRows::default();
                one.gather(&all, &[row as u32]);
                let alone = sums(format, &*kernel, &weights, &one);
                assert!(bits(&alone) == bits(expected), "{name} {format} row {row}");
            }
        }
    }
}

#[test]
fn extremes_pass_through() {
    let x = [3e38, -3e38, f32::INFINITY, 1.0, -0.0, 65504.0];
    for format in FORMATS {
        let weights = packed(format, 6, &[1.0, 1.0, 0.0, 2.0, 3.0, 1.0, 0.0, 0.0, 0.5, 2.0, -3.0, 65504.0]);
        for (name, kernel) in kernels() {
            let sums = sums(format, &*kernel, &weights, &input(format, 6, &x));
            assert!(sums[0][0].is_nan(), "{name} {format}: infinity times zero");
            assert_eq!(sums[0][1], f32::INFINITY, "{name} {format}");
        }
    }
}
