//! Bytes from a server into a [`PartialBlob`]: the thin shell around the [`Scheduler`].
//!
//! The calling thread owns the scheduler; each connection is a thread that reads and writes; one more thread saves what is
//! there, so that a crash loses a fraction of a second.

mod connection;
mod error;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::fetch::{Cancel, Fetch, FetchError, Request};
use crate::scheduler::{Action, Event, Head, Id, Limits, Scheduler};
use crate::store::{PartialBlob, Ranges, StoreError};
use crate::throttle::SharedThrottle;

use connection::{Line, read_range};
pub use error::DownloadError;

/// Where the bytes of one file are.
pub trait Location: Sync {
    /// Makes the request for the whole file; ranges are added by the download.
    fn request(&self) -> Request;

    /// Finds the address, or whatever proves that we may read it, again. Called after status 401 or 403.
    ///
    /// # Errors
    ///
    /// When nobody answers.
    fn renew(&self, fetch: &dyn Fetch) -> Result<(), FetchError>;
}

/// A request whose address never expires.
impl Location for Request {
    fn request(&self) -> Request {
        self.clone()
    }

    fn renew(&self, _: &dyn Fetch) -> Result<(), FetchError> {
        Ok(())
    }
}

/// One file to be fetched.
pub struct Download<'a> {
    /// The way to the network.
    pub fetch: &'a dyn Fetch,
    /// Where the bytes are.
    pub location: &'a dyn Location,
    /// How many there are.
    pub length: u64,
    /// Which of them need not be fetched; `None` for those that the part lists.
    pub have: Option<Ranges>,
    /// What may be used.
    pub limits: Limits,
    /// How fast, shared with other downloads.
    pub throttle: Option<&'a SharedThrottle>,
    /// Ends the download; what is there stays.
    pub cancel: &'a Cancel,
    /// Scatters waits.
    pub seed: u64,
}

/// What threads tell the one that owns the scheduler.
enum Note {
    Answered(Id, Head),
    Received(Id, u64),
    Ended(Id),
    Failed(Id, FetchError),
    Renewed(Result<(), FetchError>),
    /// The disk failed, which no retry helps.
    Store(StoreError),
}

