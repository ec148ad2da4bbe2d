//! How fast weights are packed and activations rounded, with one thread:
//! `cargo bench -p stack-kernels --bench packing -- [FILTER]`.
//!
//! Names are `packing/FORMAT`, the same at every level, and `LEVEL/rounding/INPUT`. Bytes per second count what is read:
//! weights as a file holds them, activations as 32-bit floats.

mod harness;
mod weights;

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use stack_kernels::{Activations, Cpu, Epilogue, Format, Level, Matrix, Product};

fn main() {
    let mut criterion = harness::criterion();
    packing(&mut criterion);
    for level in harness::levels() {
        rounding(&mut criterion, level);
    }
    criterion.final_summary();
}

fn packing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("packing");
    for format in Format::ALL {
        let bytes = ROWS * COLS / format.block() * format.block_bytes();
        let prepare = || {
            let cpu = Cpu::new(Level::detect(), 1);
            let native = weights::native(format, ROWS * COLS);
            assert_packed(&cpu, format, &native);
            (cpu, native)
        };
        let run = |(cpu, native): &mut (Cpu, Vec<u8>)| pack(cpu, format, ROWS, black_box(native));
        harness::measure(&mut group, format.name(), Throughput::BytesDecimal(bytes as u64), prepare, run);
    }
}

/// Checks that a row is what it is when it is packed alone.
fn assert_packed(cpu: &Cpu, format: Format, native: &[u8]) {
    let matrix = pack(cpu, format, ROWS, native);
    let (mut together, mut alone) = (vec![0.0; COLS], vec![0.0; COLS]);
    for index in [0, ROWS / 2 + 1, ROWS - 1] {
        matrix.row(index, &mut together);
        let bytes = native.len() / ROWS;
        pack(cpu, format, 1, &native[index * bytes..][..bytes]).row(0, &mut alone);
        assert!(together == alone && alone.iter().any(|x| *x != 0.0), "{format}: row {index} is wrong");
    }
}

fn pack(cpu: &Cpu, format: Format, rows: usize, native: &[u8]) -> Matrix {
    Matrix::pack(cpu, format, rows, COLS, native).expect("a sound shape")
}

fn rounding(criterion: &mut Criterion, level: Level) {
    let mut group = criterion.benchmark_group(format!("{level}/rounding"));
    // Each form with a format that takes it, to check it by.
    for format in [Format::Bf16, Format::Q8_0, Format::Q4K] {
        let input = format.input();
        let x = weights::activations(BATCH, COLS);
        let prepare = || {
            let cpu = Cpu::new(level, 1);
            let mut rounded = Activations::new();
            cpu.quantize(input, &x, COLS, &mut rounded);
            assert_rounded(&cpu, format, &x, &rounded);
            (cpu, rounded)
        };
        let run = |(cpu, rounded): &mut (Cpu, _)| cpu.quantize(input, black_box(&x), COLS, rounded);
        let bytes = Throughput::BytesDecimal((4 * x.len()) as u64);
        harness::measure(&mut group, &format!("{input:?}"), bytes, prepare, run);
    }
}

/// Checks that activations multiply as if they had not been rounded, nearly.
fn assert_rounded(cpu: &Cpu, format: Format, x: &[f32], rounded: &Activations) {
    let weights = pack(cpu, format, ROWS, &weights::native(format, ROWS * COLS));
    let mut output = vec![0.0; BATCH * ROWS];
    cpu.multiply(&mut [Product {
        weights: &weights,
        input: rounded,
        output: &mut output,
        bias: None,
        epilogue: Epilogue::Set,
    }]);
    weights::assert_products(&output, &[(&weights, x)]);
}

const ROWS: usize = 512;

const COLS: usize = 4096;

/// Rows of activations.
const BATCH: usize = 16;
