//! How fast weights are multiplied: `cargo bench -p stack-kernels --bench products -- [FORMAT…] [level=NAME]`.
//!
//! Prints, per format, the bandwidth of one row of activations against weights in memory and in the second cache,
//! and multiplications per cycle for batches. Each figure is the best of many short runs, because other programs
//! disturb; each product is checked before it is timed.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use stack_kernels::{Activations, Cpu, Format, Level, Matrix, Product, Store};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let level = words.iter().find_map(|word| word.strip_prefix("level="));
    let level = level.map_or_else(Level::detect, |name| Level::named(name).expect("a level of this machine"));
    let is_wanted = |format: &Format| {
        words.iter().all(|word| word.contains('=')) || words.iter().any(|word| word == format.name())
    };
    let clock = clock();
    println!("level {level}, {:.2} GHz, reads {:.1} and {:.1} GB/s", clock / 1e9, reads(1), reads(2));
    println!("{:8} {:^23} {:^49}", "", "GB/s, one row", "MAC/cycle, one thread");
    print!("{:8} {:>7} {:>7} {:>7}", "", "memory", "2 thr.", "cache");
    BATCHES.iter().for_each(|batch| print!(" {batch:>6}"));
    println!();
    for format in Format::ALL.into_iter().filter(is_wanted) {
        print!("{:8}", format.name());
        for threads in [1, 2] {
            let cpu = Cpu::new(level, threads);
            print!(" {:7.1}", bytes_per_second(&cpu, format, 200 << 20) / 1e9);
        }
        let cpu = Cpu::new(level, 1);
        print!(" {:7.1}", bytes_per_second(&cpu, format, 400 << 10) / 1e9);
        for batch in BATCHES {
            print!(" {:6.1}", products_per_second(&cpu, format, batch) / clock);
        }
        println!();
    }
}

/// Measures one row against matrices that together take so many bytes, each in turn.
fn bytes_per_second(cpu: &Cpu, format: Format, bytes: usize) -> f64 {
    let cols = 2048;
    let matrix_bytes = bytes.min(MATRIX_BYTES);
    let rows = matrix_bytes / (cols / format.block() * format.block_bytes()) / 32 * 32;
    let matrices: Vec<_> =
        (0..bytes.div_ceil(matrix_bytes)).map(|_| matrix(cpu, format, rows, cols)).collect();
    let seconds = seconds(cpu, &matrices, 1);
    matrices[0].bytes() as f64 / seconds
}

fn products_per_second(cpu: &Cpu, format: Format, batch: usize) -> f64 {
    let (rows, cols) = (256, 2048);
    (rows * cols * batch) as f64 / seconds(cpu, &[matrix(cpu, format, rows, cols)], batch)
}

fn matrix(cpu: &Cpu, format: Format, rows: usize, cols: usize) -> Matrix {
    Matrix::pack(cpu, format, rows, cols, &native(format, rows * cols)).expect("a sound shape")
}

/// Returns the best time of one product of many with equal matrices; the product is checked.
fn seconds(cpu: &Cpu, matrices: &[Matrix], batch: usize) -> f64 {
    let (format, rows, cols) = (matrices[0].format(), matrices[0].rows(), matrices[0].cols());
    let x: Vec<f32> = (0..batch * cols).map(|n| ((n * 7919) % 2001) as f32 / 1000.0 - 1.0).collect();
    let mut input = Activations::new();
    cpu.quantize(format.input(), &x, cols, &mut input);
    let mut output = vec![0.0; batch * rows];
    let mut best = Duration::MAX;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(400) {
        for weights in matrices {
            let before = Instant::now();
            cpu.multiply(&mut [Product {
                weights,
                input: &input,
                output: black_box(&mut output),
                store: Store::Set,
            }]);
            best = best.min(before.elapsed());
        }
    }
    let mut row = vec![0.0; cols];
    for index in [0, rows / 2, rows - 1] {
        matrices[0].row(index, &mut row);
        let terms = row.iter().zip(&x).map(|(w, x)| f64::from(w * x));
        let (sum, magnitude) = (terms.clone().sum::<f64>(), terms.map(f64::abs).sum::<f64>());
        assert!((f64::from(output[index]) - sum).abs() <= 2e-3 * magnitude, "{format}: row {index} is wrong");
    }
    best.as_secs_f64()
}

/// Blocks with any codes and with scales of one sixteenth.
fn native(format: Format, weights: usize) -> Vec<u8> {
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

/// Measures the clock: a chain of multiplications that take three cycles each.
fn clock() -> f64 {
    let links = 100_000;
    let best = (0..500).map(|_| {
        let before = Instant::now();
        black_box((0..links).fold(black_box(3u64), |product, _| product.wrapping_mul(product)));
        before.elapsed().as_secs_f64()
    });
    3.0 * f64::from(links) / best.fold(f64::INFINITY, f64::min)
}

/// Measures reads from memory with plain loads, in GB/s.
fn reads(threads: usize) -> f64 {
    let cpu = Cpu::new(Level::detect(), threads);
    let data = vec![1u64; 32 << 20];
    let mut best = Duration::MAX;
    for _ in 0..4 {
        for part in data.chunks(MATRIX_BYTES / 8) {
            let before = Instant::now();
            cpu.pool().run(8, &|task| {
                let part = &part[task * part.len() / 8..(task + 1) * part.len() / 8];
                black_box(part.iter().fold(0u64, |sum, x| sum.wrapping_add(*x)));
            });
            best = best.min(before.elapsed());
        }
    }
    MATRIX_BYTES as f64 / best.as_secs_f64() / 1e9
}

/// Small enough to be read between two interruptions.
const MATRIX_BYTES: usize = 4 << 20;

const BATCHES: [usize; 10] = [1, 2, 4, 8, 12, 16, 24, 32, 128, 512];
