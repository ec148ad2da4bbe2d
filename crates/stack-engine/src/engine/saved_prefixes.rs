//! What an engine keeps of prompts, as a file that is read from it and one that is handed to it.

use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver};

use super::Engine;
use super::job::Job;
use super::prefix_file::{Origin, PrefixFileError, PrefixReader};
use super::worker::{RestoreJob, SaveJob};

/// The bytes of a file of prefixes, as they are made.
pub struct PrefixFile {
    /// Bytes that are still to come.
    left: u64,
    bytes: Receiver<Vec<u8>>,
    part: io::Cursor<Vec<u8>>,
}

/// What became of a file of prefixes.
#[derive(Debug)]
pub struct PrefixOutcome {
    /// Tokens of prompts that need not be computed again.
    pub tokens: usize,
    /// Why the file was not used to its end.
    pub problem: Option<PrefixFileError>,
}

impl PrefixFile {
    /// The length of the file, less what was read of it.
    pub fn len(&self) -> u64 {
        self.left
    }

    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }
}

impl Read for PrefixFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.part.read(buffer)?;
            if read > 0 || self.left == 0 || buffer.is_empty() {
                self.left -= read as u64;
                return Ok(read);
            }
            let next = self.bytes.recv();
            self.part = io::Cursor::new(next.map_err(|_| io::ErrorKind::UnexpectedEof)?);
        }
    }
}

impl Engine {
    /// Hands out what it keeps of prompts, no more than so many bytes, in a form that the same `build` of the program takes
    /// back for the same model. `None` if there is nothing, or nothing that can be kept in a file.
    pub(crate) fn saved_prefixes(&self, build: &str, bytes_max: u64) -> Option<PrefixFile> {
        let origin = self.origin(build)?;
        let (length, announced) = mpsc::sync_channel(1);
        let (sender, bytes) = mpsc::sync_channel(PARTS);
        self.submit(Job::Save(SaveJob { origin, bytes_max, length, bytes: sender })).ok()?;
        let left = announced.recv().ok()?;
        Some(PrefixFile { left, bytes, part: io::Cursor::default() })
    }

    /// Takes back what was handed out before.
    pub(crate) fn restore_prefixes(&self, build: &str, from: impl Read) -> PrefixOutcome {
        let mut tokens = 0;
        let problem = self.restore(build, from, &mut tokens).err();
        PrefixOutcome { tokens, problem }
    }

    fn restore(&self, build: &str, from: impl Read, tokens: &mut usize) -> Result<(), PrefixFileError> {
        let Some(origin) = self.origin(build) else { return Err(PrefixFileError::OtherOrigin) };
        let mut reader = PrefixReader::new(from, &origin, self.model.context)?;
        let (sender, entries) = mpsc::sync_channel(PARTS);
        let mut is_taken = self.submit(Job::Restore(RestoreJob { entries })).is_ok();
        while is_taken && let Some(entry) = reader.next()? {
            *tokens += entry.tokens.len() - entry.shared;
            is_taken = sender.send(entry).is_ok();
        }
        Ok(())
    }

    fn origin(&self, build: &str) -> Option<Origin> {
        let form = self.model.pages?;
        let [model, build, cache] =
            [self.model.card.digest.clone()?, build.to_owned(), form.cache.to_string()];
        Some(Origin { model, build, cache, page_bytes: form.bytes })
    }
}

/// Entries that are made or read ahead.
const PARTS: usize = 2;
