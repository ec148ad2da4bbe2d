//! Shows how far loading is, if it takes a while and somebody watches.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on stderr; it shows only on a terminal, and disappears when dropped.
pub(crate) struct LoadBar {
    doing: &'static str,
    name: String,
    started: Instant,
    bar: OnceLock<ProgressBar>,
}

impl LoadBar {
    /// Starts to wait for a model that is being loaded.
    pub(crate) fn new(name: &str) -> Self {
        Self::doing("loading", name)
    }

    /// Starts to wait for something else that is being done to a file.
    pub(crate) fn doing(doing: &'static str, name: &str) -> Self {
        Self { doing, name: name.to_owned(), started: Instant::now(), bar: OnceLock::new() }
    }

    /// Shows bytes done and in all. Several threads may call it.
    pub(crate) fn show(&self, done: u64, total: u64) {
        if self.started.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_init(|| {
            let style = ProgressStyle::with_template("{prefix} {msg} {bar:24} {bytes}/{total_bytes}")
                .expect("the template is constant and valid");
            ProgressBar::new(total).with_style(style).with_prefix(self.doing).with_message(self.name.clone())
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
