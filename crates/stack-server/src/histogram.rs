//! Durations, counted in buckets.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A histogram of durations that many threads may record into.
pub(crate) struct Histogram {
    bounds_s: &'static [f64],
    /// One bucket per bound, and one for what is longer than the last.
    buckets: Box<[AtomicU64]>,
    sum_us: AtomicU64,
}

impl Histogram {
    /// Makes an empty one; `bounds_s` are the upper bounds of its buckets in seconds, ascending.
    pub(crate) fn new(bounds_s: &'static [f64]) -> Self {
        let buckets = (0..=bounds_s.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds_s, buckets, sum_us: AtomicU64::new(0) }
    }

    /// Counts one duration.
    pub(crate) fn record(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = self.bounds_s.partition_point(|&bound| bound < seconds);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(duration.as_micros() as u64, Ordering::Relaxed);
    }

    /// Appends it in Prometheus' text format.
    pub(crate) fn render(&self, name: &str, help: &str, out: &mut String) {
        let bounds = self.bounds_s.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        let mut count = 0;
        let mut lines = String::new();
        for (bound, bucket) in bounds.zip(&self.buckets) {
            count += bucket.load(Ordering::Relaxed);
            let _infallible = writeln!(lines, "{name}_bucket{{le=\"{bound}\"}} {count}");
        }
        let sum = self.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
        let _infallible = write!(
            out,
            "# HELP {name} {help}\n# TYPE {name} histogram\n{lines}{name}_sum {sum}\n{name}_count {count}\n"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_include_their_bound() {
        let histogram = Histogram::new(&[0.5, 1.0]);
        for ms in [100, 500, 700, 5000] {
            histogram.record(Duration::from_millis(ms));
        }
        let mut out = String::new();
        histogram.render("t", "Time.", &mut out);
        assert_eq!(
            out,
            "# HELP t Time.\n# TYPE t histogram\nt_bucket{le=\"0.5\"} 2\nt_bucket{le=\"1\"} 3\n\
             t_bucket{le=\"+Inf\"} 4\nt_sum 6.3\nt_count 4\n"
        );
    }
}
