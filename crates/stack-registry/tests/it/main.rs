//! The store as its users see it: what it keeps, whatever happens to the disk or comes from outside.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

mod adoption;
mod crash_disk;
mod crashes;
mod packages;
mod store;

/// Makes a folder for a test, in memory where the system has such a place: thousands of syncs are waited for here.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
