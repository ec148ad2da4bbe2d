//! Every level against the scalar one, bit by bit.

use super::pack::{pack, weight};
use super::rows::FloatRows;
use super::{FloatFormat, FloatTask, GROUP, scalar};

type Multiply = fn(&mut FloatTask<'_>);

/// Lists the kernels that this machine can run for a format.
fn kernels(format: FloatFormat) -> Vec<(&'static str, Multiply)> {
    let mut found: Vec<(&'static str, Multiply)> = vec![("scalar", scalar::multiply)];
    #[cfg(target_arch = "x86_64")]
    {
        use crate::x86::{avx2, avx512};
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c") {
            // SAFETY: the instructions were detected.
            found.push(("avx2", |task| unsafe { avx2::float::multiply_floats(task) }));
        }
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the instructions were detected.
            found.push(("avx512", |task| unsafe { avx512::float::multiply_floats(task) }));
        }
        if is_x86_feature_detected!("avx512bf16") && format == FloatFormat::Bf16 {
            // SAFETY: the instructions were detected.
            found.push(("avx512bf16", |task| unsafe { avx512::float::multiply_pairs(task) }));
        }
    }
    found
}

const FORMATS: [FloatFormat; 3] = [FloatFormat::F32, FloatFormat::F16, FloatFormat::Bf16];

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

fn native(format: FloatFormat, weights: &[f32]) -> Vec<u8> {
    match format {
        FloatFormat::F32 => weights.iter().flat_map(|w| w.to_le_bytes()).collect(),
        FloatFormat::F16 => weights.iter().flat_map(|&w| half::f16::from_f32(w).to_le_bytes()).collect(),
        FloatFormat::Bf16 => weights.iter().flat_map(|&w| half::bf16::from_f32(w).to_le_bytes()).collect(),
    }
}

fn packed(format: FloatFormat, rows: usize, cols: usize, weights: &[f32]) -> Vec<u8> {
    let mut packed = vec![0; rows.div_ceil(GROUP) * format.group_bytes(cols)];
    pack(format, cols, &native(format, weights), &mut packed);
    packed
}

