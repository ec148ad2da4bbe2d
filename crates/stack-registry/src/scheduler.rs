//! Which bytes to ask for next, as a pure machine: events and the time in, actions out.
//!
//! ```text
//! cut what lacks into parts; keep some connections busy with the first ones
//! 206 from the asked byte        the part streams, and so does a 200 that says which part it is
//! 200                            the server knows no ranges: one stream from the beginning
//! 416, or another ETag           the content changed: forget everything, start over, twice at most
//! 401, 403                       find the address (or a token) again, once without progress
//! 429, 5xx, break, stall         the part goes on from its offset after a while
//! anything else                  give up
//! ```
//!
//! Nothing here is trusted: whoever drives the scheduler checks the digest of what came out.

mod concurrency;
mod content_range;
mod event;
mod failure;
mod limits;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

use crate::fetch::{FetchErrorKind, Retry};
use crate::random::Random;
use crate::store::Ranges;

use concurrency::Concurrency;
pub use content_range::ContentRange;
pub use event::{Action, Event, Head, Id};
pub use failure::{DownloadFailure, Failure};
pub use limits::Limits;
use limits::full_jitter;

/// The state of one download whose length is known.
#[derive(Debug)]
pub struct Scheduler {
    limits: Limits,
    random: Random,
    concurrency: Concurrency,
    total: u64,
    etag: Option<String>,
    have: Ranges,
    waiting: VecDeque<Piece>,
    open: BTreeMap<Id, Connection>,
    next: Id,
    paused_until: Duration,
    ranges: Support,
    restarts: u32,
    renewal: Renewal,
}

/// Whether the server answers ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Support {
    Expected,
    Missing,
}

/// How often the address was found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Renewal {
    Unneeded,
    Running,
    /// It was renewed, and brought nothing since.
    Unproven,
}

/// Bytes that lack.
#[derive(Clone, Debug)]
struct Piece {
    range: Range<u64>,
    failures: u32,
    not_before: Duration,
}

#[derive(Clone, Debug)]
struct Connection {
    /// What is still to come on it.
    piece: Piece,
    /// Bytes since the last failure of the piece.
    progress: u64,
    window_since: Duration,
    window_bytes: u64,
}

impl Scheduler {
    /// Plans the fetch of `total` bytes of which `have` are there already. `seed` scatters the waits.
    pub fn new(total: u64, have: Ranges, etag: Option<String>, limits: Limits, seed: u64) -> Self {
        let concurrency = Concurrency::new(limits.connections, limits.connections_max, Duration::ZERO);
        let mut scheduler = Self {
            limits,
            random: Random::new(seed),
            concurrency,
            total,
            etag,
            have,
            waiting: VecDeque::new(),
            open: BTreeMap::new(),
            next: 0,
            paused_until: Duration::ZERO,
            ranges: Support::Expected,
            restarts: 0,
            renewal: Renewal::Unneeded,
        };
        scheduler.list_gaps();
        scheduler
    }

    /// Takes an event, `now` after the beginning, and returns what follows from it, in order.
    pub fn handle(&mut self, event: Event, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        let outcome = match event {
            Event::Tick => self.tick(now, &mut actions),
            Event::Answered(id, head) if self.open.contains_key(&id) => {
                self.answered(id, &head, now, &mut actions)
            }
            Event::Received(id, bytes) => {
                self.received(id, bytes);
                Ok(())
            }
            Event::Ended(id) => self.ended(id, now),
            Event::Failed(id, kind) if self.open.contains_key(&id) => match kind.retry() {
                Retry::Safe => self.fail(id, Failure::Fetch(kind), now),
                Retry::Never => Err(DownloadFailure::Fetch(kind)),
            },
            Event::Renewed => {
                self.renewal = Renewal::Unproven;
                Ok(())
            }
            Event::Answered(..) | Event::Failed(..) => Ok(()),
        };
        match outcome {
            Err(reason) => actions.push(Action::Fail(reason)),
            Ok(()) if self.have.bytes() >= self.total => actions.push(Action::Finish),
            Ok(()) => self.fill(now, &mut actions),
        }
        actions
    }

    /// Returns which bytes were received.
    pub fn have(&self) -> &Ranges {
        &self.have
    }

    /// Returns the `ETag` that the received bytes belong to.
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// Returns how many connections are open.
    pub fn connections(&self) -> usize {
        self.open.len()
    }

