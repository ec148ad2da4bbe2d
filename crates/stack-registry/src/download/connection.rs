//! One connection of a download, on its own thread.

use std::io::Read;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Download, Note};
use crate::fetch::{Cancel, FetchError, Response, follow};
use crate::scheduler::{ContentRange, Head, Id};
use crate::store::PartialBlob;

/// The end of a connection that the scheduler's thread holds.
pub(super) struct Line {
    cancel: Cancel,
    /// Held while bytes are written, so that after [`Line::cut`] none are.
    open: Mutex<bool>,
    go: SyncSender<Range<u64>>,
}

/// The other end.
pub(super) struct FarEnd {
    line: Arc<Line>,
    go: Receiver<Range<u64>>,
}

impl Line {
    pub(super) fn new(cancel: Cancel) -> (Arc<Self>, FarEnd) {
        let (go, gone) = sync_channel(1);
        let line = Arc::new(Self { cancel, open: Mutex::new(true), go });
        (Arc::clone(&line), FarEnd { line, go: gone })
    }

    /// Lets the body through, to these offsets.
    pub(super) fn stream(&self, range: Range<u64>) {
        // The scheduler says so once per connection, and there is room for one.
        let _sent = self.go.try_send(range);
    }

    /// Ends the connection. When this returns, nothing more is written.
    pub(super) fn cut(&self) {
        self.cancel.cancel();
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }
}

/// Asks for a range, waits for the scheduler's word on the reply's head, and writes the body.
pub(super) fn read_range(
    download: &Download<'_>,
    id: Id,
    range: Range<u64>,
    if_range: Option<String>,
    far_end: &FarEnd,
    part: &PartialBlob,
    notes: &SyncSender<Note>,
) {
    let note = match transfer(download, id, range, if_range, far_end, part, notes) {
        Ok(()) => Note::Ended(id),
        Err(Failed::Fetch(error)) => Note::Failed(id, error),
        Err(Failed::Store(error)) => Note::Store(error),
        Err(Failed::Unwanted) => return,
    };
    // If nobody listens, the download has ended.
    let _unheard = notes.send(note);
}

enum Failed {
    Fetch(FetchError),
    Store(crate::store::StoreError),
    /// The scheduler has dropped the connection.
    Unwanted,
}

fn transfer(
    download: &Download<'_>,
    id: Id,
    range: Range<u64>,
    if_range: Option<String>,
    far_end: &FarEnd,
    part: &PartialBlob,
    notes: &SyncSender<Note>,
) -> Result<(), Failed> {
    let line = &far_end.line;
    let mut request = download.location.request();
    request.cancel = line.cancel.clone();
    request.timeout = download.limits.stall;
    request = request.header("range", format!("bytes={}-{}", range.start, range.end - 1));
    if let Some(etag) = if_range {
        request = request.header("if-range", etag);
    }
    let (url, mut response) = follow(download.fetch, request).map_err(Failed::Fetch)?;
    let host = url.origin().authority();
    notes.send(Note::Answered(id, head(&response))).map_err(|_| Failed::Unwanted)?;
    let range = loop {
        if line.cancel.is_cancelled() {
            return Err(Failed::Unwanted);
        }
        if let Ok(range) = far_end.go.recv_timeout(PAUSE) {
            break range;
        }
    };
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut at = range.start;
    while at < range.end {
        let room = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(BUFFER_BYTES);
        let count = match response.body.read(&mut buffer[..room]) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failed::Fetch(FetchError::reading(&host, error))),
        };
        {
            let open = line.open.lock().unwrap_or_else(PoisonError::into_inner);
            if !*open {
                return Err(Failed::Unwanted);
            }
            part.write_at(&buffer[..count], at).map_err(Failed::Store)?;
        }
        at += count as u64;
        notes.send(Note::Received(id, count as u64)).map_err(|_| Failed::Unwanted)?;
        hold_back(download, count as u64, &line.cancel);
    }
    Ok(())
}

/// Waits as long as the rate demands, or until the connection is cut.
fn hold_back(download: &Download<'_>, bytes: u64, cancel: &Cancel) {
    let Some(throttle) = download.throttle else { return };
    let mut wait = throttle.take(bytes);
    while !wait.is_zero() && !cancel.is_cancelled() {
        let pause = wait.min(PAUSE);
        thread::sleep(pause);
        wait -= pause;
    }
}

fn head(response: &Response) -> Head {
    let headers = &response.headers;
    Head {
        status: response.status,
        etag: headers.get("etag").map(str::to_owned),
        content_range: headers.get("content-range").and_then(ContentRange::parse),
        length: headers.content_length(),
        retry_after: headers.get("retry-after").map(retry_after),
    }
}

/// Reads seconds. A date would need a clock that agrees with the server's; some wait is right all the same.
fn retry_after(text: &str) -> Duration {
    text.parse().map_or(Duration::from_secs(30), Duration::from_secs)
}

/// What is read at once.
const BUFFER_BYTES: usize = 256 << 10;
/// How long a wait lasts before it looks whether anybody still wants the result.
const PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::FetchErrorKind;

    #[test]
    fn a_retry_after_without_seconds_is_some_wait() {
        assert_eq!(retry_after("7"), Duration::from_secs(7));
        assert_eq!(retry_after("Fri, 31 Dec 1999 23:59:59 GMT"), Duration::from_secs(30));
        assert_eq!(retry_after("-1"), Duration::from_secs(30));
    }

    #[test]
    fn failures_of_the_body_keep_their_trouble() {
        let stalled = FetchError::new(FetchErrorKind::Stalled, "h", "nothing came");
        let error = FetchError::reading("h", std::io::Error::other(stalled));
        assert_eq!(error.kind, FetchErrorKind::Stalled);
        let error = FetchError::reading("h", std::io::ErrorKind::ConnectionReset.into());
        assert_eq!(error.kind, FetchErrorKind::Broken);
    }
}
