//! Where a pass gets plain bytes from.

use std::io;

use super::Breach;
use crate::age::UnlockedFile;
use crate::digest::SpanTree;
use crate::file::PositionedFile;

/// Plain bytes by span.
#[derive(Debug)]
pub(super) enum Source {
    /// A file whose bytes are the plain ones.
    Plain(PositionedFile),
    /// An age file that was unlocked.
    Sealed(UnlockedFile),
    /// Bytes of the program.
    Memory(&'static [u8]),
}

impl Source {
    /// Returns the number of plain bytes.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Plain(file) => file.len(),
            Self::Sealed(file) => file.len(),
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// Fills `buffer`, which has the length of span `index`, with that span.
    pub(super) fn read_span(&self, tree: SpanTree, index: usize, buffer: &mut [u8]) -> Result<(), Breach> {
        let bytes = tree.range(index);
        match self {
            Self::Plain(file) => {
                file.read_exact_at(buffer, bytes.start).map_err(|source| Breach::Io { bytes, source })
            }
            Self::Sealed(file) => file.read_span(index, buffer).map_err(Breach::Payload),
            Self::Memory(memory) => {
                buffer.copy_from_slice(&memory[bytes.start as usize..bytes.end as usize]);
                Ok(())
            }
        }
    }

    /// Tells whether the file is still the one that was opened.
    pub(super) fn unchanged(&self) -> io::Result<bool> {
        match self {
            Self::Plain(file) => file.unchanged(),
            Self::Sealed(file) => file.unchanged(),
            Self::Memory(_) => Ok(true),
        }
    }
}
