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

/// A file that is being written beside its place. It takes the place when it is whole; dropped before, it is gone.
///
/// Where the disk can do that it has no name until then, so that whatever ends the process (a signal, a crash of the
/// machine) leaves nothing of it: what is decrypted must not stay behind in parts.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    file: File,
    /// The name that it has meanwhile, if it needs one.
    part: Option<PathBuf>,
}

impl AtomicFile {
    /// Opens an empty file for what is to lie at `path`.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn create(path: &Path, mode: FileMode) -> io::Result<Self> {
        if let Some(file) = nameless(&folder_of(path), mode) {
            return Ok(Self { path: path.to_owned(), file, part: None });
        }
        let (part, file) = with_part_name(path, |part| options(mode).create_new(true).open(part))?;
        Ok(Self { path: path.to_owned(), file, part: Some(part) })
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
    pub fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let Some(part) = &self.part else {
            link(&self.file, &self.path)?;
            return sync_folder(&folder_of(&self.path));
        };
        // A hard link, unlike a rename, fails where something is.
        match fs::hard_link(part, &self.path) {
            Ok(()) => fs::remove_file(part)?,
            // Some file systems, such as those of sticks, have no links.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                if self.path.symlink_metadata().is_ok() {
                    return Err(io::Error::from(io::ErrorKind::AlreadyExists));
                }
                fs::rename(part, &self.path)?;
            }
            Err(error) => return Err(error),
        }
        self.part = None;
        sync_folder(&folder_of(&self.path))
    }

    /// Gives the file its place, in one step, whatever is there. A crash finds the old file, the new one or none.
    ///
    /// # Errors
    ///
    /// When the disk refuses.
    pub fn replace(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        // Only what has a name can be renamed over another file.
        let part = match self.part.take() {
            Some(part) => part,
            None => with_part_name(&self.path, |part| link(&self.file, part))?.0,
        };
        fs::rename(self.part.insert(part), &self.path)?;
        self.part = None;
        sync_folder(&folder_of(&self.path))
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            // Whoever dropped it has an error to tell already.
            let _gone = fs::remove_file(part);
        }
    }
}

/// Writes a file where none may be; a crash leaves it or none, never a part.
///
/// # Errors
///
/// Those of [`AtomicFile::finish`].
pub fn create(path: &Path, bytes: &[u8], mode: FileMode) -> io::Result<()> {
    let new = AtomicFile::create(path, mode)?;
    new.file().write_all(bytes)?;
    new.finish()
}

/// Writes a file, whatever is there; a crash leaves the old one, the new one or none, never a part.
///
/// # Errors
///
/// When the disk refuses.
pub fn replace(path: &Path, bytes: &[u8], mode: FileMode) -> io::Result<()> {
    let new = AtomicFile::create(path, mode)?;
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

/// How new files are opened.
fn options(mode: FileMode) -> OpenOptions {
    let mut options = OpenOptions::new();
    // The header of a sealed file is read back before the file gets its name.
    options.read(true).write(true);
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
    options
}

/// Opens a file in a folder that has no name, if the disk can do that and the file can be given one later.
#[cfg(target_os = "linux")]
fn nameless(folder: &Path, mode: FileMode) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::TMPFILE.bits().cast_signed();
    let file = options(mode).custom_flags(flags).open(folder).ok()?;
    // Containers may have no /proc, through which alone it gets its name.
    link_of(&file).symlink_metadata().ok()?;
    Some(file)
}

/// Elsewhere every file has a name.
#[cfg(not(target_os = "linux"))]
fn nameless(_folder: &Path, _mode: FileMode) -> Option<File> {
    None
}

/// Gives an open file without a name one that nothing has.
#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    Ok(linkat(CWD, link_of(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(not(target_os = "linux"))]
fn link(_file: &File, _path: &Path) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// Where the system shows an open file of this process.
#[cfg(target_os = "linux")]
fn link_of(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(file)))
}

/// Takes a name beside `path` that nothing has. Parts of crashed processes may lie around; a few others are tried.
fn with_part_name<T>(path: &Path, take: impl Fn(&Path) -> io::Result<T>) -> io::Result<(PathBuf, T)> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    for attempt in 0..PARTS_MAX {
        let mut part = name.to_owned();
        part.push(format!(".{}-{attempt}.part", std::process::id()));
        let part = path.with_file_name(part);
        match take(&part) {
            Ok(taken) => return Ok((part, taken)),
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

/// What others on this machine may do about a file that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Read the file, which is secret.
    Readable(PathBuf),
    /// Write into the file, which is believed.
    Writable(PathBuf),
    /// Put another in its place: they may write into the folder.
    Replaceable(PathBuf),
}

/// Finds what others may do about a secret file.
pub fn exposures(path: &Path) -> Vec<Exposure> {
    let readable = (mode(path) & 0o077 != 0).then(|| Exposure::Readable(path.to_owned()));
    readable.into_iter().chain(replaceable(path)).collect()
}

/// Finds what others may do about a file that is no secret, and whose words count.
pub fn tamperings(path: &Path) -> Vec<Exposure> {
    let writable = (mode(path) & 0o022 != 0).then(|| Exposure::Writable(path.to_owned()));
    writable.into_iter().chain(replaceable(path)).collect()
}

fn replaceable(path: &Path) -> Option<Exposure> {
    let folder = folder_of(path);
    (path.exists() && mode(&folder) & 0o022 != 0).then_some(Exposure::Replaceable(folder))
}

/// The permissions of a file; none where it is not there.
#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode())
}

/// Elsewhere there are no such permissions.
#[cfg(not(unix))]
fn mode(_path: &Path) -> u32 {
    0
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
        let path = dir.path().join("weights");
        let names = || fs::read_dir(dir.path()).unwrap().count();
        let mut new = AtomicFile::create(&path, FileMode::Private).unwrap();
        new.file().write_all(b"half").unwrap();
        if new.part.is_none() {
            assert_eq!(names(), 0, "a process that is killed leaves nothing");
            // As it is on disks that know names only.
            let (part, file) = with_part_name(&path, |part| File::create_new(part)).unwrap();
            new = AtomicFile { path: path.clone(), file, part: Some(part) };
        }
        assert_eq!(names(), 1);
        drop(new);
        assert_eq!(names(), 0);
    }

    #[test]
    fn files_with_a_name_meanwhile_end_as_those_without() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let named = |bytes: &[u8]| {
            let (part, file) = with_part_name(&path, |part| File::create_new(part)).unwrap();
            let new = AtomicFile { path: path.clone(), file, part: Some(part) };
            new.file().write_all(bytes).unwrap();
            new
        };
        named(b"one").finish().unwrap();
        assert_eq!(named(b"two").finish().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        named(b"three").replace().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no part is left");
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
