//! Files that are whole or not there, and that only their owner reads.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::terminal::output::talk;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Its owner.
    Owner,
    /// Whoever the system lets.
    Everyone,
}

/// What happens to a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It is replaced, in one step.
    Replace,
    /// It stays, and the write fails with [`io::ErrorKind::AlreadyExists`].
    Keep,
}

/// A file that is being written beside its place. It takes the place when it is whole; dropped before, it is removed.
#[derive(Debug)]
pub(crate) struct NewFile {
    path: PathBuf,
    part: PathBuf,
    file: File,
    finished: bool,
}

impl NewFile {
    /// Opens an empty file for what is to lie at `path`.
    pub(crate) fn create(path: &Path, readers: Readers) -> io::Result<Self> {
        let (part, file) = new_part(path, readers)?;
        Ok(Self { path: path.to_owned(), part, file, finished: false })
    }

    /// Returns the file, to be written into.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its place, where a crash finds the old file, the new one or none.
    pub(crate) fn finish(mut self, existing: Existing) -> io::Result<()> {
        self.file.sync_all()?;
        match existing {
            Existing::Replace => fs::rename(&self.part, &self.path)?,
            // A hard link, unlike a rename, fails where something is.
            Existing::Keep => match fs::hard_link(&self.part, &self.path) {
                Ok(()) => fs::remove_file(&self.part)?,
                // Some file systems, such as those of sticks, have no links.
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    if self.path.symlink_metadata().is_ok() {
                        return Err(io::Error::from(io::ErrorKind::AlreadyExists));
                    }
                    fs::rename(&self.part, &self.path)?;
                }
                Err(error) => return Err(error),
            },
        }
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

/// Writes a file so that a crash leaves the old one, the new one or none, never a part.
pub(crate) fn write(path: &Path, bytes: &[u8], readers: Readers, existing: Existing) -> io::Result<()> {
    let new = NewFile::create(path, readers)?;
    new.file().write_all(bytes)?;
    new.finish(existing)
}

/// Makes a folder, and those above it, for the owner alone; one that exists stays as it is.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
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
fn new_part(path: &Path, readers: Readers) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut options = OpenOptions::new();
    // The header of a sealed file is read back before the file gets its name.
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(
        &mut options,
        match readers {
            Readers::Owner => 0o600,
            Readers::Everyone => 0o644,
        },
    );
    #[cfg(not(unix))]
    let _platform_default = readers;
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

/// Warns where others may read a secret file, or put another in its place.
#[cfg(unix)]
pub(crate) fn warn_of_readers(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    let shown = path.display();
    if mode(path) & 0o077 != 0 {
        talk(format!(
            "warning: {shown} can be read by others on this machine; `chmod 0600 {shown}` ends that"
        ));
    }
    let folder = folder_of(path);
    if mode(&folder) & 0o022 != 0 {
        let folder = folder.display();
        talk(format!(
            "warning: others on this machine may write into {folder}; `chmod 0700 {folder}` ends that"
        ));
    }
}

/// Elsewhere there are no such permissions.
#[cfg(not(unix))]
pub(crate) fn warn_of_readers(_path: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_replaced_or_kept_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        write(&path, b"one", Readers::Owner, Existing::Keep).unwrap();
        let error = write(&path, b"two", Readers::Owner, Existing::Keep).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write(&path, b"three", Readers::Owner, Existing::Replace).unwrap();
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
        let new = NewFile::create(&dir.path().join("weights"), Readers::Owner).unwrap();
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
        write(&path, b"whole", Readers::Everyone, Existing::Replace).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }
}