    fn answered(
        &mut self,
        id: Id,
        head: &Head,
        now: Duration,
        actions: &mut Vec<Action>,
    ) -> Result<(), DownloadFailure> {
        match head.status {
            200 | 206 if self.changed(head) => self.start_over(head.etag.clone(), actions),
            // Some servers call a part of a file a whole.
            200 if head.content_range.is_some() => self.partial(id, head, now, actions),
            206 => self.partial(id, head, now, actions),
            200 => self.whole(id, head, now, actions),
            416 => self.start_over(None, actions),
            401 | 403 => self.renew(id, head.status, actions),
            408 | 425 | 429 | 500 | 502 | 503 | 504 => {
                let wish = head.retry_after.unwrap_or_default();
                if wish > self.limits.retry_after_max {
                    return Err(DownloadFailure::Status(head.status));
                }
                self.paused_until = self.paused_until.max(now + wish);
                actions.push(Action::Drop(id));
                self.fail(id, Failure::Status(head.status), now)
            }
            status => Err(DownloadFailure::Status(status)),
        }
    }

    /// Tells whether the reply belongs to other content than what came before; learns the first `ETag`.
    fn changed(&mut self, head: &Head) -> bool {
        match (&self.etag, &head.etag) {
            (Some(known), Some(new)) => known != new,
            (None, Some(new)) => {
                self.etag = Some(new.clone());
                false
            }
            (_, None) => false,
        }
    }

    fn partial(
        &mut self,
        id: Id,
        head: &Head,
        now: Duration,
        actions: &mut Vec<Action>,
    ) -> Result<(), DownloadFailure> {
        let Some(connection) = self.open.get_mut(&id) else { return Ok(()) };
        let asked = connection.piece.range.clone();
        match &head.content_range {
            Some(ContentRange { total: Some(found), .. }) if *found != self.total => {
                Err(DownloadFailure::Length { expected: self.total, found: *found })
            }
            Some(ContentRange { range, .. }) if range.start == asked.start && range.end <= asked.end => {
                connection.piece.range = range.clone();
                actions.push(Action::Stream { id, range: range.clone() });
                self.wait_for(range.end..asked.end);
                Ok(())
            }
            _ => {
                actions.push(Action::Drop(id));
                self.fail(id, Failure::Astray, now)
            }
        }
    }

    /// The server sends everything: one stream, from the beginning.
    fn whole(
        &mut self,
        id: Id,
        head: &Head,
        now: Duration,
        actions: &mut Vec<Action>,
    ) -> Result<(), DownloadFailure> {
        if let Some(found) = head.length.filter(|&found| found != self.total) {
            return Err(DownloadFailure::Length { expected: self.total, found });
        }
        self.ranges = Support::Missing;
        self.waiting.clear();
        let failures = self.open.get(&id).map_or(0, |connection| connection.piece.failures);
        actions.extend(self.open.keys().filter(|&&other| other != id).map(|&other| Action::Drop(other)));
        self.open.clear();
        let piece = Piece { range: 0..self.total, failures, not_before: now };
        self.open.insert(id, Connection::new(piece, now));
        actions.push(Action::Stream { id, range: 0..self.total });
        Ok(())
    }

    fn start_over(&mut self, etag: Option<String>, actions: &mut Vec<Action>) -> Result<(), DownloadFailure> {
        self.restarts += 1;
        if self.restarts > RESTARTS_MAX {
            return Err(DownloadFailure::Changing);
        }
        actions.extend(self.open.keys().map(|&id| Action::Drop(id)));
        actions.push(Action::Forget);
        self.open.clear();
        self.have = Ranges::default();
        self.etag = etag;
        self.list_gaps();
        Ok(())
    }

    fn renew(&mut self, id: Id, status: u16, actions: &mut Vec<Action>) -> Result<(), DownloadFailure> {
        if self.renewal == Renewal::Unproven {
            return Err(DownloadFailure::Status(status));
        }
        actions.push(Action::Drop(id));
        if let Some(connection) = self.open.remove(&id) {
            self.waiting.push_front(connection.piece);
        }
        if self.renewal == Renewal::Unneeded {
            self.renewal = Renewal::Running;
            actions.push(Action::Renew);
        }
        Ok(())
    }

