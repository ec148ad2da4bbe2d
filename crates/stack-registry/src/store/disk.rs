//! The steps by which the store changes the disk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags, fchmod, fsync, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::folders::Folders;
use super::place::{Folder, StoreFile};

/// Everything that the store ever does to a disk, one step a method.
///
/// What the store promises after a crash rests on these alone, so a test can put a disk here that stops after any step
/// and forgets what was not synced.
pub trait Disk: Send + Sync {
    /// Opens a file for reading and writing, and makes it where it is not there. What it holds stays.
    fn create(&self, place: &StoreFile) -> io::Result<File>;

    /// Writes bytes at an offset.
    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Sets the length, taking the space on disk at once where the file system can.
    fn resize(&self, file: &File, length: u64) -> io::Result<()>;

    /// Lets an empty file share the bytes of another one, copied on write.
    fn reflink(&self, file: &File, source: &File) -> io::Result<()>;

    /// Returns when what the file holds will survive.
    fn sync(&self, file: &File) -> io::Result<()>;

    /// Returns when what all these files hold will survive.
    fn sync_many(&self, files: &[&File]) -> io::Result<()>;

    /// Takes away the permission to write.
    fn protect(&self, file: &File) -> io::Result<()>;

    /// Renames a file over another.
    fn rename(&self, from: &StoreFile, to: &StoreFile) -> io::Result<()>;

    /// Removes a file.
    fn unlink(&self, place: &StoreFile) -> io::Result<()>;

    /// Returns when the names in a folder will survive.
    fn sync_folder(&self, folder: Folder) -> io::Result<()>;
}

/// The real disk.
#[derive(Debug)]
pub struct OsDisk {
    folders: Arc<Folders>,
}

impl OsDisk {
    /// Works in these folders.
    pub fn new(folders: Arc<Folders>) -> Self {
        Self { folders }
    }
}

impl Disk for OsDisk {
    fn create(&self, place: &StoreFile) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = self.folders.handle(place.folder());
        Ok(File::from(openat(folder, place.file_name(), flags, Mode::RUSR | Mode::WUSR)?))
    }

    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn resize(&self, file: &File, length: u64) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if length > 0 {
            use rustix::fs::{FallocateFlags, fallocate};
            match fallocate(file, FallocateFlags::empty(), 0, length) {
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
                Err(error) => return Err(error.into()),
            }
        }
        file.set_len(length)
    }

    fn reflink(&self, file: &File, source: &File) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        return Ok(rustix::fs::ioctl_ficlone(file, source)?);
        #[cfg(not(target_os = "linux"))]
        {
            let _unused = (file, source);
            Err(Errno::OPNOTSUPP.into())
        }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_many(&self, files: &[&File]) -> io::Result<()> {
        // A commit of the file system's journal takes some milliseconds, for one file or for all of them.
        #[cfg(target_os = "linux")]
        if let [first, _, _, ..] = files {
            return Ok(rustix::fs::syncfs(first)?);
        }
        files.iter().try_for_each(|file| file.sync_data())
    }

    fn protect(&self, file: &File) -> io::Result<()> {
        Ok(fchmod(file, Mode::RUSR | Mode::RGRP | Mode::ROTH)?)
    }

    fn rename(&self, from: &StoreFile, to: &StoreFile) -> io::Result<()> {
        let (source, target) = (self.folders.handle(from.folder()), self.folders.handle(to.folder()));
        Ok(renameat(source, from.file_name(), target, to.file_name())?)
    }

    fn unlink(&self, place: &StoreFile) -> io::Result<()> {
        Ok(unlinkat(self.folders.handle(place.folder()), place.file_name(), AtFlags::empty())?)
    }

    fn sync_folder(&self, folder: Folder) -> io::Result<()> {
        match fsync(self.folders.handle(folder)) {
            // Some file systems cannot sync a folder, and need not.
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
