//! Progress as people and programs see it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar};
use serde_json::json;
use stack_registry::progress::Progress;
use stack_registry::pull::{TransferError, TransferErrorKind};

use crate::error::CommandError;
use crate::terminal::progress::{Line, Meter, columns, plain_bar};
use crate::terminal::{self, interruptible, output, units};

/// Shows bars on a terminal, a line per tenth elsewhere, or events as JSON lines; all on stderr.
pub(crate) struct TransferProgress {
    output: Output,
    files: Mutex<BTreeMap<String, Shown>>,
    /// Bytes of files that are there, and right.
    finished: AtomicU64,
}

enum Output {
    Nothing,
    Bars(MultiProgress),
    Lines,
    Events,
}

/// What was shown of a file.
struct Shown {
    bar: Option<ProgressBar>,
    host: String,
    meter: Meter,
    /// Bytes that were there when it began, which say nothing about the speed.
    had: u64,
    have: u64,
    tenths: u64,
    told: Instant,
    waiting: bool,
}

impl TransferProgress {
    /// Shows nothing.
    pub(crate) fn nothing() -> Self {
        Self::new(Output::Nothing)
    }

    /// Shows events to a program.
    pub(crate) fn events() -> Self {
        Self::new(Output::Events)
    }

    /// Shows bars if somebody watches, and lines if somebody may read them later.
    pub(crate) fn people() -> Self {
        Self::new(if terminal::can_draw() { Output::Bars(MultiProgress::new()) } else { Output::Lines })
    }

    fn new(output: Output) -> Self {
        Self { output, files: Mutex::default(), finished: AtomicU64::new(0) }
    }

    /// Takes note of one thing. Several threads may call it.
    pub(crate) fn note(&self, progress: &Progress<'_>) {
        match progress {
            Progress::Note(text) => self.say(text),
            Progress::Planned { needed, free } => self.plan(*needed, *free),
            Progress::Started { file, total, have, host } => self.start(file, *total, *have, host),
            Progress::Moved { file, total, have } => self.advance(file, *total, *have),
            Progress::Waiting { file, total, have } => self.wait(file, *total, *have),
            Progress::Checking { file, total, have } => self.check(file, *total, *have),
            Progress::Finished { file, total } => self.finish(file, *total),
        }
    }

    /// Takes the bars away.
    pub(crate) fn end(&self) {
        if let Output::Bars(bars) = &self.output {
            // A terminal that is gone needs no cleaning.
            let _gone = bars.clear();
        }
    }

    /// Turns a failed transfer into the command's error; one that Ctrl-C stopped says what is kept.
    pub(crate) fn failed(&self, error: TransferError) -> CommandError {
        if !matches!(error.kind, TransferErrorKind::Interrupted) {
            return error.into();
        }
        match units::bytes(self.kept()) {
            none if self.kept() == 0 => {
                interruptible::stopped(&format!("{none} are kept, and the same command starts anew"))
            }
            kept => {
                interruptible::stopped(&format!("{kept} are kept, and the same command goes on from there"))
            }
        }
    }

    /// Bytes that are on the disk.
    fn kept(&self) -> u64 {
        let unfinished: u64 = self.files().values().map(|shown| shown.have).sum();
        self.finished.load(Ordering::Relaxed).saturating_add(unfinished)
    }

    fn say(&self, text: &str) {
        match &self.output {
            Output::Nothing => {}
            Output::Bars(bars) => {
                let _gone = bars.println(output::sanitize(text));
            }
            Output::Lines => output::stderr(output::sanitize(text)),
            Output::Events => output::stderr_exactly(json!({"event": "note", "text": text}).to_string()),
        }
    }

    fn plan(&self, needed: u64, free: Option<u64>) {
        if matches!(self.output, Output::Events) {
            let event = json!({"event": "planned", "bytes": needed, "free_bytes": free});
            return output::stderr_exactly(event.to_string());
        }
        let free =
            free.map_or_else(String::new, |free| format!("; the disk has {} free", units::bytes(free)));
        self.say(&format!("{} to download{free}", units::bytes(needed)));
    }

