//! What a scheduler is told, and what it says.

use std::ops::Range;
use std::time::Duration;

use super::{ContentRange, DownloadFailure};
use crate::fetch::FetchErrorKind;

/// A connection of one scheduler.
pub type Id = u32;

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// Nothing but time.
    Tick,
    /// The server answered a connection.
    Answered(Id, Head),
    /// Bytes of a connection were written where they belong.
    Received(Id, u64),
    /// The body of a connection has ended, or enough of it was read.
    Ended(Id),
    /// A connection failed.
    Failed(Id, FetchErrorKind),
    /// The address was found again.
    Renewed,
}

/// The parts of a reply's head that matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// `ETag`, as sent.
    pub etag: Option<String>,
    /// `Content-Range`, if it makes sense.
    pub content_range: Option<ContentRange>,
    /// `Content-Length`.
    pub length: Option<u64>,
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask for bytes on a new connection.
    Open {
        /// Its name from here on.
        id: Id,
        /// The bytes.
        range: Range<u64>,
        /// The strong `ETag` for `If-Range`.
        if_range: Option<String>,
    },
    /// Write the body of a connection to these offsets, and no further.
    Stream {
        /// The connection.
        id: Id,
        /// Where the body belongs.
        range: Range<u64>,
    },
    /// Close a connection; nothing that it still says counts.
    Drop(Id),
    /// Find the address (or a token) again, and say so with [`Event::Renewed`].
    Renew,
    /// What was written is of no use any more.
    Forget,
    /// Everything is there.
    Finish,
    /// It will not get there.
    Fail(DownloadFailure),
}
