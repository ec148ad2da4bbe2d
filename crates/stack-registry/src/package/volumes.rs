//! A package as one file, or cut into volumes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use stack_seal::digest::Sha256Hasher;

use super::{PackageError, PackageSource};

/// The files of a package, read as one.
#[derive(Debug)]
pub struct Volumes {
    files: Vec<(u64, File)>,
    length: u64,
}

impl Volumes {
    /// Opens a package by the path of its file, of any of its volumes, or of what its volumes were cut from.
    ///
    /// # Errors
    ///
    /// When a file or a volume is missing.
    pub fn open(path: &Path) -> Result<Self, PackageError> {
        let mut volumes = Self { files: Vec::new(), length: 0 };
        let base = match base_of(path) {
            Some(base) => base,
            None if path.exists() => {
                volumes.add(path)?;
                return Ok(volumes);
            }
            None => path.to_owned(),
        };
        let first = volume(&base, 1);
        if !first.exists() {
            return Err(PackageError::NoVolume { path: if base == path { base } else { first } });
        }
        // The list of sums says how many there are; without it, they end where the next is missing.
        let listed = fs::read_to_string(sums(&base)).ok().map(|text| text.lines().count());
        for number in 1..=VOLUMES_MAX {
            let path = volume(&base, number);
            match listed {
                Some(count) if number > count => break,
                None if !path.exists() => break,
                _ => volumes.add(&path)?,
            }
        }
        Ok(volumes)
    }

    /// Whether the bytes are an age file, which must be opened before it can be read.
    pub fn is_sealed(&self) -> bool {
        let mut start = [0; AGE.len()];
        self.read_exact_at(&mut start, 0).is_ok() && start == *AGE
    }

    /// Gives away the file of a package that is one file.
    pub fn into_file(mut self) -> Option<File> {
        let (_, file) = self.files.pop()?;
        self.files.is_empty().then_some(file)
    }

    fn add(&mut self, path: &Path) -> Result<(), PackageError> {
        let opening = || PackageError::io(format!("opening {}", path.display()));
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(PackageError::NoVolume { path: path.to_owned() });
            }
            Err(error) => return Err(opening()(error)),
        };
        let metadata = file.metadata().map_err(opening())?;
        if !metadata.is_file() {
            return Err(PackageError::bad(format!("{} is not a regular file", path.display())));
        }
        self.files.push((self.length, file));
        self.length = self.length.saturating_add(metadata.len());
        Ok(())
    }
}

impl PackageSource for Volumes {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            let index = self.files.partition_point(|(start, _)| *start <= offset).saturating_sub(1);
            let (start, file) = self.files.get(index).ok_or(io::ErrorKind::UnexpectedEof)?;
            let end = self.files.get(index + 1).map_or(self.length, |(next, _)| *next);
            let here = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX).min(buffer.len());
            if here == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let (now, later) = buffer.split_at_mut(here);
            file.read_exact_at(now, offset - start)?;
            offset += here as u64;
            buffer = later;
        }
        Ok(())
    }
}

/// Writes a package into one file, or into volumes of a length with a list of their sums.
///
/// Files that exist are never overwritten. What was written is removed again unless [`VolumeWriter::finish`] is reached.
#[derive(Debug)]
pub struct VolumeWriter {
    base: PathBuf,
    bytes_max: Option<u64>,
    files: Vec<PathBuf>,
    sums: String,
    current: Option<Current>,
    finished: bool,
}

#[derive(Debug)]
struct Current {
    file: File,
    name: String,
    bytes: u64,
    hasher: Sha256Hasher,
}

impl VolumeWriter {
    /// Begins at `path`. With a limit, volumes `path.001`, `path.002`, … of at most that many bytes are written.
    pub fn new(path: &Path, bytes_max: Option<u64>) -> Self {
        let base = path.to_owned();
        Self { base, bytes_max, files: Vec::new(), sums: String::new(), current: None, finished: false }
    }

