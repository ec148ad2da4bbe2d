//! Room that is set aside, so that what frees a full disk can be written down.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

/// One MiB that nobody else can take.
#[derive(Clone, Debug)]
pub(crate) struct Reserve(PathBuf);

impl Reserve {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Takes the room, unless it is taken already.
    pub(crate) fn take(&self) -> io::Result<()> {
        if fs::metadata(&self.0).is_ok_and(|found| found.len() == SIZE) {
            return Ok(());
        }
        // What was written counts, not what was promised: a sparse file reserves nothing.
        let taken = File::create(&self.0).and_then(|mut file| {
            for _ in 0..SIZE / BLOCK.len() as u64 {
                file.write_all(&BLOCK)?;
            }
            file.sync_all()
        });
        if taken.is_err() {
            // Half a reserve would only make the disk fuller.
            let _gone = fs::remove_file(&self.0);
        }
        taken
    }

    /// Gives the room back.
    pub(crate) fn release(&self) -> io::Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

const SIZE: u64 = 1 << 20;
const BLOCK: [u8; 4096] = [0; 4096];
