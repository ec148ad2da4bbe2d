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
            print!(" {:7.1}", bytes_per_second(&cpu, format, 150 << 20) / 1e9);
        }
        let cpu = Cpu::new(level, 1);
        print!(" {:7.1}", bytes_per_second(&cpu, format, 300 << 10) / 1e9);
        for batch in BATCHES {
            print!(" {:6.1}", products_per_second(&cpu, format, batch) / clock);
        }
        println!();
    }
}

fn bytes_per_second(cpu: &Cpu, format: Format, bytes: usize) -> f64 {
    let cols = 2048;
    let rows = bytes / (cols / format.block() * format.block_bytes()) / 16 * 16;
    let (matrix, seconds) = seconds(cpu, format, rows, cols, 1);
    matrix.bytes() as f64 / seconds
}

fn products_per_second(cpu: &Cpu, format: Format, batch: usize) -> f64 {
    let (rows, cols) = (256, 2048);
    let (_, seconds) = seconds(cpu, format, rows, cols, batch);
    (rows * cols * batch) as f64 / seconds
}

/// Returns the best time of one product, which is checked first.
fn seconds(cpu: &Cpu, format: Format, rows: usize, cols: usize, batch: usize) -> (Matrix, f64) {
    let matrix = Matrix::pack(cpu, format, rows, cols, &native(format, rows * cols)).expect("a sound shape");
    let x: Vec<f32> = (0..batch * cols).map(|n| ((n * 7919) % 2001) as f32 / 1000.0 - 1.0).collect();
    let mut input = Activations::new();
    cpu.quantize(format.input(), &x, cols, &mut input);
    let mut output = vec![0.0; batch * rows];
    let mut run = || {
        cpu.multiply(&mut [Product {
            weights: &matrix,
            input: &input,
            output: black_box(&mut output),
            store: Store::Set,
        }]);
    };
    run();
    let mut best = Duration::MAX;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(400) {
        let before = Instant::now();
        run();
        best = best.min(before.elapsed());
    }
    let mut row = vec![0.0; cols];
    for index in [0, rows / 2, rows - 1] {
        matrix.row(index, &mut row);
        let terms = row.iter().zip(&x).map(|(w, x)| f64::from(w * x));
        let (sum, magnitude) = (terms.clone().sum::<f64>(), terms.map(f64::abs).sum::<f64>());
        assert!((f64::from(output[index]) - sum).abs() <= 2e-3 * magnitude, "{format}: row {index} is wrong");
    }
    (matrix, best.as_secs_f64())
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

/// Measures the clock: a chain of additions that takes a cycle each.
fn clock() -> f64 {
    let links = 20_000_000u64;
    let best = (0..10).map(|_| {
        let before = Instant::now();
        let mut sum = 1u64;
        for _ in 0..links {
            sum = five_steps(sum);
        }
        black_box(sum);
        before.elapsed().as_secs_f64()
    });
    5.0 * links as f64 / best.fold(f64::INFINITY, f64::min)
}

/// Five dependent steps that the compiler cannot merge.
#[inline(always)]
fn five_steps(x: u64) -> u64 {
    let x = (x ^ (x << 1)).wrapping_add(1);
    x ^ (x << 1)
}

/// Measures reads from memory with plain loads, in GB/s.
fn reads(threads: usize) -> f64 {
    let data = vec![1u64; 32 << 20];
    let best = (0..8).map(|_| {
        let before = Instant::now();
        std::thread::scope(|scope| {
            for part in data.chunks(data.len() / threads) {
                scope.spawn(move || black_box(part.iter().fold(0u64, |sum, x| sum.wrapping_add(*x))));
            }
        });
        before.elapsed().as_secs_f64()
    });
    8.0 * data.len() as f64 / best.fold(f64::INFINITY, f64::min) / 1e9
}

const BATCHES: [usize; 7] = [1, 2, 4, 8, 12, 16, 128];
