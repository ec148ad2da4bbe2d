//! Shows how far a command on many bytes is, if it takes a while and somebody watches.

mod layout;
mod meter;
mod transfer;

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use layout::Line;
use meter::Meter;

use crate::terminal;
pub(crate) use transfer::TransferProgress;

/// A line on stderr; it shows only on a terminal, and disappears when dropped.
pub(crate) struct Bar {
    doing: &'static str,
    name: String,
    hidden: bool,
    started: Instant,
    drawn: Mutex<Drawn>,
}

struct Drawn {
    bar: Option<ProgressBar>,
    at: Option<Instant>,
    meter: Meter,
}

impl Bar {
    /// Starts to wait. `doing` is a word such as `copying`, and `name` what it is done to.
    pub(crate) fn new(doing: &'static str, name: &str, quiet: bool) -> Self {
        let started = Instant::now();
        let drawn = Drawn { bar: None, at: None, meter: Meter::new(started) };
        let hidden = quiet || QUIET.load(Ordering::Relaxed) || !terminal::can_draw();
        Self { doing, name: name.to_owned(), hidden, started, drawn: Mutex::new(drawn) }
    }

    /// Shows bytes done and in all. Several threads may call it.
    pub(crate) fn show(&self, done: u64, total: u64) {
        self.show_moved(done, total, done);
    }

    /// Shows bytes done and in all, of which only so many were moved now; the others were there.
    pub(crate) fn show_moved(&self, done: u64, total: u64, moved: u64) {
        let now = Instant::now();
        if self.hidden || now.duration_since(self.started) < DELAY {
            return;
        }
        // Another thread that draws at this moment draws nearly the same.
        let Ok(mut drawn) = self.drawn.try_lock() else { return };
        if drawn.at.is_some_and(|at| now.duration_since(at) < FRAME) {
            return;
        }
        drawn.at = Some(now);
        drawn.meter.note(now, moved);
        let rate = drawn.meter.rate();
        let line = Line { doing: self.doing, name: &self.name, host: None, done, total, rate };
        let line = line.fit(columns());
        drawn.bar.get_or_insert_with(plain_bar).set_message(line);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        let drawn = self.drawn.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = drawn.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// A bar for each file of several that are hashed one after the other.
pub(crate) struct FileBars {
    doing: &'static str,
    current: Mutex<Option<(String, Bar)>>,
}

impl FileBars {
    /// Starts with none.
    pub(crate) fn new(doing: &'static str) -> Self {
        Self { doing, current: Mutex::new(None) }
    }

    /// Shows how many bytes of a file are done, and how many it has. Several threads may call it.
    pub(crate) fn show(&self, name: &str, done: u64, total: u64) {
        // Another thread that draws at this moment draws nearly the same.
        let Ok(mut current) = self.current.try_lock() else { return };
        if current.as_ref().is_none_or(|(known, _)| known != name) {
            *current = Some((name.to_owned(), Bar::new(self.doing, name, false)));
        }
        if let Some((_, bar)) = &*current {
            bar.show(done, total);
        }
    }
}

/// Takes whatever bar there is off the terminal, for a program that ends without dropping it.
pub(crate) fn clear() {
    if terminal::can_draw() {
        // Bars are one line, and the cursor stays in it.
        let _gone = io::stderr().write_all(b"\r\x1b[K");
    }
}

/// Makes a bar that is a line of text. It draws nothing before it has one.
fn plain_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{msg}").expect("the template is constant and valid");
    ProgressBar::no_length().with_style(style)
}

/// The width of the terminal that bars are drawn on.
fn columns() -> usize {
    terminal::columns(io::stderr()).unwrap_or(COLUMNS_USUAL)
}

/// From here on, bars show nothing.
pub(crate) fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Whether the command line has `--quiet`, which every bar obeys.
static QUIET: AtomicBool = AtomicBool::new(false);
/// What is faster shows no bar.
const DELAY: Duration = Duration::from_millis(500);
/// Nobody reads faster.
const FRAME: Duration = Duration::from_millis(100);
const COLUMNS_USUAL: usize = 80;
