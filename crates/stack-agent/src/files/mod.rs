//! Files beneath the workspace: opened by descriptor, never by a path that was checked before.

mod change;
mod read;
mod search;
mod trash;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::path::RelativePath;
use crate::tool_failure::{ToolFailure, ToolFailureKind};
pub use change::{delete, edit, rename, write};
pub use read::{list, read, stat};
pub use search::{find, search};
pub use trash::{Trash, Undone};

/// The folder that tools work in. Everything below it is reached through this descriptor, so that no link, and no
/// change of a link while a tool works, leads out of it.
#[derive(Debug)]
pub struct Workspace {
    root: File,
    path: PathBuf,
}

impl Workspace {
    /// Opens a folder.
    ///
    /// # Errors
    ///
    /// When it is not there, is no folder, or the system cannot keep paths beneath one.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        let root = File::open(&path)?;
        if !root.metadata()?.is_dir() {
            return Err(io::Error::from(Errno::NOTDIR));
        }
        let workspace = Self { root, path };
        // An old kernel is found out now, and not by the first tool.
        workspace.beneath(&RelativePath::WORKSPACE, OFlags::DIRECTORY, Links::Follow)?;
        Ok(workspace)
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens something below the workspace.
    #[cfg(target_os = "linux")]
    fn beneath(&self, path: &RelativePath, flags: OFlags, links: Links) -> Result<File, Errno> {
        use rustix::fs::{ResolveFlags, openat2};
        let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        if links == Links::Refuse {
            resolve |= ResolveFlags::NO_SYMLINKS;
        }
        let path = path.to_string();
        // A pipe would make whoever opens it wait for a writer.
        let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let mut tries = 0;
        loop {
            match openat2(&self.root, path.as_str(), flags, Mode::empty(), resolve) {
                // Something was renamed meanwhile, and the kernel cannot say whether that led outside.
                Err(Errno::AGAIN) if tries < 16 => tries += 1,
                opened => return opened.map(File::from),
            }
        }
    }

    /// Other systems have no call that keeps a path beneath a folder.
    #[cfg(not(target_os = "linux"))]
    fn beneath(&self, _path: &RelativePath, _flags: OFlags, _links: Links) -> Result<File, Errno> {
        let _ = &self.root;
        Err(Errno::NOSYS)
    }

    /// Opens a regular file for reading.
    fn file(&self, path: &RelativePath, links: Links) -> Result<(File, Stat), ToolFailure> {
        let opening = |errno| failure(path, "be opened", errno);
        let file = self.beneath(path, OFlags::RDONLY, links).map_err(opening)?;
        let stat = rustix::fs::fstat(&file).map_err(opening)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok((file, stat)),
            FileType::Directory => Err(failed(format!("{path} is a folder; list_files shows what is in it"))),
            _ => Err(failed(format!("{path} is no regular file"))),
        }
    }

    /// Opens a folder for listing.
    fn folder(&self, path: &RelativePath, links: Links) -> Result<File, ToolFailure> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        self.beneath(path, flags, links).map_err(|errno| failure(path, "be opened as a folder", errno))
    }

    /// Opens the folder in which something is changed, and returns the name in it. No link leads there: it could lead
    /// to what is protected.
    fn parent<'a>(&self, path: &'a RelativePath) -> Result<(File, &'a str), ToolFailure> {
        let (folder, name) =
            path.split().ok_or_else(|| failed("the workspace itself is not changed".to_owned()))?;
        if path.is_protected() {
            let message = format!("{path} is protected: programs obey what they find there");
            return Err(ToolFailure::new(ToolFailureKind::ProtectedPath, message));
        }
        Ok((self.folder(&folder, Links::Refuse)?, name))
    }
}

/// What becomes of symbolic links on the way to a file. None leads out of the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Links {
    /// Those that stay in the workspace are followed.
    Follow,
    /// None is followed.
    Refuse,
}

/// Says what the system refused.
fn failure(path: &RelativePath, attempt: &str, errno: Errno) -> ToolFailure {
    let (kind, why) = match errno {
        Errno::XDEV => (ToolFailureKind::PathEscape, "it leads out of the workspace".to_owned()),
        Errno::LOOP => (ToolFailureKind::PathEscape, "a link is on the way".to_owned()),
        Errno::NOENT => (ToolFailureKind::Failed, "it is not there".to_owned()),
        Errno::NOTDIR => (ToolFailureKind::Failed, "a part of the path is no folder".to_owned()),
        Errno::EXIST => (ToolFailureKind::Failed, "something is there already".to_owned()),
        errno => (ToolFailureKind::Failed, io::Error::from(errno).to_string()),
    };
    ToolFailure::new(kind, format!("{path} cannot {attempt}: {why}"))
}

fn failed(message: String) -> ToolFailure {
    ToolFailure::new(ToolFailureKind::Failed, message)
}

fn io_failure(path: &RelativePath, attempt: &str, error: &io::Error) -> ToolFailure {
    match error.raw_os_error() {
        Some(raw) => failure(path, attempt, Errno::from_raw_os_error(raw)),
        None => failed(format!("{path} cannot {attempt}: {error}")),
    }
}
