//! Sealed files at paths: where they lie, how they are opened and written, and what they must turn out to hold.

mod error;
mod record;

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use stack_registry::file_name::SEALED;
use stack_seal::age::{self, armor};

pub use error::SealedError;
pub use record::SealRecord;

use crate::private_file::{AtomicFile, FileMode};

/// Returns where the sealed form of a file lies if nobody says otherwise.
pub fn path_of(plain: &Path) -> PathBuf {
    let mut path = plain.as_os_str().to_owned();
    path.push(SEALED);
    PathBuf::from(path)
}

/// Returns where the plain form of a sealed file once lay.
pub fn plain_path_of(sealed: &Path) -> Option<PathBuf> {
    let name = sealed.file_name()?.to_str()?.strip_suffix(SEALED)?;
    Some(sealed.with_file_name(name))
}

/// Whether an age file lies at a path.
pub fn lies_at(path: &Path) -> bool {
    // To open a pipe would wait for its writer.
    fs::metadata(path).is_ok_and(|found| found.is_file())
        && File::open(path).and_then(|file| begins_sealed(&file)).unwrap_or(false)
}

/// Whether a file is an age file, armored or not, from its current position on.
///
/// # Errors
///
/// When it cannot be read.
pub fn begins_sealed(mut file: &File) -> io::Result<bool> {
    let mut start = Vec::new();
    Read::take(&mut file, START_BYTES).read_to_end(&mut start)?;
    Ok(age::is_sealed(&start) || armor::is_armored(&start))
}

/// Opens a sealed file. One that is armored, as `age -a` writes them, is unpacked into memory: it stays sealed there.
///
/// # Errors
///
/// When it cannot be read, or its armor is damaged or too long.
pub fn open(path: &Path) -> Result<File, SealedError> {
    let reading = |source| SealedError::Read { what: path.display().to_string(), source };
    let mut file = File::open(path).map_err(reading)?;
    let mut start = [0; START_BYTES as usize];
    let count = file.read(&mut start).map_err(reading)?;
    file.rewind().map_err(reading)?;
    if !armor::is_armored(&start[..count]) {
        return Ok(file);
    }
    let mut text = Vec::new();
    file.take(ARMORED_BYTES_MAX + 1).read_to_end(&mut text).map_err(reading)?;
    if text.len() as u64 > ARMORED_BYTES_MAX {
        return Err(SealedError::ArmorTooLong(path.to_owned()));
    }
    let bytes =
        armor::decode(&text).map_err(|source| SealedError::Armor { path: path.to_owned(), source })?;
    in_memory(&bytes).map_err(reading)
}

/// A file without a name that holds these bytes.
#[cfg(target_os = "linux")]
fn in_memory(bytes: &[u8]) -> io::Result<File> {
    use std::io::Write;

    use rustix::fs::{MemfdFlags, memfd_create};
    let mut file = File::from(memfd_create("age", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

/// Elsewhere such a file has no place.
#[cfg(not(target_os = "linux"))]
fn in_memory(_bytes: &[u8]) -> io::Result<File> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "armored files are opened on Linux only"))
}

/// Begins a file where none may be: neither a terminal nor anything else that is there is written into. Sealed bytes
/// may be [`FileMode::Public`]; plain ones are for their owner.
///
/// # Errors
///
/// When the place is taken, or the disk refuses.
pub fn new_file(path: &Path, mode: FileMode) -> Result<AtomicFile, SealedError> {
    if path == Path::new("-") || path.symlink_metadata().is_ok() {
        return Err(SealedError::Exists(path.to_owned()));
    }
    AtomicFile::create(path, mode).map_err(|source| SealedError::Write { path: path.to_owned(), source })
}

/// Gives a new file its place, if that is still free.
///
/// # Errors
///
/// When it is taken, or the disk refuses.
pub fn finish(new: AtomicFile, path: &Path) -> Result<(), SealedError> {
    new.finish().map_err(|source| SealedError::writing_new(path, source))
}

/// Makes a folder where none may be, for plain files.
///
/// # Errors
///
/// When the place is taken, or the disk refuses.
pub fn new_folder(path: &Path) -> Result<(), SealedError> {
    fs::create_dir(path).map_err(|source| SealedError::writing_new(path, source))
}

/// Enough to know an age file.
const START_BYTES: u64 = 64;
/// Armored files are unpacked as a whole, and models have no reason to be armored.
const ARMORED_BYTES_MAX: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_sealed_files_lie_side_by_side() {
        let plain = Path::new("models/m.gguf");
        assert_eq!(path_of(plain), Path::new("models/m.gguf.age"));
        assert_eq!(plain_path_of(&path_of(plain)).as_deref(), Some(plain));
        assert_eq!(plain_path_of(plain), None);
    }

    #[test]
    fn what_is_there_is_never_written_into() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.gguf");
        fs::write(&path, b"mine").unwrap();
        assert!(matches!(new_file(&path, FileMode::Private), Err(SealedError::Exists(_))));
        assert!(matches!(new_file(Path::new("-"), FileMode::Private), Err(SealedError::Exists(_))));
        assert!(matches!(new_folder(dir.path()), Err(SealedError::Exists(_))));
        let other = dir.path().join("n.gguf");
        let new = new_file(&other, FileMode::Private).unwrap();
        fs::write(&other, b"somebody else's").unwrap();
        assert!(matches!(finish(new, &other), Err(SealedError::Exists(_))));
        assert_eq!(fs::read(&other).unwrap(), b"somebody else's");
    }
}
