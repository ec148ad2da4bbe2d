//! Progress as people and programs see it.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::json;
use stack_registry::progress::Progress;

use crate::output;
use crate::quantity;

/// Shows bars on a terminal, a line per tenth elsewhere, or events as JSON lines; all on stderr.
pub(crate) struct Show {
    manner: Manner,
    files: Mutex<BTreeMap<String, Shown>>,
}

enum Manner {
    Nothing,
    Bars(MultiProgress),
    Lines,
    Events,
}

/// What was shown of a file.
struct Shown {
    bar: Option<ProgressBar>,
    host: String,
    began: Instant,
    /// Bytes that were there when it began.
    had: u64,
    tenths: u64,
    told: Instant,
    waiting: bool,
}

impl Show {
    /// Shows nothing.
    pub(crate) fn nothing() -> Self {
        Self::new(Manner::Nothing)
    }

    /// Shows events to a program.
    pub(crate) fn events() -> Self {
        Self::new(Manner::Events)
    }

    /// Shows bars if somebody watches, and lines if somebody may read them later.
    pub(crate) fn people() -> Self {
        Self::new(if io::stderr().is_terminal() { Manner::Bars(MultiProgress::new()) } else { Manner::Lines })
    }

    fn new(manner: Manner) -> Self {
        Self { manner, files: Mutex::default() }
    }

    /// Takes note of one thing. Several threads may call it.
    pub(crate) fn note(&self, progress: &Progress<'_>) {
        match progress {
            Progress::Note(text) => self.say(text),
            Progress::Started { file, total, have, host } => self.start(file, *total, *have, host),
            Progress::Moved { file, total, have } => self.advance(file, *total, *have),
            Progress::Waiting { file, total, have } => self.wait(file, *total, *have),
            Progress::Checking { file, total, have } => self.check(file, *total, *have),
            Progress::Finished { file, total } => self.finish(file, *total),
        }
    }

    /// Takes the bars away.
    pub(crate) fn end(&self) {
        if let Manner::Bars(bars) = &self.manner {
            // A terminal that is gone needs no cleaning.
            let _gone = bars.clear();
        }
    }

    fn say(&self, text: &str) {
        match &self.manner {
            Manner::Nothing => {}
            Manner::Bars(bars) => {
                let _gone = bars.println(output::harmless(text));
            }
            Manner::Lines => output::talk(output::harmless(text)),
            Manner::Events => output::talk(json!({"event": "note", "text": text}).to_string()),
        }
    }

    fn start(&self, file: &str, total: u64, have: u64, host: &str) {
        let bar = match &self.manner {
            Manner::Bars(bars) => Some(bars.add(bar(file, total, have))),
            Manner::Lines => {
                let resumed =
                    if have > 0 { format!(", {} of it there", quantity::bytes(have)) } else { String::new() };
                self.say(&format!("{file}: {}{resumed}, {host}", quantity::bytes(total)));
                None
            }
            Manner::Events => {
                let event = json!({"event": "started", "file": file, "bytes": have, "total_bytes": total, "host": host});
                output::talk(event.to_string());
                None
            }
            Manner::Nothing => None,
        };
        let (now, host) = (Instant::now(), host.to_owned());
        let tenths = tenths(have, total);
        let shown = Shown { bar, host, began: now, had: have, tenths, told: now, waiting: false };
        self.files().insert(file.to_owned(), shown);
    }

    fn advance(&self, file: &str, total: u64, have: u64) {
        let mut files = self.files();
        let Some(shown) = files.get_mut(file) else { return };
        let seconds = shown.began.elapsed().as_secs_f64().max(0.001);
        let rate = have.saturating_sub(shown.had) as f64 / seconds;
        let left = (rate > 0.0).then(|| (total.saturating_sub(have)) as f64 / rate);
        match &self.manner {
            Manner::Bars(_) => {
                if let Some(bar) = &shown.bar {
                    bar.set_position(have);
                }
            }
            Manner::Lines if tenths(have, total) > shown.tenths => {
                shown.tenths = tenths(have, total);
                let left = left.map_or_else(String::new, |left| format!(", {left:.0} s left"));
                let rate = quantity::bytes(rate as u64);
                output::talk(output::harmless(&format!("{file}: {} %, {rate}/s{left}", shown.tenths * 10)));
            }
            Manner::Events if shown.told.elapsed() >= EVENT_PAUSE || have == total => {
                shown.told = Instant::now();
                let event = json!({
                    "event": "moved", "file": file, "bytes": have, "total_bytes": total,
                    "bytes_per_second": rate as u64, "seconds_left": left.map(|left| left as u64), "host": shown.host,
                });
                output::talk(event.to_string());
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
            self.say(&format!("{file}: another process fetches it; waiting"));
        }
        self.advance(file, total, have);
    }

    fn check(&self, file: &str, total: u64, have: u64) {
        if let Some(bar) = self.files().get(file).and_then(|shown| shown.bar.as_ref()) {
            bar.set_message(format!("checking {}", output::harmless(file)));
            bar.set_position(have.min(total));
        }
    }

    fn finish(&self, file: &str, total: u64) {
        let shown = self.files().remove(file);
        if let Some(bar) = shown.and_then(|shown| shown.bar) {
            bar.finish_and_clear();
        }
        if matches!(self.manner, Manner::Events) {
            output::talk(json!({"event": "finished", "file": file, "total_bytes": total}).to_string());
        } else {
            self.say(&format!("{file}: {}, checked", quantity::bytes(total)));
        }
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Shown>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bar(file: &str, total: u64, have: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:24} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
        .expect("the template is constant and valid");
    let bar = ProgressBar::new(total).with_style(style).with_message(output::harmless(file));
    bar.set_position(have);
    // What was there before says nothing about the speed.
    bar.reset_eta();
    bar
}

fn tenths(have: u64, total: u64) -> u64 {
    (u128::from(have) * 10).checked_div(u128::from(total)).unwrap_or(10) as u64
}

/// Events come no more often, so that nobody drowns in them.
const EVENT_PAUSE: Duration = Duration::from_millis(500);

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
