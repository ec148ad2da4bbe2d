//! Logs on disks: written, killed, damaged, forged, erased, exported.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

mod crashes;
mod damage;
mod erasure;
mod export;
mod forgery;
mod log;
mod power;
mod sharing;
mod support;
