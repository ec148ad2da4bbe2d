//! How fast attention is: `cargo bench -p stack-kernels --bench attention -- [level] [threads]`.
//!
//! Decoding reads keys and values once, so its figure is bytes per second; prefill reuses them, so its figure is
//! operations per second. With one thread they are means of its processor time, else of the fastest of many short runs.
//! Every answer is checked: all values are 1.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::sync::Arc;
use std::time::Instant;

use stack_kernels::{
    AttendSpan, AttentionRules, Cpu, KvLayout, KvSequence, KvSpan, KvType, LayerKv, Level, PAGE_TOKENS,
};

/// The shape of a model's attention.
struct Shape {
    name: &'static str,
    layers: usize,
    heads: usize,
    kv_heads: usize,
    length: usize,
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let level = arguments
        .next()
        .map_or(Level::detect(), |name| Level::named(&name).expect("a level of this machine"));
    let threads = arguments.next().map_or(2, |threads| threads.parse().expect("a number of threads"));
    let cpu = Cpu::new(level, threads);
    println!("level {level}, {threads} threads");
    for shape in [
        Shape { name: "qwen3-0.6b", layers: 28, heads: 16, kv_heads: 8, length: 128 },
        Shape { name: "llama-3.2-1b", layers: 16, heads: 32, kv_heads: 8, length: 64 },
        Shape { name: "llama-3.1-8b", layers: 8, heads: 32, kv_heads: 8, length: 128 },
    ] {
        for (kind, depth) in [(KvType::F16, 512), (KvType::F16, 4096), (KvType::Q8, 4096)] {
            shape.measure(&cpu, kind, depth);
        }
    }
}

impl Shape {
    fn measure(&self, cpu: &Cpu, kind: KvType, depth: usize) {
        let kv = LayerKv { kv_heads: self.kv_heads, key_length: self.length, value_length: self.length };
        let layout = Arc::new(KvLayout::new(&vec![kv; self.layers], kind));
        let mut sequence = KvSequence::new(&layout);
        let row = self.kv_heads * self.length;
        let rows = depth + PREFILL;
        let keys: Vec<f32> = (0..rows * row).map(|i| ((i * 7919) % 1000) as f32 / 500.0 - 1.0).collect();
        let values = vec![1.0; rows * row];
        let started = Instant::now();
        for layer in 0..self.layers {
            let span = KvSpan { sequence: &mut sequence, position: 0, rows: 0..rows, k: &keys, v: &values };
            cpu.store_kv(layer, &mut [span]);
        }
        let stored = layout.page_bytes() * rows.div_ceil(PAGE_TOKENS);
        let store = stored as f64 / started.elapsed().as_secs_f64() / 1e9;
        let decode = self.best(cpu, &sequence, depth - 1, 1, 30);
        let batch = self.best(cpu, &sequence, depth, 4, 10);
        let prefill = self.best(cpu, &sequence, depth, PREFILL, 2);
        let first = self.best(cpu, &sequence, 0, PREFILL, 2);
        let bytes = (layout.page_bytes() / PAGE_TOKENS * depth) as f64;
        let operations = |position: usize| {
            let seen = (position + 1..=position + PREFILL).sum::<usize>();
            (4 * seen * self.layers * self.heads * self.length) as f64
        };
        println!(
            "{:13} {kind:?} depth {depth:4}: decode {:6.3} ms {:5.1} GB/s, 4 rows {:6.3} ms, prefill {PREFILL} {:7.1} ms {:6.1} GFLOP/s, \
             from nothing {:6.1} GFLOP/s, store {store:4.1} GB/s",
            self.name,
            decode * 1e3,
            bytes / decode / 1e9,
            batch * 1e3,
            prefill * 1e3,
            operations(depth) / prefill / 1e9,
            operations(0) / first / 1e9,
        );
    }

    /// Seconds that all layers take for `rows` tokens from `position` on.
    fn best(&self, cpu: &Cpu, sequence: &KvSequence, position: usize, rows: usize, runs: usize) -> f64 {
        let rules = AttentionRules {
            heads: self.heads,
            kv_heads: self.kv_heads,
            key_length: self.length,
            value_length: self.length,
            scale: 1.0 / (self.length as f32).sqrt(),
            softcap: None,
            slopes: None,
            sinks: None,
            first_seen: None,
        };
        let row = self.heads * self.length;
        let q: Vec<f32> = (0..rows * row).map(|i| ((i * 104_729) % 1000) as f32 / 500.0 - 1.0).collect();
        let mut out = vec![0.0; rows * row];
        let spans = [AttendSpan { sequence, position, rows: 0..rows }];
        let clock = Clock::start(cpu.threads());
        let mut best = f64::INFINITY;
        for run in 0..runs * self.layers {
            let started = Instant::now();
            cpu.attend(&rules, run % self.layers, &spans, &q, &mut out);
            best = best.min(started.elapsed().as_secs_f64());
            assert!(out.iter().all(|x| (x - 1.0).abs() < 1e-5), "the mean of ones is one");
        }
        clock.mean(runs * self.layers).unwrap_or(best) * self.layers as f64
    }
}

/// The processor time of this thread, which is what counts on a busy machine, where the system tells it and one thread
/// does all the work.
struct Clock(Option<f64>);

impl Clock {
    fn start(threads: usize) -> Self {
        Self(if threads == 1 { Self::seconds() } else { None })
    }

    fn mean(&self, runs: usize) -> Option<f64> {
        Some((Self::seconds()? - self.0?) / runs as f64)
    }

    fn seconds() -> Option<f64> {
        let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        let nanoseconds: f64 = statistics.split_whitespace().next()?.parse().ok()?;
        Some(nanoseconds / 1e9)
    }
}

const PREFILL: usize = 128;
