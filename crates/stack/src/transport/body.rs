//! The body of a reply, read by a thread that waits.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use stack_gateway::transport::Reply;
use stack_registry::fetch::{Cancel, FetchError, FetchErrorKind};
use tokio::runtime::Runtime;

use super::{of_transport, wait};

/// Reads a reply piece by piece; each may take as long as timeout lasts.
pub(super) struct Body {
    reply: Reply,
    /// What came and did not fit yet.
    rest: Vec<u8>,
    /// How much of the rest was taken.
    taken: usize,
    host: String,
    cancels: [Cancel; 2],
    timeout: Duration,
    runtime: Arc<Runtime>,
}

impl Body {
    pub(super) fn new(
        reply: Reply,
        host: String,
        cancels: [Cancel; 2],
        timeout: Duration,
        runtime: Arc<Runtime>,
    ) -> Self {
        Self { reply, rest: Vec::new(), taken: 0, host, cancels, timeout, runtime }
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.rest.len() {
            let waiting = wait(&self.cancels, self.timeout, self.reply.chunk());
            let piece = match self.runtime.block_on(waiting) {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) => return Ok(0),
                Ok(Err(error)) => return Err(io::Error::other(of_transport(error))),
                Err(trouble) => {
                    let message = if trouble == FetchErrorKind::Stalled {
                        "timed out waiting for data"
                    } else {
                        "interrupted"
                    };
                    return Err(io::Error::other(FetchError::new(trouble, &self.host, message)));
                }
            };
            let piece = piece.as_ref();
            // Most pieces fit, and are copied once.
            let fits = piece.len().min(buffer.len());
            buffer[..fits].copy_from_slice(&piece[..fits]);
            self.rest.clear();
            self.rest.extend_from_slice(&piece[fits..]);
            self.taken = 0;
            if fits > 0 {
                return Ok(fits);
            }
        }
        let count = buffer.len().min(self.rest.len() - self.taken);
        buffer[..count].copy_from_slice(&self.rest[self.taken..][..count]);
        self.taken += count;
        Ok(count)
    }
}
