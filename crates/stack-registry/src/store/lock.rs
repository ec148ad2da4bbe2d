//! Locks that the kernel gives back when their holder dies.

use std::fs::File;
use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::error::StoreError;

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// With others who only share it.
    Shared,
    /// Alone.
    Alone,
}

/// Takes a lock if it is free. It is held until the file is closed.
pub(crate) fn try_lock(file: &File, hold: Hold) -> io::Result<bool> {
    let operation = match hold {
        Hold::Shared => FlockOperation::NonBlockingLockShared,
        Hold::Alone => FlockOperation::NonBlockingLockExclusive,
    };
    match flock(file, operation) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Waits for a lock that others hold for moments only.
pub(crate) fn lock(file: &File, hold: Hold, what: &'static str) -> Result<(), StoreError> {
    let mut started = None;
    while !try_lock(file, hold).map_err(StoreError::io(format!("locking {what}")))? {
        if started.get_or_insert_with(Instant::now).elapsed() > TIMEOUT {
            return Err(StoreError::Locked { what, pid: holder(file) });
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Reads which process said that it holds the lock.
fn holder(mut file: &File) -> Option<u32> {
    let mut text = String::new();
    file.by_ref().take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Long enough for any writer that is alive.
const TIMEOUT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);
