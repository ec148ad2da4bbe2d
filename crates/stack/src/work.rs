//! Long work on files: a bar shows how far it is, and Ctrl-C stops it so that it can clean up behind itself.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::thread;

use tokio::runtime::Builder;

use crate::command_error::{CommandError, Kind};
use crate::progress::ByteBar;

/// Work on a known number of bytes.
pub(crate) struct Work {
    bar: ByteBar,
    done: AtomicU64,
    stopped: Arc<AtomicBool>,
}

impl Work {
    /// Starts the work. From here on Ctrl-C asks it to stop, and no longer ends the program.
    pub(crate) fn start(doing: &'static str, total: u64, quiet: bool) -> Result<Self, CommandError> {
        let stopped = Arc::new(AtomicBool::new(false));
        listen(Arc::clone(&stopped)).map_err(|error| {
            CommandError::new(Kind::Machine, "Ctrl-C cannot be listened to").reason("io").caused(error)
        })?;
        Ok(Self { bar: ByteBar::new(doing, total, quiet), done: AtomicU64::new(0), stopped })
    }

    /// Shows that more bytes are done. Several threads may call it.
    ///
    /// # Errors
    ///
    /// When the work is to stop.
    pub(crate) fn advance(&self, bytes: u64) -> io::Result<()> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "Ctrl-C"));
        }
        self.bar.show(self.done.fetch_add(bytes, Ordering::Relaxed) + bytes);
        Ok(())
    }

    /// Returns what to tell about a failure: where the work was stopped, that is all there is to say.
    pub(crate) fn failed(&self, error: CommandError) -> CommandError {
        if self.stopped.load(Ordering::Relaxed) {
            return CommandError::new(Kind::Interrupted, "stopped");
        }
        error
    }
}

/// Waits for Ctrl-C on a thread of its own, which ends with the program.
fn listen(stopped: Arc<AtomicBool>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut pressed = Box::pin(tokio::signal::ctrl_c());
    // The first look installs the handler: from here on nothing is left half done, however early somebody presses it.
    let first_look = poll_fn(|context| Poll::Ready(pressed.as_mut().poll(context)));
    if let Poll::Ready(result) = runtime.block_on(first_look) {
        stopped.store(result.is_ok(), Ordering::Relaxed);
        return result;
    }
    let waiting = move || {
        if runtime.block_on(pressed).is_ok() {
            stopped.store(true, Ordering::Relaxed);
        }
    };
    thread::Builder::new().name("ctrl-c".to_owned()).spawn(waiting).map(drop)
}
