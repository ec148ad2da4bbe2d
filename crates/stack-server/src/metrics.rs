//! The numbers of one server, in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::histogram::Histogram;

/// The numbers of one server. They belong to its router, so nothing global needs to be installed.
pub(crate) struct Metrics {
    pub(crate) time_to_first_token: Histogram,
    pub(crate) inter_token_latency: Histogram,
    pub(crate) request: Histogram,
    pub(crate) queue: Histogram,
    pub(crate) prefill: Histogram,
    pub(crate) decode: Histogram,
    prompt_tokens: AtomicU64,
    generated_tokens: AtomicU64,
    requests: Mutex<BTreeMap<(String, u16), u64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            time_to_first_token: Histogram::new(WAITS_S),
            inter_token_latency: Histogram::new(STEPS_S),
            request: Histogram::new(WAITS_S),
            queue: Histogram::new(WAITS_S),
            prefill: Histogram::new(WAITS_S),
            decode: Histogram::new(WAITS_S),
            prompt_tokens: AtomicU64::new(0),
            generated_tokens: AtomicU64::new(0),
            requests: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Counts tokens that were read.
    pub(crate) fn prompt_tokens(&self, count: u64) {
        self.prompt_tokens.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts tokens that were generated.
    pub(crate) fn generated_tokens(&self, count: u64) {
        self.generated_tokens.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts a request. `route` is one of the router's patterns, never what a client wrote.
    pub(crate) fn request(&self, route: String, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((route, status)).or_default() += 1;
    }

    /// Renders all of them.
    pub(crate) fn render(&self) -> String {
        let mut out = String::new();
        for (histogram, name, help) in [
            (&self.time_to_first_token, "stack_time_to_first_token_seconds", "Time to first token."),
            (
                &self.inter_token_latency,
                "stack_inter_token_latency_seconds",
                "Time between tokens of one choice.",
            ),
            (&self.request, "stack_request_seconds", "Request duration, whatever the outcome."),
            (&self.queue, "stack_queue_seconds", "Time spent in the queue."),
            (&self.prefill, "stack_prefill_seconds", "Prefill time."),
            (&self.decode, "stack_decode_seconds", "Decode time, first token to last."),
        ] {
            histogram.render(name, help, &mut out);
        }
        for (counter, name, help) in [
            (&self.prompt_tokens, "stack_prompt_tokens_total", "Tokens in the prompts that were admitted."),
            (&self.generated_tokens, "stack_generated_tokens_total", "Tokens generated."),
        ] {
            let value = counter.load(Ordering::Relaxed);
            let _infallible = write!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n");
        }
        let name = "stack_requests_total";
        let _infallible = write!(out, "# HELP {name} Requests by route and status.\n# TYPE {name} counter\n");
        for ((route, status), count) in &*self.requests.lock().unwrap_or_else(PoisonError::into_inner) {
            let _infallible = writeln!(out, "{name}{{route=\"{route}\",status=\"{status}\"}} {count}");
        }
        out
    }
}

/// Bounds for what a person waits for.
const WAITS_S: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// Bounds for the time between tokens.
const STEPS_S: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5];
