//! Sessions on real logs and real folders, with scripted models.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

mod crashes;
mod files;
mod limits;
mod replays;
mod sessions;
mod support;
