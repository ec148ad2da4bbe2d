//! How fast memory is read, which bounds decoding: every token reads all weights that it uses, and its cache.

use std::time::Instant;

use serde::Serialize;
use stack_engine::executor::Placement;
use stack_kernels::{BandwidthProbe, Cpu};

use super::spread::Spread;

/// What was measured.
#[derive(Serialize)]
pub(super) struct Memory {
    bytes: usize,
    pub(super) gigabytes_per_second: Spread,
    /// What generating a token reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes_per_token: Option<u64>,
}

impl Memory {
    /// Reads memory that no cache holds, over and over, with the threads that computed.
    pub(super) fn measure(placement: &Placement, bytes_per_token: Option<u64>) -> Option<Self> {
        let cpu = Cpu::new(placement.level, placement.threads);
        let probe = BandwidthProbe::new(&cpu, BYTES);
        let bytes = probe.bytes();
        let pass = || {
            let started = Instant::now();
            std::hint::black_box(probe.read(&cpu));
            bytes as f64 / 1e9 / started.elapsed().as_secs_f64()
        };
        let rates = Spread::of((0..PASSES).map(|_| pass()).collect());
        rates.map(|gigabytes_per_second| Self { bytes, gigabytes_per_second, bytes_per_token })
    }
}

/// More than caches hold.
const BYTES: usize = 512 << 20;
const PASSES: usize = 9;
