//! Request bodies, read whole.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use axum::extract::{FromRequest, Request};
use axum::http::header;
use futures_core::Stream;
use stack_chat::Failure;

use crate::error::ApiError;
use crate::server::Server;
use crate::waits::Waits;

/// A body that came in completely, in time, and is not too long. What it says of its type does not matter.
pub(crate) struct WholeBody(Vec<u8>);

impl FromRequest<Arc<Server>> for WholeBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, server: &Arc<Server>) -> Result<Self, ApiError> {
        let coding = request.headers().get(header::CONTENT_ENCODING);
        if coding
            .is_some_and(|coding| !coding.is_empty() && !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
        {
            return Err(ApiError::CompressedBody);
        }
        let limit = server.options.body_bytes_max;
        let waits_for_leave = request.headers().contains_key(header::EXPECT);
        let declared = request.headers().get(header::CONTENT_LENGTH);
        let declared = declared.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if waits_for_leave && declared.is_some_and(|length| length > limit) {
            return Err(ApiError::LongBody { limit });
        }
        let waits = request.extensions().get::<Waits>().cloned();
        let mut stream = request.into_body().into_data_stream();
        let read = tokio::time::timeout(server.options.body_timeout, read(&mut stream, limit));
        let read = match waits {
            Some(waits) => waits.on(read).await,
            None => read.await,
        };
        match read {
            Ok(body) => body.map(Self),
            Err(_elapsed) => Err(ApiError::SlowBody),
        }
    }
}

impl WholeBody {
    /// Parses the body. A long one is parsed on a thread of its own, where it holds nobody up.
    pub(crate) async fn parse<T: Send + 'static>(
        self,
        parser: impl FnOnce(&[u8]) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, ApiError> {
        if self.0.len() <= QUICK_BYTES { Ok(parser(&self.0)?) } else { self.parse_apart(parser).await }
    }

    /// Parses the body on a thread of its own, however short it is: what it refers to may be long.
    pub(crate) async fn parse_apart<T: Send + 'static>(
        self,
        parser: impl FnOnce(&[u8]) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, ApiError> {
        let Self(body) = self;
        match tokio::task::spawn_blocking(move || parser(&body)).await {
            Ok(parsed) => Ok(parsed?),
            Err(_panicked) => Err(ApiError::Panic),
        }
    }
}

/// Reads what nobody wants, no more than so many bytes of it.
pub(crate) async fn discard(body: Body, bytes_max: usize) {
    let (mut stream, mut length) = (body.into_data_stream(), 0);
    while length <= bytes_max {
        match poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await {
            Some(Ok(chunk)) => length += chunk.len(),
            Some(Err(_)) | None => return,
        }
    }
}

/// Reads up to `limit` bytes. Of a longer body a few times as much is read and thrown away: most clients look at the
/// response only once they have sent everything.
async fn read(stream: &mut BodyDataStream, limit: usize) -> Result<Vec<u8>, ApiError> {
    let (mut body, mut length) = (Vec::new(), 0_usize);
    while let Some(chunk) = poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await {
        let Ok(chunk) = chunk else { return Err(ApiError::BrokenBody) };
        length += chunk.len();
        if length <= limit {
            body.extend_from_slice(&chunk);
        } else {
            body = Vec::new();
        }
        if length > limit.saturating_mul(4) {
            break;
        }
    }
    if length > limit { Err(ApiError::LongBody { limit }) } else { Ok(body) }
}

/// A body of this length is parsed in well under a millisecond.
const QUICK_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn a_long_body_and_one_that_may_refer_to_much_are_parsed_on_another_thread() {
        let thread = |_: &[u8]| Ok(thread::current().id());
        let here = thread::current().id();
        let short = || WholeBody(b"{}".to_vec());
        assert_eq!(short().parse(thread).await.unwrap(), here);
        assert_ne!(short().parse_apart(thread).await.unwrap(), here);
        assert_ne!(WholeBody(vec![b' '; QUICK_BYTES + 1]).parse(thread).await.unwrap(), here);
    }
}