    fn start(&self, file: &str, total: u64, have: u64, host: &str) {
        let bar = match &self.output {
            // What is drawn before it has its place among the others stays there for ever.
            Output::Bars(bars) => Some(bars.add(plain_bar())),
            Output::Lines => {
                let resumed = if have > 0 {
                    format!(", {} already present", units::bytes(have))
                } else {
                    String::new()
                };
                self.say(&format!("{file}: {}{resumed}, {host}", units::bytes(total)));
                None
            }
            Output::Events => {
                let event = json!({"event": "started", "file": file, "bytes": have, "total_bytes": total, "host": host});
                output::stderr_exactly(event.to_string());
                None
            }
            Output::Nothing => None,
        };
        let (now, host) = (Instant::now(), host.to_owned());
        let tenths = tenths(have, total);
        let meter = Meter::new(now);
        let shown = Shown { bar, host, meter, had: have, have, tenths, told: now, waiting: false };
        shown.draw("", file, total, have, None);
        // A file that is fetched once more has a line already.
        if let Some(bar) = self.files().insert(file.to_owned(), shown).and_then(|former| former.bar) {
            bar.finish_and_clear();
        }
    }

    fn advance(&self, file: &str, total: u64, have: u64) {
        let mut files = self.files();
        let Some(shown) = files.get_mut(file) else { return };
        let now = Instant::now();
        shown.have = have;
        shown.meter.note(now, have.saturating_sub(shown.had));
        let rate = shown.meter.rate();
        let left = rate.and_then(|rate| total.saturating_sub(have).checked_div(rate));
        match &self.output {
            Output::Bars(_) if have == total || now.duration_since(shown.told) >= FRAME => {
                shown.told = now;
                shown.draw("", file, total, have, rate);
            }
            Output::Lines if tenths(have, total) > shown.tenths => {
                shown.tenths = tenths(have, total);
                let left = left.map_or_else(String::new, |left| format!(", {left} s left"));
                let rate = rate.map_or_else(String::new, |rate| format!(", {}/s", units::bytes(rate)));
                output::stderr(output::sanitize(&format!("{file}: {} %{rate}{left}", shown.tenths * 10)));
            }
            Output::Events if shown.told.elapsed() >= EVENT_PAUSE || have == total => {
                shown.told = now;
                let event = json!({
                    "event": "moved", "file": file, "bytes": have, "total_bytes": total,
                    "bytes_per_second": rate.unwrap_or_default(), "seconds_left": left, "host": shown.host,
                });
                output::stderr_exactly(event.to_string());
            }
            _ => {}
        }
    }

    fn wait(&self, file: &str, total: u64, have: u64) {
        if !self.files().contains_key(file) {
            self.start(file, total, have, "another process");
        }
        let first =
            self.files().get_mut(file).is_some_and(|shown| !std::mem::replace(&mut shown.waiting, true));
        if first {
            self.say(&format!("{file}: waiting for another process that is downloading it"));
        }
        self.advance(file, total, have);
    }

    fn check(&self, file: &str, total: u64, have: u64) {
        let (mut files, now) = (self.files(), Instant::now());
        let shown = files.get_mut(file);
        if let Some(shown) = shown.filter(|shown| now.duration_since(shown.told) >= FRAME) {
            shown.told = now;
            shown.draw("checking", file, total, have.min(total), None);
        }
    }

    fn finish(&self, file: &str, total: u64) {
        let shown = self.files().remove(file);
        self.finished.fetch_add(total, Ordering::Relaxed);
        if let Some(bar) = shown.and_then(|shown| shown.bar) {
            bar.finish_and_clear();
        }
        if matches!(self.output, Output::Events) {
            output::stderr_exactly(
                json!({"event": "finished", "file": file, "total_bytes": total}).to_string(),
            );
        } else {
            self.say(&format!("{file}: {}, verified", units::bytes(total)));
        }
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Shown>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    /// Draws the line of a file, where there are lines.
    fn draw(&self, doing: &str, file: &str, total: u64, have: u64, rate: Option<u64>) {
        if let Some(bar) = &self.bar {
            let host = Some(self.host.as_str());
            bar.set_message(Line { doing, name: file, host, done: have, total, rate }.fit(columns()));
        }
    }
}

fn tenths(have: u64, total: u64) -> u64 {
    (u128::from(have) * 10).checked_div(u128::from(total)).unwrap_or(10) as u64
}

/// Events come no more often, so that nobody drowns in them.
const EVENT_PAUSE: Duration = Duration::from_millis(500);
/// Lines change no more often.
const FRAME: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenths_need_no_bytes_and_do_not_overflow() {
        assert_eq!(tenths(0, 0), 10);
        assert_eq!(tenths(99, 1000), 0);
        assert_eq!(tenths(u64::MAX, u64::MAX), 10);
    }
}
