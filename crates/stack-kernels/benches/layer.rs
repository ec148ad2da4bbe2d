//! What the products of a model cost in its conditions: `cargo bench -p stack-kernels --bench layer -- [FILTER]`.
//!
//! An iteration is one layer of Qwen3-0.6B: its activations are rounded and multiplied with its seven matrices, four
//! times in turn as in the model; attention, norms and the nonlinearity are missing. Eight layers take turns, so their
//! weights come from memory and nothing but activations is in a cache, unlike in the batches of `products`.
//!
//! A name is `LEVEL/FORMAT/layer/ROWS`. One row is measured in bytes per second of packed weights, 512 rows in elements, which
//! are multiplications with their additions: `Gelem/s` are GMAC/s, of all threads together: two, where there are two.

mod harness;
mod weights;

use std::hint::black_box;
use std::thread;

use criterion::Throughput;
use stack_kernels::{Activations, Cpu, Epilogue, Format, Level, Matrix, Product};

fn main() {
    let mut criterion = harness::criterion();
    for level in harness::levels() {
        for format in Format::ALL {
            let mut group = criterion.benchmark_group(format!("{level}/{format}/layer"));
            let bytes = Throughput::BytesDecimal(layer_bytes(format) as u64);
            let macs = Throughput::Elements(512 * MACS_PER_ROW as u64);
            for (name, rows, throughput) in [("1 row", 1, bytes), ("512 rows", 512, macs)] {
                let prepare = || Forward::new(level, format, rows);
                harness::measure(&mut group, name, throughput, prepare, Forward::run);
            }
        }
    }
    criterion.final_summary();
}

/// The matrices of one layer.
struct Layer {
    q: Matrix,
    k: Matrix,
    v: Matrix,
    out: Matrix,
    gate: Matrix,
    up: Matrix,
    down: Matrix,
}

impl Layer {
    fn new(cpu: &Cpu, format: Format) -> Self {
        let matrix = |(rows, cols)| {
            Matrix::pack(cpu, format, rows, cols, &weights::native(format, rows * cols))
                .expect("a sound shape")
        };
        let [q, k, v, out, gate, up, down] = SHAPES.map(matrix);
        Self { q, k, v, out, gate, up, down }
    }
}

/// Layers, and the activations of some rows.
struct Forward {
    cpu: Cpu,
    layers: Vec<Layer>,
    next: usize,
    /// What the three kinds of matrices are multiplied with.
    x: [Vec<f32>; 3],
    rounded: Activations,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    /// What layers add to.
    stream: Vec<f32>,
}

impl Forward {
    fn new(level: Level, format: Format, rows: usize) -> Self {
        let cpu = Cpu::new(level, thread::available_parallelism().map_or(1, |threads| threads.get().min(2)));
        let layers = (0..LAYERS).map(|_| Layer::new(&cpu, format)).collect();
        let zeros = |cols| vec![0.0; rows * cols];
        let mut case = Self {
            cpu,
            layers,
            next: 0,
            x: [HIDDEN, HEADS, INNER].map(|cols| weights::activations(rows, cols)),
            rounded: Activations::new(),
            q: zeros(HEADS),
            k: zeros(KV_HEADS),
            v: zeros(KV_HEADS),
            gate: zeros(INNER),
            up: zeros(INNER),
            stream: zeros(HIDDEN),
        };
        case.run();
        case.assert_first_layer();
        case
    }

    fn run(&mut self) {
        let Layer { q, k, v, out, gate, up, down } = &self.layers[self.next];
        self.next = (self.next + 1) % LAYERS;
        let (cpu, rounded) = (&self.cpu, &mut self.rounded);
        let [hidden, heads, inner] = black_box(&self.x);
        let form = q.format().input();
        cpu.quantize(form, hidden, HIDDEN, rounded);
        cpu.multiply(&mut [
            set(q, rounded, &mut self.q),
            set(k, rounded, &mut self.k),
            set(v, rounded, &mut self.v),
        ]);
        cpu.quantize(form, heads, HEADS, rounded);
        cpu.multiply(&mut [add(out, rounded, &mut self.stream)]);
        cpu.quantize(form, hidden, HIDDEN, rounded);
        cpu.multiply(&mut [set(gate, rounded, &mut self.gate), set(up, rounded, &mut self.up)]);
        cpu.quantize(form, inner, INNER, rounded);
        cpu.multiply(&mut [add(down, rounded, &mut self.stream)]);
    }

    /// Checks what the first layer, and only that, has computed.
    fn assert_first_layer(&self) {
        let Layer { q, k, v, out, gate, up, down } = &self.layers[0];
        let [hidden, heads, inner] = &self.x;
        let outputs = [(&self.q, q), (&self.k, k), (&self.v, v), (&self.gate, gate), (&self.up, up)];
        for (output, matrix) in outputs {
            weights::assert_products(output, &[(matrix, hidden)]);
        }
        weights::assert_products(&self.stream, &[(out, heads), (down, inner)]);
    }
}

fn set<'a>(weights: &'a Matrix, input: &'a Activations, output: &'a mut [f32]) -> Product<'a> {
    Product { weights, input, output, bias: None, epilogue: Epilogue::Set }
}

fn add<'a>(weights: &'a Matrix, input: &'a Activations, output: &'a mut [f32]) -> Product<'a> {
    Product { weights, input, output, bias: None, epilogue: Epilogue::Add }
}

fn layer_bytes(format: Format) -> usize {
    let bytes = |(rows, cols)| Matrix::bytes_for(format, rows, cols).expect("a sound shape");
    SHAPES.map(bytes).iter().sum()
}

/// Enough that no cache holds their weights.
const LAYERS: usize = 8;

const HIDDEN: usize = 1024;

const HEADS: usize = 16 * 128;

const KV_HEADS: usize = 8 * 128;

const INNER: usize = 3072;

/// Rows and columns of q, k, v, out, gate, up and down.
const SHAPES: [(usize, usize); 7] = [
    (HEADS, HIDDEN),
    (KV_HEADS, HIDDEN),
    (KV_HEADS, HIDDEN),
    (HIDDEN, HEADS),
    (INNER, HIDDEN),
    (INNER, HIDDEN),
    (HIDDEN, INNER),
];

const MACS_PER_ROW: usize = HIDDEN * (2 * HEADS + 2 * KV_HEADS + 3 * INNER);
