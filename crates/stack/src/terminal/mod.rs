//! The terminal: how wide it is, and that it shows nothing of what is typed while an answer is written.

pub(crate) mod input;
pub(crate) mod interruptible;
pub(crate) mod logs;
pub(crate) mod output;
pub(crate) mod passphrase;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod screen;
pub(crate) mod thoughts;
pub(crate) mod units;
pub(crate) mod word_wrap;

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, Once, PoisonError};
use std::{io, mem, thread};

use rustix::process::getpgrp;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, isatty, tcgetattr, tcgetpgrp,
    tcgetwinsize, tcsetattr,
};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// Returns how many columns a terminal has; `None` of what is none, or does not say.
pub(crate) fn columns(of: impl AsFd) -> Option<usize> {
    tcgetwinsize(of).ok().map(|size| usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

/// Whether bars and the like can be drawn on it.
pub(crate) fn can_draw() -> bool {
    isatty(io::stderr()) && crate::process::machine::environment("TERM").is_none_or(|kind| kind != "dumb")
}

/// Keeps what is typed from being shown among the words of an answer, as long as it lives.
///
/// Nothing of it is lost: whoever reads the terminal next gets each key as it was pressed. Ctrl-C still interrupts.
pub(crate) struct Silence {
    shown_before: Termios,
}

impl Silence {
    /// Begins; where there is no terminal that this program may change, there is nothing to keep quiet.
    pub(crate) fn begin() -> Option<Self> {
        let shown_before = with_terminal(|terminal| tcgetattr(terminal)).ok().filter(|_| is_ours())?;
        {
            let mut shown = lock();
            // The way the terminal was when nothing had been changed yet.
            shown.get_or_insert_with(|| shown_before.clone());
        }
        RESTORED_AT_END.call_once(restore_at_end);
        let mut silent = shown_before.clone();
        // Keys stay as they were pressed, so that the line editor finds Enter, Tab and arrows; and Ctrl-C, which is still a
        // signal, throws away neither them nor the answer's last words.
        silent.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::IEXTEN;
        silent.local_modes |= LocalModes::NOFLSH;
        silent.input_modes -= InputModes::ICRNL | InputModes::INLCR | InputModes::IGNCR;
        silent.special_codes[SpecialCodeIndex::VMIN] = 1;
        silent.special_codes[SpecialCodeIndex::VTIME] = 0;
        with_terminal(|terminal| tcsetattr(terminal, OptionalActions::Now, &silent)).ok()?;
        Some(Self { shown_before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        restore(&self.shown_before);
    }
}

/// Does something with the terminal: the one that is read from, else the one that is written to.
fn with_terminal<T>(act: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    act(if isatty(&stdin) { stdin.as_fd() } else { stdout.as_fd() })
}

/// Whether the terminal may be changed: who is in the background would be stopped for trying.
fn is_ours() -> bool {
    match with_terminal(|terminal| tcgetpgrp(terminal)) {
        Ok(group) => group == getpgrp(),
        // It controls nobody, so it stops nobody.
        Err(_) => true,
    }
}

fn restore(shown: &Termios) {
    if is_ours() {
        // A terminal that is gone needs nothing.
        let _gone = with_terminal(|terminal| tcsetattr(terminal, OptionalActions::Now, shown));
    }
}

/// From here on, a signal that ends the program leaves the terminal as it was found.
fn restore_at_end() {
    let waiting = || {
        let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
        let number = runtime.block_on(async {
            let kinds = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
            let [Ok(mut terminate), Ok(mut hangup), Ok(mut quit)] = kinds.map(signal) else {
                return None;
            };
            Some(tokio::select! {
                _ = terminate.recv() => kinds[0],
                _ = hangup.recv() => kinds[1],
                _ = quit.recv() => kinds[2],
            })
        });
        let Some(kind) = number else { return };
        if let Some(shown) = mem::take(&mut *lock()) {
            restore(&shown);
        }
        // What shells say of a program that a signal ended.
        #[expect(clippy::disallowed_methods, reason = "a signal ends the program from a thread of its own")]
        std::process::exit(128 + kind.as_raw_value());
    };
    // Without the thread, the signals end the program as they always do.
    let _signals_end_it = thread::Builder::new().name("signals".to_owned()).spawn(waiting);
}

fn lock() -> std::sync::MutexGuard<'static, Option<Termios>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How the terminal was found. A signal comes at any time, and to nobody in particular.
static SHOWN: Mutex<Option<Termios>> = Mutex::new(None);
static RESTORED_AT_END: Once = Once::new();
