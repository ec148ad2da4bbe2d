//! Shows how far loading is, if it takes a while and somebody watches.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on stderr; it shows only on a terminal, and disappears when dropped.
pub(crate) struct LoadBar {
    name: String,
    started: Instant,
    bar: OnceLock<ProgressBar>,
}

impl LoadBar {
    /// Starts to wait.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), started: Instant::now(), bar: OnceLock::new() }
    }

    /// Shows bytes done and in all. Several threads may call it.
    pub(crate) fn show(&self, done: u64, total: u64) {
        if self.started.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_init(|| {
            let style = ProgressStyle::with_template("loading {msg} {bar:24} {bytes}/{total_bytes}")
                .expect("the template is constant and valid");
            ProgressBar::new(total).with_style(style).with_message(self.name.clone())
        });
        bar.set_position(done);
    }
}

impl Drop for LoadBar {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

/// Models that load faster show no bar.
const PATIENCE: Duration = Duration::from_millis(500);
