//! What changes files: whole or not at all, and with the old bytes kept.

use std::fs::File;
use std::io::{Read, Write};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RenameFlags, mkdirat, openat, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use serde_json::{Value, json};

use super::trash::TrashBin;
use super::{Links, Workspace, failed, failure, io_failure};
use crate::path::RelativePath;
use crate::tool_failure::{ToolFailure, ToolFailureKind};

/// Writes a file, or adds to its end.
///
/// # Errors
///
/// When the path leads outside or to something that is no file of its own, or the disk refuses.
pub fn write(
    workspace: &Workspace,
    path: &RelativePath,
    content: &str,
    options: (bool, bool),
    bin: &mut TrashBin<'_>,
) -> Result<Value, ToolFailure> {
    let (appends, makes_folders) = options;
    if makes_folders {
        make_folders(workspace, path)?;
    }
    let old = existing(workspace, path)?;
    let mut bytes = match &old {
        Some(old) if appends => old.clone(),
        _ => Vec::new(),
    };
    bytes.extend_from_slice(content.as_bytes());
    bin.keep(path, old.as_deref())?;
    replace(workspace, path, &bytes)?;
    let mode = if appends { "append" } else { "overwrite" };
    Ok(json!({"path": path.to_string(), "bytes_written": content.len(), "mode": mode}))
}

/// Replaces exact texts in a file, all or none.
///
/// # Errors
///
/// When an old text is not there as often as it should be; those of [`write()`].
pub fn edit(
    workspace: &Workspace,
    path: &RelativePath,
    edits: &[(String, String, usize)],
    bin: &mut TrashBin<'_>,
) -> Result<Value, ToolFailure> {
    let old = existing(workspace, path)?.ok_or_else(|| failed(format!("{path} is not there")))?;
    let mut text =
        String::from_utf8(old.clone()).map_err(|_| failed(format!("{path} is not text in UTF-8")))?;
    for (number, (from, to, count)) in edits.iter().enumerate() {
        if from.is_empty() {
            return Err(failed(format!("edit {number}: the old text is empty")));
        }
        let found = text.matches(from.as_str()).count();
        if found != *count {
            let message = format!(
                "edit {number}: the old text is there {found} times, not {count}; nothing was changed"
            );
            return Err(failed(message));
        }
        text = text.replace(from.as_str(), to);
        if text.len() > FILE_BYTES {
            return Err(failed(format!("edit {number}: the file would have more than {FILE_BYTES} bytes")));
        }
    }
    bin.keep(path, Some(&old))?;
    replace(workspace, path, text.as_bytes())?;
    Ok(json!({"path": path.to_string(), "edits": edits.len(), "size_bytes": text.len()}))
}

/// Moves a file within the workspace. Nothing is overwritten.
///
/// # Errors
///
/// When there is none, something is at its new place, or one of the paths leads outside.
pub fn rename(
    workspace: &Workspace,
    from: &RelativePath,
    to: &RelativePath,
    bin: &mut TrashBin<'_>,
) -> Result<Value, ToolFailure> {
    let bytes = existing(workspace, from)?.ok_or_else(|| failed(format!("{from} is not there")))?;
    let (old, name) = workspace.parent(from)?;
    let (new, new_name) = workspace.parent(to)?;
    bin.keep(from, Some(&bytes))?;
    bin.keep(to, None)?;
    let moved = renameat_with(&old, name, &new, new_name, RenameFlags::NOREPLACE);
    moved.map_err(|errno| failure(to, "be moved to", errno))?;
    sync(to, &old)?;
    sync(to, &new)?;
    Ok(json!({"from": from.to_string(), "to": to.to_string()}))
}

/// Deletes a file. Its bytes stay in the trash.
///
/// # Errors
///
/// When there is none, or the path leads outside.
pub fn delete(
    workspace: &Workspace,
    path: &RelativePath,
    bin: &mut TrashBin<'_>,
) -> Result<Value, ToolFailure> {
    let bytes = existing(workspace, path)?.ok_or_else(|| failed(format!("{path} is not there")))?;
    bin.keep(path, Some(&bytes))?;
    remove(workspace, path)?;
    Ok(json!({"path": path.to_string(), "deleted": true}))
}

