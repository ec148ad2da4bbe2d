//! How every benchmark here is run.
//!
//! A benchmark's name begins with the level that it runs at, so that the filter on the command line chooses levels,
//! too. The program of a filtered run prepares only what it measures.

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use stack_kernels::Level;

/// Reads the command line; by default a benchmark takes about a second, because there are hundreds.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(500))
        .nresamples(10_000)
        .configure_from_args()
}

/// Returns the levels worth measuring, best first: those with vectors, where there are any.
pub(crate) fn levels() -> Vec<Level> {
    let mut levels = Level::available();
    levels.truncate(levels.len().max(2) - 1);
    levels
}

/// Measures `run`; what it works on is prepared, and its answer checked, once and only if the filter lets it through.
pub(crate) fn measure<T, R>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    throughput: Throughput,
    prepare: impl Fn() -> T,
    run: impl Fn(&mut T) -> R,
) {
    let mut prepared = None;
    group.throughput(throughput);
    group.bench_function(name, |bencher| {
        let prepared = prepared.get_or_insert_with(&prepare);
        bencher.iter(|| run(prepared));
    });
}
