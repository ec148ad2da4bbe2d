//! One process writes to a log.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::StoreError;

/// The right to write to a log, until it is dropped or its process ends.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the file is held, not used")] File);

impl Lock {
    /// Takes it, and waits at most so long for whoever has it.
    pub(super) fn take(path: &Path, patience: Duration) -> Result<Self, StoreError> {
        let io = |source: io::Error| StoreError::Io { path: path.to_owned(), source };
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.map_err(io)?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if began.elapsed() < patience => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { path: path.to_owned() }),
                Err(TryLockError::Error(source)) => return Err(io(source)),
            }
        }
    }
}

/// SQLite's WAL needs memory that is shared between processes, and `flock` that holds.
#[cfg(target_os = "linux")]
pub(super) fn refuse_network_file_system(folder: &Path) -> Result<(), StoreError> {
    /// NFS, SMB 1 to 3, CIFS, AFS, 9P, Ceph and CODA, as `statfs(2)` names them.
    const NETWORK: [u32; 8] =
        [0x6969, 0x517b, 0xfe53_4d42, 0xff53_4d42, 0x5346_414f, 0x0102_1997, 0x00c3_6400, 0x7375_7245];
    let found = rustix::fs::statfs(folder);
    let found = found.map_err(|error| StoreError::Io { path: folder.to_owned(), source: error.into() })?;
    if NETWORK.contains(&(found.f_type as u32)) {
        return Err(StoreError::NetworkFileSystem { path: folder.to_owned() });
    }
    Ok(())
}

/// Other systems do not say so in one way.
#[cfg(not(target_os = "linux"))]
pub(super) fn refuse_network_file_system(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

const PAUSE: Duration = Duration::from_millis(5);