impl Download<'_> {
    /// Fetches what the part lacks. `watch` is told how many bytes are there.
    ///
    /// # Errors
    ///
    /// When the scheduler gives up, the disk fails, or it was cancelled. What came is saved in any case.
    pub fn run(&self, part: &PartialBlob, watch: &dyn Fn(u64)) -> Result<(), DownloadError> {
        if part.length() != Some(self.length) {
            part.prepare(Some(self.length), None)?;
        }
        let (notes, inbox) = sync_channel(NOTES_MAX);
        let done = AtomicBool::new(false);
        let outcome = thread::scope(|scope| {
            let saver = scope.spawn(|| keep_saved(part, &done, &notes));
            let outcome = self.drive(scope, part, &notes, &inbox, watch);
            done.store(true, Ordering::Release);
            saver.thread().unpark();
            // Nobody listens any more; whoever is about to speak finds out and ends.
            drop(inbox);
            outcome
        });
        // Complete or not, what came must survive; the first error is the one that matters.
        let saved = part.save().map_err(DownloadError::from);
        outcome.and(saved)
    }

    fn drive<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        part: &'scope PartialBlob,
        notes: &SyncSender<Note>,
        inbox: &Receiver<Note>,
        watch: &dyn Fn(u64),
    ) -> Result<(), DownloadError> {
        let started = Instant::now();
        let have = self.have.clone().unwrap_or_else(|| part.ranges());
        let mut scheduler = Scheduler::new(self.length, have, part.validator(), self.limits(), self.seed);
        let mut lines = Lines(BTreeMap::new());
        let mut last_failure = None;
        let (mut event, mut ticked) = (Event::Tick, started);
        loop {
            for action in scheduler.handle(event, started.elapsed()) {
                match action {
                    Action::Open { id, range, if_range } => {
                        let (line, far_end) = Line::new(self.cancel.child());
                        lines.0.insert(id, line);
                        let notes = notes.clone();
                        scope.spawn(move || read_range(self, id, range, if_range, &far_end, part, &notes));
                    }
                    Action::Stream { id, range } => {
                        if let Some(etag) = scheduler.etag()
                            && part.validator().is_none()
                            && part.ranges().bytes() == 0
                        {
                            part.prepare(Some(self.length), Some(etag))?;
                        }
                        if let Some(line) = lines.0.get(&id) {
                            line.stream(range);
                        }
                    }
                    Action::Drop(id) => lines.cut(id),
                    Action::Renew => {
                        let notes = notes.clone();
                        scope.spawn(move || notes.send(Note::Renewed(self.location.renew(self.fetch))));
                    }
                    Action::Forget => {
                        part.restart()?;
                        part.prepare(Some(self.length), None)?;
                    }
                    Action::Finish => return Ok(()),
                    Action::Fail(reason) => {
                        return Err(DownloadError::Failed { reason, last: last_failure });
                    }
                }
            }
            watch(scheduler.have().bytes());
            if self.cancel.is_cancelled() {
                return Err(DownloadError::Cancelled);
            }
            // However many notes come, time passes, too.
            if ticked.elapsed() >= TICK {
                (event, ticked) = (Event::Tick, Instant::now());
                continue;
            }
            event = match inbox.recv_timeout(TICK) {
                Ok(Note::Answered(id, head)) => Event::Answered(id, head),
                Ok(Note::Received(id, bytes)) => Event::Received(id, bytes),
                Ok(Note::Ended(id)) => Event::Ended(id),
                Ok(Note::Renewed(Ok(()))) => Event::Renewed,
                Ok(Note::Renewed(Err(error))) => return Err(DownloadError::Renewal(error)),
                Ok(Note::Failed(id, error)) => {
                    let kind = error.kind;
                    last_failure = Some(error);
                    Event::Failed(id, kind)
                }
                Ok(Note::Store(error)) => return Err(error.into()),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Event::Tick,
            };
        }
    }

    /// A slow rate that was asked for is no stall.
    fn limits(&self) -> Limits {
        let mut limits = self.limits.clone();
        if let Some(throttle) = self.throttle {
            let rate = throttle.bytes_per_second();
            let share = rate / (limits.connections_max.max(1) as u64 * 4);
            limits.trickle_bytes = limits.trickle_bytes.min(share * limits.stall.as_secs()).max(1);
        }
        limits
    }
}

/// The open connections. All are cut when it is dropped, so that their threads end.
struct Lines(BTreeMap<Id, Arc<Line>>);

impl Lines {
    fn cut(&mut self, id: Id) {
        if let Some(line) = self.0.remove(&id) {
            line.cut();
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.0.values().for_each(|line| line.cut());
    }
}

/// Saves what is there as often as the disk can bear.
fn keep_saved(part: &PartialBlob, done: &AtomicBool, notes: &SyncSender<Note>) {
    let (mut pause, mut saved) = (SAVE_PAUSE_MIN, part.ranges());
    loop {
        thread::park_timeout(pause);
        if done.load(Ordering::Acquire) {
            return;
        }
        let ranges = part.ranges();
        if ranges == saved {
            continue;
        }
        let begun = Instant::now();
        if let Err(error) = part.save() {
            // If nobody listens, the download has ended, and saves again itself.
            let _unheard = notes.send(Note::Store(error));
            return;
        }
        saved = ranges;
        pause = (begun.elapsed() * SAVE_SHARE).clamp(SAVE_PAUSE_MIN, SAVE_PAUSE_MAX);
    }
}

/// How often the scheduler looks at the clock.
const TICK: Duration = Duration::from_millis(100);
/// Notes that wait to be read; connections wait when there are more.
const NOTES_MAX: usize = 256;
/// What a crash may lose at least, and at most.
const SAVE_PAUSE_MIN: Duration = Duration::from_millis(50);
/// See above.
const SAVE_PAUSE_MAX: Duration = Duration::from_secs(5);
/// The pause is so many times as long as the last save took.
const SAVE_SHARE: u32 = 2;

#[cfg(test)]
mod tests;
