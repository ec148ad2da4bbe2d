//! The bytes of one tensor, where they lie.

use super::LoadError;
use super::file::ModelFile;

/// The data of one tensor: pieces of files or of memory, one after the other.
///
/// Nothing of a file is read before it is asked for, and several threads may read at once.
#[derive(Debug, Default)]
pub struct TensorData<'a> {
    pieces: Vec<Piece<'a>>,
    len: u64,
}

#[derive(Debug)]
struct Piece<'a> {
    /// Where the piece begins in the tensor.
    start: u64,
    len: u64,
    content: Content<'a>,
}

#[derive(Debug)]
enum Content<'a> {
    File { file: &'a ModelFile, offset: u64 },
    Memory(Vec<u8>),
}

impl<'a> TensorData<'a> {
    /// Takes bytes that are in memory already.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        let len = bytes.len() as u64;
        Self { pieces: vec![Piece { start: 0, len, content: Content::Memory(bytes) }], len }
    }

    /// Adds `len` bytes of a file from `offset` on.
    pub(super) fn with_file(mut self, file: &'a ModelFile, offset: u64, len: u64) -> Self {
        self.pieces.push(Piece { start: self.len, len, content: Content::File { file, offset } });
        self.len += len;
        self
    }

    /// Bytes in all.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// When they lie outside the tensor, or a file cannot be read.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), LoadError> {
        let end = offset.checked_add(buffer.len() as u64).filter(|&end| end <= self.len);
        let Some(end) = end else {
            let problem = format!("{} bytes at {offset} lie outside its {} bytes", buffer.len(), self.len);
            return Err(LoadError::new("tensor data", problem));
        };
        for piece in &self.pieces {
            let from = offset.max(piece.start);
            let to = end.min(piece.start + piece.len);
            if from < to {
                let part = &mut buffer[(from - offset) as usize..(to - offset) as usize];
                piece.read_at(from - piece.start, part)?;
            }
        }
        Ok(())
    }

    /// Reads all of it.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or the machine cannot address so many bytes.
    pub fn into_bytes(mut self) -> Result<Vec<u8>, LoadError> {
        if let [Piece { content: Content::Memory(bytes), .. }] = self.pieces.as_mut_slice() {
            return Ok(std::mem::take(bytes));
        }
        let len = usize::try_from(self.len)
            .map_err(|error| LoadError::caused("tensor data", "is too long for this machine", error))?;
        let mut bytes = vec![0; len];
        self.read_at(0, &mut bytes)?;
        Ok(bytes)
    }
}

impl Piece<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), LoadError> {
        match &self.content {
            Content::File { file, offset: start } => file.read_exact_at(buffer, start + offset),
            Content::Memory(bytes) => {
                buffer.copy_from_slice(&bytes[offset as usize..][..buffer.len()]);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use stack_seal::verified::Pass;

    use super::*;

    #[test]
    fn ranges_cross_pieces() {
        let file = ModelFile::new(Path::new("built-in"), Arc::new(Pass::compiled_in(b"abcdefgh"))).unwrap();
        let data = TensorData::default().with_file(&file, 4, 2).with_file(&file, 0, 3);
        let mut buffer = [0; 3];
        data.read_at(1, &mut buffer).unwrap();
        assert_eq!(&buffer, b"fab");
        assert!(data.read_at(3, &mut buffer).is_err());
        assert!(data.read_at(u64::MAX, &mut buffer).is_err());
        assert_eq!(data.into_bytes().unwrap(), b"efabc");
    }

    #[test]
    fn bytes_in_memory_are_given_back() {
        let data = TensorData::from_bytes(b"xyz".to_vec());
        let mut buffer = [0; 2];
        data.read_at(1, &mut buffer).unwrap();
        assert_eq!((&buffer, data.len(), data.is_empty()), (b"yz", 3, false));
        assert_eq!(data.into_bytes().unwrap(), b"xyz");
    }
}
