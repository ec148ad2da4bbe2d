//! How fast attention is: `cargo bench -p stack-kernels --bench attention -- [FILTER]`.
//!
//! A name is `LEVEL/SHAPE/CACHE/WORK, THREADS`, with the cache as its type and depth in tokens, and an iteration is one
//! layer; layers take turns, so what they remember comes from memory. Decoding reads keys and values once, so it is
//! measured in bytes of them per second (and so is storing them); prefill reuses them and is measured in elements,
//! which are multiplications with their additions: `Gelem/s` are GMAC/s.
//!
//! Every answer is checked: all values are 1, and so is their mean.

mod harness;

use std::cell::LazyCell;
use std::hint::black_box;
use std::sync::Arc;

use criterion::Throughput;
use stack_kernels::{
    AttendSpan, AttentionParams, Cpu, KvLayout, KvSequence, KvSpan, KvType, LayerKv, Level, PAGE_TOKENS,
};

fn main() {
    let mut criterion = harness::criterion();
    for shape in SHAPES {
        for (kind, depth) in [(KvType::F16, 512), (KvType::F16, 4096), (KvType::Q8, 4096)] {
            let cache = LazyCell::new(|| Cache::new(shape, kind, depth));
            let bytes = Throughput::BytesDecimal(shape.layer_bytes(kind, depth) as u64);
            let macs = |position| Throughput::Elements(shape.macs(position) as u64);
            for level in harness::levels() {
                let name = format!("{level}/{}/{kind:?} {depth}", shape.name);
                let mut group = criterion.benchmark_group(name);
                for (threads, suffix) in [(1, "1 thread"), (2, "2 threads")] {
                    for (work, position, rows, throughput) in [
                        ("decode", depth - 1, 1, bytes.clone()),
                        ("decode 4 rows", depth - 1, 4, bytes.clone()),
                        ("prefill", depth, PREFILL, macs(depth)),
                        ("prefill from nothing", 0, PREFILL, macs(0)),
                    ] {
                        let prepare = || Attention::new(&cache, level, threads, position, rows);
                        let name = format!("{work}, {suffix}");
                        harness::measure(&mut group, &name, throughput, prepare, Attention::run);
                    }
                    let prepare = || (Cpu::new(level, threads), Cache::new(shape, kind, depth - PREFILL));
                    let run = |(cpu, cache): &mut (Cpu, Cache)| cache.store(cpu);
                    harness::measure(&mut group, &format!("store, {suffix}"), bytes.clone(), prepare, run);
                }
            }
        }
    }
    criterion.final_summary();
}

/// The shape of a model's attention.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    layers: usize,
    heads: usize,
    kv_heads: usize,
    length: usize,
}

impl Shape {
    fn layout(&self, kind: KvType) -> KvLayout {
        let kv = LayerKv { kv_heads: self.kv_heads, key_length: self.length, value_length: self.length };
        KvLayout::new(&vec![kv; self.layers], kind)
    }

    /// Bytes of keys and values that one layer remembers.
    fn layer_bytes(&self, kind: KvType, tokens: usize) -> usize {
        self.layout(kind).page_bytes() / PAGE_TOKENS * tokens / self.layers
    }

    /// Multiplications of one layer for a prompt from `position` on.
    fn macs(&self, position: usize) -> usize {
        let seen: usize = (position + 1..=position + PREFILL).sum();
        2 * seen * self.heads * self.length
    }
}

/// The keys and values of `depth` tokens and of a prompt behind them, in every layer.
struct Cache {
    shape: Shape,
    sequence: KvSequence,
    next: usize,
    rows: usize,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Cache {
    fn new(shape: Shape, kind: KvType, depth: usize) -> Self {
        let rows = depth + PREFILL;
        let numbers = rows * shape.kv_heads * shape.length;
        let mut cache = Self {
            shape,
            sequence: KvSequence::new(&Arc::new(shape.layout(kind))),
            next: 0,
            rows,
            keys: (0..numbers).map(|i| ((i * 7919) % 1000) as f32 / 500.0 - 1.0).collect(),
            values: vec![1.0; numbers],
        };
        let cpu = Cpu::new(Level::detect(), 2);
        (0..shape.layers).for_each(|_| cache.store(&cpu));
        cache
    }

    /// Stores what the next layer remembers.
    fn store(&mut self, cpu: &Cpu) {
        let layer = self.next;
        self.next = (self.next + 1) % self.shape.layers;
        let (k, v) = (black_box(self.keys.as_slice()), self.values.as_slice());
        let span = KvSpan { sequence: &mut self.sequence, position: 0, rows: 0..self.rows, k, v };
        cpu.store_kv(layer, &mut [span]);
    }
}

/// Some rows that attend to a cache.
struct Attention<'a> {
    cpu: Cpu,
    cache: &'a Cache,
    layer: usize,
    position: usize,
    rows: usize,
    q: Vec<f32>,
    out: Vec<f32>,
}

impl<'a> Attention<'a> {
    fn new(cache: &'a Cache, level: Level, threads: usize, position: usize, rows: usize) -> Self {
        let cpu = Cpu::new(level, threads);
        let numbers = rows * cache.shape.heads * cache.shape.length;
        let q = (0..numbers).map(|i| ((i * 104_729) % 1000) as f32 / 500.0 - 1.0).collect();
        let mut case = Self { cpu, cache, layer: 0, position, rows, q, out: vec![0.0; numbers] };
        for _ in 0..cache.shape.layers {
            case.out.fill(0.0);
            case.run();
            assert!(case.out.iter().all(|x| (x - 1.0).abs() < 1e-5), "the mean of ones is one");
        }
        case
    }

    /// Computes the next layer.
    fn run(&mut self) {
        let layer = self.layer;
        self.layer = (self.layer + 1) % self.cache.shape.layers;
        let Shape { heads, kv_heads, length, .. } = self.cache.shape;
        let params = AttentionParams {
            heads,
            kv_heads,
            key_length: length,
            value_length: length,
            scale: 1.0 / (length as f32).sqrt(),
            softcap: None,
            slopes: None,
            sinks: None,
            first_seen: None,
            ahead: 0,
        };
        let spans =
            [AttendSpan { sequence: &self.cache.sequence, position: self.position, rows: 0..self.rows }];
        self.cpu.attend(&params, layer, &spans, black_box(&self.q), &mut self.out);
    }
}

const SHAPES: [Shape; 3] = [
    Shape { name: "qwen3-0.6b", layers: 28, heads: 16, kv_heads: 8, length: 128 },
    Shape { name: "llama-3.2-1b", layers: 16, heads: 32, kv_heads: 8, length: 64 },
    Shape { name: "llama-3.1-8b", layers: 8, heads: 32, kv_heads: 8, length: 128 },
];

/// Tokens of a prompt.
const PREFILL: usize = 128;