/// Removes a file.
pub(super) fn remove(workspace: &Workspace, path: &RelativePath) -> Result<(), ToolFailure> {
    let (folder, name) = workspace.parent(path)?;
    unlinkat(&folder, name, AtFlags::empty()).map_err(|errno| failure(path, "be deleted", errno))?;
    sync(path, &folder)
}

/// Reads what is at a path that will be changed; nothing where nothing is there. Links, devices and files that have a
/// second name elsewhere are refused: changing them would change something else.
pub(super) fn existing(workspace: &Workspace, path: &RelativePath) -> Result<Option<Vec<u8>>, ToolFailure> {
    let (folder, name) = workspace.parent(path)?;
    match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(failure(path, "be looked at", errno)),
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
            return Err(ToolFailure::new(
                ToolFailureKind::PathEscape,
                format!("{path} is a link; links are not changed"),
            ));
        }
        Ok(_) => {}
    }
    let (file, stat) = workspace.file(path, Links::Refuse)?;
    if stat.st_nlink > 1 {
        let message = format!("{path} has a second name elsewhere (a hard link); such files are not changed");
        return Err(ToolFailure::new(ToolFailureKind::PathEscape, message));
    }
    if stat.st_size as u64 > FILE_BYTES as u64 {
        return Err(failed(format!("{path} has more than {FILE_BYTES} bytes")));
    }
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| io_failure(path, "be read", &error))?;
    Ok(Some(bytes))
}

/// Puts a new file in the place of what is there, in one step, durably.
pub(super) fn replace(workspace: &Workspace, path: &RelativePath, bytes: &[u8]) -> Result<(), ToolFailure> {
    let (folder, name) = workspace.parent(path)?;
    let mode = match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        // Bits that let others become the owner do not outlive new bytes.
        Ok(stat) => Mode::from_raw_mode(stat.st_mode & 0o777),
        Err(_) => Mode::from_raw_mode(0o644),
    };
    let writing = |error: &std::io::Error| io_failure(path, "be written", error);
    let (mut file, temporary) =
        temporary(&folder, mode).map_err(|errno| failure(path, "be written", errno))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let renamed = written.map_err(|error| writing(&error)).and_then(|()| {
        renameat(&folder, temporary.as_str(), &folder, name)
            .map_err(|errno| failure(path, "be written", errno))
    });
    if renamed.is_err() {
        // What was written so far is of no use to anybody.
        let _gone = unlinkat(&folder, temporary.as_str(), AtFlags::empty());
    }
    renamed?;
    sync(path, &folder)
}

fn temporary(folder: &File, mode: Mode) -> Result<(File, String), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for number in 0..64 {
        let name = format!(".stack-{}-{number}.tmp", std::process::id());
        match openat(folder, name.as_str(), flags, mode) {
            Ok(file) => return Ok((File::from(file), name)),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::EXIST)
}

/// Makes the folders that a path lies in.
fn make_folders(workspace: &Workspace, path: &RelativePath) -> Result<(), ToolFailure> {
    let Some((folder, _)) = path.split() else { return Ok(()) };
    let mut made = RelativePath::WORKSPACE;
    for part in folder.parts() {
        let next = made.join(part);
        let (parent, name) = workspace.parent(&next)?;
        match mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => sync(&next, &parent)?,
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(failure(&next, "be made", errno)),
        }
        made = next;
    }
    Ok(())
}

/// Makes a change of a folder durable: what the log says was done must be there after a loss of power.
fn sync(path: &RelativePath, folder: &File) -> Result<(), ToolFailure> {
    folder.sync_all().map_err(|error| io_failure(path, "be made durable", &error))
}

/// Files that are longer are not changed.
const FILE_BYTES: usize = 64 << 20;
