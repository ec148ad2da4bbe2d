//! The folders of a store, each held open, and what is read beneath them.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstatvfs, fsync, mkdirat, openat, statat};
use rustix::io::Errno;

use super::place::{Folder, StoreFile};

/// The folders of a store.
///
/// Each is opened once, part by part and without following links; every file is then opened by one name beneath a
/// handle. Whatever becomes of the path that the store was opened by, the handles stay where they are.
#[derive(Debug)]
pub struct Folders {
    path: PathBuf,
    handles: [OwnedFd; Folder::ALL.len()],
}

impl Folders {
    /// Opens the folders of the store at `path`, and makes those that are missing.
    pub fn create(path: &Path) -> io::Result<Self> {
        if !path.is_dir() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        }
        Self::open_with(path, true)
    }

    /// Opens the folders of the store at `path`, and changes nothing.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::open_with(path, false)
    }

    fn open_with(path: &Path, make: bool) -> io::Result<Self> {
        // The store itself may be a link: where it lies is its owner's decision.
        let path = path.canonicalize()?;
        let root = OwnedFd::from(File::open(&path)?);
        let mut handles = Vec::with_capacity(Folder::ALL.len());
        for folder in Folder::ALL {
            let mut handle = root.try_clone()?;
            for part in folder.parts() {
                if make {
                    match mkdirat(&handle, *part, Mode::RWXU) {
                        Ok(()) => fsync(&handle)?,
                        // A store on a disk that cannot be written may still be read.
                        Err(Errno::EXIST | Errno::ROFS | Errno::ACCESS) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                handle = openat(&handle, *part, DIRECTORY, Mode::empty())?;
            }
            handles.push(handle);
        }
        let handles = handles.try_into().expect("one handle was opened for each folder");
        Ok(Self { path, handles })
    }

    /// The path of the store, for people and for programs that need one.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file, for people and for programs that need one.
    pub fn path_of(&self, place: &StoreFile) -> PathBuf {
        let folder = place.folder().parts().iter().fold(self.path.clone(), |path, part| path.join(part));
        folder.join(place.file_name())
    }

    /// The handle of a folder.
    pub fn handle(&self, folder: Folder) -> BorrowedFd<'_> {
        self.handles[folder as usize].as_fd()
    }

    /// Opens a regular file for reading.
    pub fn read(&self, place: &StoreFile) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let folder = self.handle(place.folder());
        let file = File::from(openat(folder, place.file_name(), flags, Mode::empty())?);
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "is not a regular file"))
        }
    }

    /// Looks at a file without opening it; absent is `None`.
    pub fn stat(&self, place: &StoreFile) -> io::Result<Option<Stat>> {
        match statat(self.handle(place.folder()), place.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => Ok(Some(stat)),
            Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "is not a regular file")),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// How many bytes the disk has left for us, if it says so.
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        let disk = fstatvfs(self.handle(Folder::Root)).ok()?;
        disk.f_bavail.checked_mul(disk.f_frsize)
    }

    /// Lists the files of a folder that the store could have made, in the order of their names.
    pub fn list(&self, folder: Folder) -> io::Result<Vec<StoreFile>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self.handle(folder))? {
            names.extend(entry?.file_name().to_str().ok().map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names.iter().filter_map(|name| StoreFile::parse(folder, name)).collect())
    }
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
