//! Where the bytes of a package come from.

use std::io;

/// The bytes of a package by position: a file, several volumes, or what a sealed file holds.
pub trait PackageSource {
    /// Bytes in all.
    fn length(&self) -> u64;

    /// Fills the buffer with the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// When they are not all there, or not what they should be.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

/// A package in memory.
impl PackageSource for &[u8] {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        let bytes = rest.and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// What a sealed package holds, each byte authenticated before it is handed out. Whoever sealed it is not known by that:
/// its list and its signatures are judged like those of any package.
impl PackageSource for stack_seal::age::UnlockedFile {
    fn length(&self) -> u64 {
        self.len()
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        Self::read_exact_at(self, buffer, offset)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}
