//! Shows how far a command on many bytes is, if it takes a while and somebody watches.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on stderr; it shows only on a terminal, and disappears when dropped.
pub(crate) struct ByteBar {
    doing: &'static str,
    total: u64,
    quiet: bool,
    started: Instant,
    bar: OnceLock<ProgressBar>,
}

impl ByteBar {
    /// Starts to wait. `doing` is a word such as `copying`.
    pub(crate) fn new(doing: &'static str, total: u64, quiet: bool) -> Self {
        Self { doing, total, quiet, started: Instant::now(), bar: OnceLock::new() }
    }

    /// Shows the bytes that are done. Several threads may call it.
    pub(crate) fn show(&self, done: u64) {
        if self.quiet || self.started.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_init(|| {
            let template = "{msg} {bar:24} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
            let style = ProgressStyle::with_template(template).expect("the template is constant and valid");
            ProgressBar::new(self.total).with_style(style).with_message(self.doing)
        });
        bar.set_position(done);
    }
}

impl Drop for ByteBar {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

/// What is faster shows no bar.
const PATIENCE: Duration = Duration::from_millis(500);