fn sums(format: FloatFormat, multiply: Multiply, weights: &[u8], input: &FloatRows) -> Vec<f32> {
    let columns = weights.len() / format.group_bytes(input.cols()) * GROUP;
    let mut sums = vec![0.0; input.rows() * columns];
    multiply(&mut FloatTask { format, weights, input, sums: &mut sums });
    sums
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn packed_weights_are_found_again() {
    for format in FORMATS {
        for (rows, cols) in [(1, 1), (5, 33), (16, 64), (17, 31), (40, 257)] {
            let weights = noise(rows * cols, 7);
            let packed = packed(format, rows, cols, &weights);
            for (row, weights) in weights.chunks_exact(cols).enumerate() {
                let group = &packed[row / GROUP * format.group_bytes(cols)..][..format.group_bytes(cols)];
                let found: Vec<f32> = (0..cols).map(|k| weight(format, group, row % GROUP, k)).collect();
                assert_eq!(native(format, &found), native(format, weights));
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
        let mut input = FloatRows::default();
        input.set(&x, cols, format == FloatFormat::Bf16);
        let sums = sums(format, scalar::multiply, &packed(format, rows, cols, &weights), &input);
        for (m, x) in x.chunks_exact(cols).enumerate() {
            for (n, weights) in weights.chunks_exact(cols).enumerate() {
                let terms = weights.iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x));
                let (exact, scale) = terms.fold((0.0, 0.0), |(sum, scale), term| (sum + term, scale + term.abs()));
                let error = (f64::from(sums[m * 32 + n]) - exact).abs();
                let unit = if format == FloatFormat::Bf16 { 4e-3 } else { 5e-4 };
                assert!(error <= unit * scale, "{format:?} {m} {n}: {error} of {scale}");
            }
        }
    }
}

#[test]
fn every_level_computes_the_same_bits() {
    for format in FORMATS {
        for (groups, cols) in [(1, 1), (2, 3), (3, 255), (1, 256), (2, 257), (5, 515)] {
            let weights = packed(format, groups * GROUP, cols, &noise(groups * GROUP * cols, cols as u64));
            for rows in [1, 2, 3, 4, 5, 7, 11, 12, 13, 24, 25, 33, 96, 97, 110] {
                let mut input = FloatRows::default();
                input.set(&noise(rows * cols, rows as u64), cols, format == FloatFormat::Bf16);
                let expected = sums(format, scalar::multiply, &weights, &input);
                for (name, kernel) in kernels(format) {
                    let found = sums(format, kernel, &weights, &input);
                    assert!(bits(&found) == bits(&expected), "{name} {format:?} {rows} x {groups} x {cols}");
                }
            }
        }
    }
}

#[test]
fn a_row_does_not_depend_on_its_neighbours() {
    for format in FORMATS {
        let (groups, cols) = (3, 600);
        let weights = packed(format, groups * GROUP, cols, &noise(groups * GROUP * cols, 1));
        let x = noise(33 * cols, 2);
        for (name, kernel) in kernels(format) {
            let (mut all, mut one) = (FloatRows::default(), FloatRows::default());
            all.set(&x, cols, format == FloatFormat::Bf16);
            let together = sums(format, kernel, &weights, &all);
            for (row, expected) in together.chunks_exact(groups * GROUP).enumerate() {
                one.gather(&all, &[row as u32]);
                let alone = sums(format, kernel, &weights, &one);
                assert!(bits(&alone) == bits(expected), "{name} {format:?} row {row}");
            }
        }
    }
}

#[test]
fn extremes_pass_through() {
    let x = [3e38, -3e38, f32::INFINITY, 1.0, -0.0, 65504.0];
    for format in FORMATS {
        let weights = packed(format, 2, 6, &[1.0, 1.0, 0.0, 2.0, 3.0, 1.0, 0.0, 0.0, 0.5, 2.0, -3.0, 65504.0]);
        for (name, kernel) in kernels(format) {
            let mut input = FloatRows::default();
            input.set(&x, 6, format == FloatFormat::Bf16);
            let sums = sums(format, kernel, &weights, &input);
            assert!(sums[0].is_nan(), "{name} {format:?}: infinity times zero");
            assert_eq!(sums[1], f32::INFINITY, "{name} {format:?}");
        }
    }
}

#[test]
#[ignore]
fn zz_bench() {
    for format in FORMATS {
        let bytes = format.bytes();
        for (name, kernel) in kernels(format).into_iter().skip(1) {
            for (m, n, k) in [(1, 16384, 4096), (4, 16384, 4096), (12, 2048, 1024), (96, 256, 2048), (512, 256, 1024), (512, 128, 4096)] {
                let mut weights = crate::buffer::Buffer::zeroed(n * k * bytes / 64);
                let w: &mut [u8] = unsafe { std::slice::from_raw_parts_mut(weights.as_mut_ptr().cast(), n * k * bytes) };
                for (i, b) in w.iter_mut().enumerate() { *b = (i * 7 % 31) as u8; }
                let mut input = FloatRows::default();
                input.set(&noise(m * k, 3), k, format == FloatFormat::Bf16);
                let mut sums = vec![0.0; m * n];
                let mut best = f64::MAX;
                let mut cycles = u64::MAX;
                for _ in 0..if m == 1 { 30 } else { 20 } {
                    let t = std::time::Instant::now();
                    let c = unsafe { std::arch::x86_64::_rdtsc() };
                    kernel(&mut FloatTask { format, weights: w, input: &input, sums: &mut sums });
                    cycles = cycles.min(unsafe { std::arch::x86_64::_rdtsc() } - c);
                    best = best.min(t.elapsed().as_secs_f64());
                }
                eprintln!("{name:10} {format:?} m={m} n={n} k={k}: {:.1} GB/s {:.1} GMAC/s {:.1} MAC/tsc", (n * k * bytes) as f64 / best / 1e9, (m * n * k) as f64 / best / 1e9, (m * n * k) as f64 / cycles as f64);
            }
        }
    }
}