    fn received(&mut self, id: Id, bytes: u64) {
        let Some(connection) = self.open.get_mut(&id) else { return };
        let piece = &mut connection.piece;
        let at = piece.range.start;
        let bytes = bytes.min(piece.range.end - at);
        piece.range.start += bytes;
        self.have.insert(at..at + bytes);
        self.concurrency.received(bytes);
        connection.window_bytes += bytes;
        connection.progress += bytes;
        if connection.progress >= PROGRESS {
            piece.failures = 0;
        }
        if self.renewal == Renewal::Unproven {
            self.renewal = Renewal::Unneeded;
        }
    }

    fn ended(&mut self, id: Id, now: Duration) -> Result<(), DownloadFailure> {
        match self.open.get(&id) {
            Some(connection) if !connection.piece.range.is_empty() => self.fail(id, Failure::Short, now),
            _ => {
                self.open.remove(&id);
                Ok(())
            }
        }
    }

    fn fail(&mut self, id: Id, failure: Failure, now: Duration) -> Result<(), DownloadFailure> {
        let Some(connection) = self.open.remove(&id) else { return Ok(()) };
        let failures = connection.piece.failures + 1;
        if failures >= self.limits.tries {
            return Err(DownloadFailure::Exhausted(failure));
        }
        let wait = full_jitter(&self.limits, failures, &mut self.random);
        let not_before = now + wait;
        if self.ranges == Support::Missing {
            // The stream began at the beginning; what lacks now are the gaps, once more.
            let gaps = self.have.gaps(self.total);
            self.waiting = gaps.into_iter().map(|range| Piece { range, failures, not_before }).collect();
        } else {
            self.waiting.push_front(Piece { range: connection.piece.range, failures, not_before });
        }
        Ok(())
    }

    fn tick(&mut self, now: Duration, actions: &mut Vec<Action>) -> Result<(), DownloadFailure> {
        self.concurrency.tick(now, self.open.len() >= self.concurrency.allowed());
        let mut stalled = Vec::new();
        for (&id, connection) in &mut self.open {
            if now.saturating_sub(connection.window_since) < self.limits.stall {
                continue;
            }
            if connection.window_bytes < self.limits.trickle_bytes {
                stalled.push(id);
            }
            (connection.window_since, connection.window_bytes) = (now, 0);
        }
        for id in stalled {
            actions.push(Action::Drop(id));
            self.fail(id, Failure::Fetch(FetchErrorKind::Stalled), now)?;
        }
        Ok(())
    }

    /// Opens what may be open.
    fn fill(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let allowed = match self.ranges {
            Support::Expected => self.concurrency.allowed(),
            Support::Missing => 1,
        };
        while self.open.len() < allowed && now >= self.paused_until && self.renewal != Renewal::Running {
            let Some(index) = self.waiting.iter().position(|piece| piece.not_before <= now) else { return };
            let piece = self.take_part(index);
            let id = self.next;
            self.next += 1;
            let if_range = self.etag.clone().filter(|etag| !etag.starts_with("W/"));
            actions.push(Action::Open { id, range: piece.range.clone(), if_range });
            self.open.insert(id, Connection::new(piece, now));
        }
    }

    /// Takes one part of what waits at `index`. Parts are cut no earlier, so that a length costs nothing by itself;
    /// they end at multiples of their size, so that a resume cuts as the first attempt did.
    fn take_part(&mut self, index: usize) -> Piece {
        let part = self.limits.part_bytes.max(1);
        let waiting = &mut self.waiting[index];
        let Range { start, end } = waiting.range;
        let cut = (start / part + 1).saturating_mul(part).min(end);
        let piece = Piece { range: start..cut, ..waiting.clone() };
        if cut < end {
            waiting.range.start = cut;
        } else {
            self.waiting.remove(index);
        }
        piece
    }

    /// Puts everything that lacks on the list.
    fn list_gaps(&mut self) {
        self.waiting.clear();
        for gap in self.have.gaps(self.total) {
            self.wait_for(gap);
        }
    }

    fn wait_for(&mut self, range: Range<u64>) {
        if !range.is_empty() {
            self.waiting.push_back(Piece { range, failures: 0, not_before: Duration::ZERO });
        }
    }
}

impl Connection {
    fn new(piece: Piece, now: Duration) -> Self {
        Self { piece, progress: 0, window_since: now, window_bytes: 0 }
    }
}

/// Contents that change are fetched anew this often.
const RESTARTS_MAX: u32 = 2;
/// Failures before this many bytes do not count any more.
const PROGRESS: u64 = 1 << 20;

#[cfg(test)]
mod tests;
