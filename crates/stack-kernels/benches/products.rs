//! How fast weights are multiplied: `cargo bench -p stack-kernels --bench products -- [FILTER]`.
//!
//! A name is `LEVEL/FORMAT/WORK`, and the filter a regular expression: `avx2/Q4_K` is all work of one format at one
//! level, `Q8_0/batch 32$` one batch at every level. One row of activations is measured against weights in memory and in
//! the second cache, where bytes per second (of packed weights) tell how close it is to the roof: `machine/reads`.
//! Batches are measured against weights in the second cache and with one thread; an element is a multiplication with its
//! addition, so `Gelem/s` are GMAC/s.
//!
//! MACs per cycle are the elements per second of a batch divided by those of `machine/clock`, whose elements are cycles.
//! Measure them in one run, as in `-- 'machine/clock|Q4_K/batch'`, because clocks change.

mod harness;
mod weights;

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use stack_kernels::{Activations, Cpu, Epilogue, Format, Level, Matrix, Product};

fn main() {
    let mut criterion = harness::criterion();
    machine(&mut criterion);
    for level in harness::levels() {
        for format in Format::ALL {
            let mut group = criterion.benchmark_group(format!("{level}/{format}"));
            one_row(&mut group, level, format);
            batches(&mut group, level, format);
        }
    }
    criterion.final_summary();
}

/// Measures what bounds all the rest.
fn machine(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("machine");
    let links = 100_000;
    // Each multiplication waits for the one before it, which takes three cycles on every recent processor.
    let chain = |product: &mut u64| (0..links).fold(black_box(*product), |x, _| x.wrapping_mul(x));
    harness::measure(&mut group, "clock", Throughput::Elements(3 * links), || 3u64, chain);
    for threads in [1, 2] {
        let bytes = Throughput::BytesDecimal(MATRIX_BYTES as u64);
        let name = format!("reads, {}", threads_name(threads));
        harness::measure(&mut group, &name, bytes, || Reads::new(threads), Reads::run);
    }
}

fn one_row(group: &mut BenchmarkGroup<'_, WallTime>, level: Level, format: Format) {
    let cases = [("memory", 1, MEMORY_BYTES), ("memory", 2, MEMORY_BYTES), ("cache", 1, CACHE_BYTES)];
    for (place, threads, bytes) in cases {
        let name = format!("one row, {place}, {}", threads_name(threads));
        let matrix_bytes = bytes.min(MATRIX_BYTES);
        let rows = matrix_bytes / (COLS / format.block() * format.block_bytes()) / 32 * 32;
        let packed = Matrix::bytes_for(format, rows, COLS).expect("a sound shape");
        let prepare = || Multiplication::new(level, threads, format, (bytes / matrix_bytes, rows), 1);
        let bytes = Throughput::BytesDecimal(packed as u64);
        harness::measure(group, &name, bytes, prepare, Multiplication::run);
    }
}

fn batches(group: &mut BenchmarkGroup<'_, WallTime>, level: Level, format: Format) {
    for batch in [4, 12, 32, 128, 512] {
        let macs = Throughput::Elements((256 * COLS * batch) as u64);
        let prepare = || Multiplication::new(level, 1, format, (1, 256), batch);
        harness::measure(group, &format!("batch {batch}"), macs, prepare, Multiplication::run);
    }
}

/// A batch, and matrices that it is multiplied with in turn.
struct Multiplication {
    cpu: Cpu,
    matrices: Vec<Matrix>,
    next: usize,
    input: Activations,
    output: Vec<f32>,
}

impl Multiplication {
    fn new(
        level: Level,
        threads: usize,
        format: Format,
        (count, rows): (usize, usize),
        batch: usize,
    ) -> Self {
        let cpu = Cpu::new(level, threads);
        let native = weights::native(format, rows * COLS);
        let matrix = || Matrix::pack(&cpu, format, rows, COLS, &native).expect("a sound shape");
        let matrices: Vec<_> = (0..count).map(|_| matrix()).collect();
        let x = weights::activations(batch, COLS);
        let mut input = Activations::new();
        cpu.quantize(format.input(), &x, COLS, &mut input);
        let mut case = Self { cpu, matrices, next: 0, input, output: vec![0.0; batch * rows] };
        case.run();
        weights::assert_products(&case.output, &[(&case.matrices[0], &x)]);
        case
    }

    fn run(&mut self) {
        let weights = &self.matrices[self.next];
        self.next = (self.next + 1) % self.matrices.len();
        let output = black_box(&mut self.output);
        self.cpu.multiply(&mut [Product {
            weights,
            input: &self.input,
            output,
            bias: None,
            epilogue: Epilogue::Set,
        }]);
    }
}

/// Reads from memory with plain loads.
struct Reads {
    cpu: Cpu,
    data: Vec<u64>,
    next: usize,
}

impl Reads {
    fn new(threads: usize) -> Self {
        Self { cpu: Cpu::new(Level::detect(), threads), data: vec![1; MEMORY_BYTES / 8], next: 0 }
    }

    fn run(&mut self) {
        let part = &self.data[self.next..self.next + MATRIX_BYTES / 8];
        self.next = (self.next + part.len()) % self.data.len();
        self.cpu.pool().run(TASKS, &|task| {
            let share = part.len() / TASKS;
            let sum = part[task * share..][..share].iter().fold(0u64, |sum, x| sum.wrapping_add(*x));
            assert_eq!(sum, share as u64, "the sum of ones is their number");
        });
    }
}

fn threads_name(threads: usize) -> &'static str {
    if threads == 1 { "1 thread" } else { "2 threads" }
}

const COLS: usize = 2048;

/// More than any cache holds.
const MEMORY_BYTES: usize = 200 << 20;

/// What the second cache holds beside the activations.
const CACHE_BYTES: usize = 400 << 10;

/// A matrix of a model: small enough that its turn is a fraction of a millisecond.
const MATRIX_BYTES: usize = 4 << 20;

/// As finely as products are split.
const TASKS: usize = 8;
