//! Long work on files: a bar shows how far it is, and Ctrl-C stops it so that it can clean up behind itself. So does
//! whatever else asks the program to end.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use stack_registry::package::PackageSource;
use tokio::runtime::Builder;

use crate::error::{CommandError, Kind};
use crate::process::signals::EndSignals;
use crate::terminal::progress::{self, Bar};
use crate::terminal::report::{report, report_json};

/// Interruptible on a known number of bytes.
pub(crate) struct Interruptible {
    bar: Bar,
    total: u64,
    done: AtomicU64,
    stopped: Arc<AtomicBool>,
}

impl Interruptible {
    /// Starts the work. From here on Ctrl-C asks it to stop, and no longer ends the program.
    pub(crate) fn start(doing: &'static str, total: u64, quiet: bool) -> Result<Self, CommandError> {
        let stopped = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stopped);
        listen(move || flag.store(true, Ordering::Relaxed)).map_err(deaf)?;
        let bar = Bar::new(doing, "", quiet);
        Ok(Self { bar, total, done: AtomicU64::new(0), stopped })
    }

    /// Shows that more bytes are done. Several threads may call it.
    ///
    /// # Errors
    ///
    /// When the work is to stop.
    pub(crate) fn advance(&self, bytes: u64) -> io::Result<()> {
        self.go_on()?;
        self.bar.show(self.done.fetch_add(bytes, Ordering::Relaxed) + bytes, self.total);
        Ok(())
    }

    /// Shows how many bytes are done in all, of which those count for the speed that went through a [`Watched`].
    pub(crate) fn show(&self, done: u64) {
        self.bar.show_moved(done, self.total, self.done.load(Ordering::Relaxed));
    }

    /// Puts itself between the work and where it reads or writes.
    pub(crate) fn watch<T>(&self, inner: T) -> Watched<'_, T> {
        Watched { inner, work: self }
    }

    /// Returns what to tell about a failure: where the work was stopped, that nothing came of it.
    pub(crate) fn failed(&self, error: CommandError) -> CommandError {
        self.failed_with(error, "nothing was changed, and the same command starts anew")
    }

    /// Returns what to tell about a failure: where the work was stopped, what became of it.
    pub(crate) fn failed_with(&self, error: CommandError, kept: &str) -> CommandError {
        if self.stopped.load(Ordering::Relaxed) { stopped(kept) } else { error }
    }

    fn go_on(&self) -> io::Result<()> {
        if self.stopped.load(Ordering::Relaxed) {
            // Not of the kind `Interrupted`, which means to try again.
            return Err(io::Error::other("stopped"));
        }
        Ok(())
    }
}

/// Counts the bytes that go through it, and fails when the work is to stop.
pub(crate) struct Watched<'a, T> {
    inner: T,
    work: &'a Interruptible,
}

impl<T: Write> Write for Watched<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.work.go_on()?;
        let written = self.inner.write(bytes)?;
        self.work.done.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl PackageSource for Watched<'_, &dyn PackageSource> {
    fn length(&self) -> u64 {
        self.inner.length()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.work.go_on()?;
        self.inner.read_exact_at(buffer, offset)?;
        self.work.done.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// The error for work that Ctrl-C stopped, and what became of it.
pub(crate) fn stopped(kept: &str) -> CommandError {
    CommandError::new(Kind::Interrupted, "stopped").reason("interrupted").hint(kept)
}

/// From here on Ctrl-C ends the program at once, as it always does, and says what became of its work.
pub(crate) fn end_on_interrupt(json: bool, kept: &'static str) -> Result<(), CommandError> {
    let end = move || {
        progress::clear();
        let error = stopped(kept);
        if json {
            report_json(&error);
        } else {
            report(&error);
        }
        #[expect(clippy::disallowed_methods, reason = "Ctrl-C ends the program from a thread of its own")]
        std::process::exit(error.kind().exit_code().into());
    };
    listen(end).map_err(deaf)
}

fn deaf(error: io::Error) -> CommandError {
    CommandError::new(Kind::Machine, "the Ctrl-C handler cannot be installed").reason("io").caused(error)
}

/// Waits for the end on a thread of its own, which ends with the program.
pub(crate) fn listen(act: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    // Installed before this returns: from here on nothing is left half done, however early somebody ends it.
    let mut signals = {
        let _inside = runtime.enter();
        EndSignals::install()?
    };
    let waiting = move || {
        runtime.block_on(signals.wait());
        act();
    };
    thread::Builder::new().name("end-signals".to_owned()).spawn(waiting).map(drop)
}

#[cfg(test)]
mod tests {
    use stack_registry::package::VolumeWriter;

    use super::*;

    fn work(is_stopped: bool) -> Interruptible {
        let stopped = Arc::new(AtomicBool::new(is_stopped));
        Interruptible { bar: Bar::new("testing", "", true), total: 10, done: AtomicU64::new(0), stopped }
    }

    #[test]
    fn work_that_was_stopped_ends_and_says_what_is_left() {
        let going = work(false);
        going.watch(Vec::new()).write_all(b"abc").unwrap();
        assert_eq!(going.done.load(Ordering::Relaxed), 3);
        let error = CommandError::new(Kind::Machine, "the disk is full");
        assert_eq!(going.failed_with(error, "all of it").kind(), Kind::Machine);

        let ended = work(true);
        // `write_all` tries again after errors of the kind `Interrupted`, for ever.
        let error = ended.watch(Vec::new()).write_all(b"abc").unwrap_err();
        assert_ne!(error.kind(), io::ErrorKind::Interrupted);
        assert!(ended.advance(1).is_err());
        let told = ended.failed_with(CommandError::new(Kind::Machine, "writing failed"), "all of it is kept");
        assert_eq!(
            (told.kind(), told.to_string().as_str()),
            (Kind::Interrupted, "stopped: all of it is kept")
        );
    }

    #[test]
    fn a_package_that_was_stopped_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.stackpkg");
        let (work, mut out) = (work(false), VolumeWriter::new(&path, None));
        work.watch(&mut out).write_all(b"half").unwrap();
        assert!(path.exists());
        work.stopped.store(true, Ordering::Relaxed);
        assert!(work.watch(&mut out).write_all(b"more").is_err());
        drop(out);
        assert!(!path.exists(), "the same command can start anew");
    }
}
