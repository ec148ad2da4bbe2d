//! How fast weights are packed and activations rounded: `cargo bench -p stack-kernels --bench packing`.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use stack_kernels::{Activations, Cpu, Format, Input, Level, Matrix};

fn main() {
    let cpu = Cpu::new(Level::detect(), 1);
    let (rows, cols) = (512, 4096);
    println!("packing, one thread");
    for format in Format::ALL {
        let native = vec![0x35; rows * cols / format.block() * format.block_bytes()];
        let seconds = best(|| {
            black_box(Matrix::pack(&cpu, format, rows, cols, &native).expect("a sound shape"));
        });
        println!("{:8} {:6.2} GB/s", format.name(), native.len() as f64 / seconds / 1e9);
    }
    println!("rounding, one thread");
    let x: Vec<f32> = (0..16 * cols).map(|n| (n as f32).sin()).collect();
    let mut activations = Activations::new();
    for input in [Input::Block32, Input::Block256] {
        let seconds = best(|| cpu.quantize(input, black_box(&x), cols, &mut activations));
        println!("{input:?} {:.2} ns per element", seconds / x.len() as f64 * 1e9);
    }
}

/// Returns the best time of many.
fn best(mut run: impl FnMut()) -> f64 {
    let mut best = Duration::MAX;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(300) {
        let before = Instant::now();
        run();
        best = best.min(before.elapsed());
    }
    best.as_secs_f64()
}
