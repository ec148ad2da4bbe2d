//! Files that are whole or not there, and that only their owner reads.
//!
//! The store has writes of its own (`stack_registry::store::Disk`): those go beneath handles of its folders, and a test
//! can put a disk there that crashes. Here is the same promise for one file anywhere, with a mode that its writer chooses.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileMode {
    /// Its owner alone: 0600.
    Private,
    /// Everybody on the machine: 0644.
    Public,
}

/// A file that is being written beside its place. It takes the place when it is whole; dropped before, it is removed.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    part: PathBuf,
    file: File,
    finished: bool,
}

impl NewFile {
    /// Opens an empty file for what is to lie at `path`.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn create(path: &Path, mode: FileMode) -> io::Result<Self> {
        let (part, file) = new_part(path, mode)?;
        Ok(Self { path: path.to_owned(), part, file, finished: false })
    }

    /// Returns the file, to be written into.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its place, if that is free. A crash finds the file or none.
    ///
    /// # Errors
    ///
    /// With [`io::ErrorKind::AlreadyExists`] where something is there, which stays; when the disk refuses.
    pub fn finish(self) -> io::Result<()> {
        self.file.sync_all()?;
        // A hard link, unlike a rename, fails where something is.
        match fs::hard_link(&self.part, &self.path) {
            Ok(()) => fs::remove_file(&self.part)?,
            // Some file systems, such as those of sticks, have no links.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                if self.path.symlink_metadata().is_ok() {
                    return Err(io::Error::from(io::ErrorKind::AlreadyExists));
                }
                fs::rename(&self.part, &self.path)?;
            }
            Err(error) => return Err(error),
        }
        self.placed()
    }

    /// Gives the file its place, in one step, whatever is there. A crash finds the old file, the new one or none.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn replace(self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.part, &self.path)?;
        self.placed()
    }

    fn placed(mut self) -> io::Result<()> {
        self.finished = true;
        sync_folder(&folder_of(&self.path))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.finished {
            // Whoever dropped it has an error to tell already.
            let _gone = fs::remove_file(&self.part);
        }
    }
}

/// Writes a file where none may be; a crash leaves it or none, never a part.
///
/// # Errors
///
/// Those of [`NewFile::finish`].
pub fn create(path: &Path, bytes: &[u8], mode: FileMode) -> io::Result<()> {
    let new = NewFile::create(path, mode)?;
    new.file().write_all(bytes)?;
    new.finish()
}

/// Writes a file, whatever is there; a crash leaves the old one, the new one or none, never a part.
///
/// # Errors
///
/// When the disk refuses.
pub fn replace(path: &Path, bytes: &[u8], mode: FileMode) -> io::Result<()> {
    let new = NewFile::create(path, mode)?;
    new.file().write_all(bytes)?;
    new.replace()
}

/// Makes a folder, and those above it, for the owner alone; one that exists stays as it is.
///
/// # Errors
///
/// When the disk refuses.
pub fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Opens a new file beside `path`.
fn new_part(path: &Path, mode: FileMode) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut options = OpenOptions::new();
    // The header of a sealed file is read back before the file gets its name.
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(
        &mut options,
        match mode {
            FileMode::Private => 0o600,
            FileMode::Public => 0o644,
        },
    );
    #[cfg(not(unix))]
    let _platform_default = mode;
    // Parts of crashed processes may lie around; a few other names are tried.
    for attempt in 0..PARTS_MAX {
        let mut part = name.to_owned();
        part.push(format!(".{}-{attempt}.part", std::process::id()));
        let part = path.with_file_name(part);
        match options.open(&part) {
            Ok(file) => return Ok((part, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes a rename last. Only Unix opens folders as files.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// No more leftovers are stepped over.
const PARTS_MAX: u32 = 16;

/// What others on this machine may do about a secret file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Read the file.
    Readable(PathBuf),
    /// Put another in its place: they may write into the folder.
    Replaceable(PathBuf),
}

/// Finds what others may do about a secret file.
#[cfg(unix)]
pub fn exposures(path: &Path) -> Vec<Exposure> {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    let folder = folder_of(path);
    let readable = (mode(path) & 0o077 != 0).then(|| Exposure::Readable(path.to_owned()));
    let replaceable = (mode(&folder) & 0o022 != 0).then_some(Exposure::Replaceable(folder));
    readable.into_iter().chain(replaceable).collect()
}

/// Elsewhere there are no such permissions.
#[cfg(not(unix))]
pub fn exposures(_path: &Path) -> Vec<Exposure> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_replaced_or_kept_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        create(&path, b"one", FileMode::Private).unwrap();
        let error = create(&path, b"two", FileMode::Private).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        replace(&path, b"three", FileMode::Private).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no part is left");
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn what_is_not_finished_was_never_there() {
        let dir = tempfile::tempdir().unwrap();
        let new = NewFile::create(&dir.path().join("weights"), FileMode::Private).unwrap();
        new.file().write_all(b"half").unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        drop(new);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn leftovers_of_a_crash_do_not_matter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("marks.json");
        fs::write(dir.path().join(format!("marks.json.{}-0.part", std::process::id())), b"half").unwrap();
        replace(&path, b"whole", FileMode::Public).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }
}
