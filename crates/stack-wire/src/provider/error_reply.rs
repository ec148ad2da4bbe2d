//! Replies that are no answers.

use stack_chat::Failure;

use super::adapter::Told;
use super::complaint::Complaint;
use super::{Route, wait};

/// A reply whose status says that it is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorReply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The headers, by name and value.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body, or as much of it as was read.
    pub body: &'a [u8],
}

impl ErrorReply<'_> {
    /// Decides which failure it is, and after which time to try again where the provider says so. `now_s` is the
    /// present, in seconds since 1970.
    pub fn failure(&self, route: &Route, now_s: u64) -> Failure {
        let (mut complaint, body) = Complaint::of_body(self.body);
        if let Some(adapter) = &route.adapter {
            complaint.judge(adapter, Told { status: Some(self.status), headers: self.headers, body: &body });
        }
        let failure = complaint.into_failure(&route.provider, Some(self.status));
        match wait::from_headers(self.headers, now_s) {
            Some(wait) if wait::helps(failure.kind) => failure.after(wait),
            _ => failure,
        }
    }
}