    /// Syncs everything and returns the paths of all files.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn finish(mut self) -> io::Result<Vec<PathBuf>> {
        self.close()?;
        if self.bytes_max.is_some() {
            let path = sums(&self.base);
            let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
            self.files.push(path);
            file.write_all(self.sums.as_bytes())?;
            file.sync_all()?;
        }
        let folder = self.base.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
        self.finished = true;
        Ok(std::mem::take(&mut self.files))
    }

    fn close(&mut self) -> io::Result<()> {
        if let Some(Current { file, name, hasher, .. }) = self.current.take() {
            file.sync_all()?;
            // The form that `sha256sum -c` reads.
            self.sums.extend([&hasher.finish().hex(), "  ", &name, "\n"]);
        }
        Ok(())
    }

    fn next(&mut self) -> io::Result<Current> {
        let number = self.files.len() + 1;
        if number > VOLUMES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the package needs more than 999 volumes",
            ));
        }
        let path = if self.bytes_max.is_some() { volume(&self.base, number) } else { self.base.clone() };
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.files.push(path);
        Ok(Current { file, name, bytes: 0, hasher: Sha256Hasher::new() })
    }
}

impl Write for VolumeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let bytes_max = self.bytes_max.unwrap_or(u64::MAX).max(1);
        if self.current.as_ref().is_some_and(|current| current.bytes == bytes_max) {
            self.close()?;
        }
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.next()?,
        };
        let room = usize::try_from(bytes_max - current.bytes).unwrap_or(usize::MAX);
        let written = current.file.write(&bytes[..bytes.len().min(room)])?;
        if self.bytes_max.is_some() {
            current.hasher.update(&bytes[..written]);
        }
        current.bytes += written as u64;
        self.current = Some(current);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for VolumeWriter {
    fn drop(&mut self) {
        if !self.finished {
            for path in &self.files {
                // Half a package helps nobody; if it cannot be removed, its list will tell.
                let _stays = fs::remove_file(path);
            }
        }
    }
}

/// `F.stackpkg.007` is a volume of `F.stackpkg`.
fn base_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let (base, number) = name.rsplit_once('.')?;
    let is_number = number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_number || number == "sums").then(|| path.with_file_name(base))
}

fn volume(base: &Path, number: usize) -> PathBuf {
    appended(base, &format!(".{number:03}"))
}

fn sums(base: &Path) -> PathBuf {
    appended(base, ".sums")
}

fn appended(base: &Path, ending: &str) -> PathBuf {
    let mut path = base.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// How every age file begins.
const AGE: &[u8; 21] = b"age-encryption.org/v1";
const VOLUMES_MAX: usize = 999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_cuts_that_read_as_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.stackpkg");
        let bytes: Vec<u8> = (0..=255).collect();
        let mut writer = VolumeWriter::new(&path, Some(100));
        writer.write_all(&bytes).unwrap();
        let files = writer.finish().unwrap();
        let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.stackpkg.001", "a.stackpkg.002", "a.stackpkg.003", "a.stackpkg.sums"]);
        for way in [&path, &files[0], &files[2], &files[3]] {
            let volumes = Volumes::open(way).unwrap();
            let mut read = vec![0; 156];
            volumes.read_exact_at(&mut read, 100).unwrap();
            assert_eq!((volumes.length(), &read[..]), (256, &bytes[100..]));
            assert!(volumes.read_exact_at(&mut read, 101).is_err());
        }
        fs::remove_file(&files[2]).unwrap();
        assert_eq!(Volumes::open(&path).unwrap_err().code(), "no-such-file");
    }

    #[test]
    fn what_is_not_finished_is_removed_and_what_exists_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.stackpkg");
        let mut writer = VolumeWriter::new(&path, None);
        writer.write_all(b"half").unwrap();
        drop(writer);
        assert!(!path.exists());
        fs::write(&path, b"mine").unwrap();
        assert!(VolumeWriter::new(&path, None).write_all(b"other").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }
}
