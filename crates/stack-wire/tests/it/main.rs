//! The codecs from outside: bytes in, events out, and requests as they leave.

#![expect(clippy::unwrap_used, reason = "a helper that fails must fail the test")]

mod opaque;
mod provider;
