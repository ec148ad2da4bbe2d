//! What only reads.

use std::io::{Read, Seek, SeekFrom};

use rustix::fs::{AtFlags, Dir, FileType, statat};
use serde_json::{Value, json};

use super::{Links, Workspace, failed, failure, io_failure};
use crate::path::RelativePath;
use crate::tool_failure::ToolFailure;

/// Reads a part of a text file.
///
/// # Errors
///
/// When it is not there, is no regular file, or is not text.
pub fn read(
    workspace: &Workspace,
    path: &RelativePath,
    offset: u64,
    max: usize,
) -> Result<Value, ToolFailure> {
    let (mut file, stat) = workspace.file(path, Links::Follow)?;
    let reading = |error: &std::io::Error| io_failure(path, "be read", error);
    file.seek(SeekFrom::Start(offset)).map_err(|error| reading(&error))?;
    let mut bytes = Vec::new();
    file.by_ref().take(max as u64).read_to_end(&mut bytes).map_err(|error| reading(&error))?;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let is_cut = offset + (bytes.len() as u64) < size;
    // A character that the end of the part cuts through is left for the next one.
    if is_cut
        && let Err(error) = std::str::from_utf8(&bytes)
        && error.error_len().is_none()
    {
        bytes.truncate(error.valid_up_to());
    }
    let content = String::from_utf8(bytes).map_err(|_| {
        failed(format!("{path} is not text in UTF-8, or the offset cuts through a character"))
    })?;
    Ok(json!({"content": content, "size_bytes": size, "truncated": is_cut}))
}

/// Lists the entries of a folder by name.
///
/// # Errors
///
/// When it is not there or no folder.
pub fn list(workspace: &Workspace, path: &RelativePath) -> Result<Value, ToolFailure> {
    let (entries, more) = entries(workspace, path)?;
    let entries: Vec<Value> = entries
        .into_iter()
        .map(|entry| match entry.kind {
            FileType::RegularFile => json!({"name": entry.name, "kind": "file", "size_bytes": entry.size}),
            FileType::Directory => json!({"name": entry.name, "kind": "folder"}),
            FileType::Symlink => json!({"name": entry.name, "kind": "link"}),
            _ => json!({"name": entry.name, "kind": "other"}),
        })
        .collect();
    Ok(json!({"entries": entries, "truncated": more}))
}

/// Tells what a path is.
///
/// # Errors
///
/// When it is not there or leads outside.
pub fn stat(workspace: &Workspace, path: &RelativePath) -> Result<Value, ToolFailure> {
    if let Ok(folder) = workspace.folder(path, Links::Follow) {
        let stat = rustix::fs::fstat(&folder).map_err(|errno| failure(path, "be looked at", errno))?;
        return Ok(json!({"kind": "folder", "modified_s": stat.st_mtime}));
    }
    let (file, stat) = workspace.file(path, Links::Follow)?;
    let mut bytes = Vec::new();
    let read = file.take(COUNTED_BYTES).read_to_end(&mut bytes);
    read.map_err(|error| io_failure(path, "be read", &error))?;
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').count();
    let lines = (stat.st_size as u64 <= COUNTED_BYTES).then_some(lines);
    Ok(json!({"kind": "file", "size_bytes": stat.st_size, "lines": lines, "modified_s": stat.st_mtime}))
}

/// An entry of a folder.
#[derive(Debug)]
pub(super) struct FolderEntry {
    pub(super) name: String,
    pub(super) kind: FileType,
    pub(super) size: u64,
}

/// Reads the entries of a folder, those of the smallest names, and whether there are more. Names that are not text are
/// left out: no tool could name them.
pub(super) fn entries(
    workspace: &Workspace,
    path: &RelativePath,
) -> Result<(Vec<FolderEntry>, bool), ToolFailure> {
    let folder = workspace.folder(path, Links::Follow)?;
    let listing = |errno| failure(path, "be listed", errno);
    let mut names = Vec::new();
    let mut more = false;
    for entry in Dir::read_from(&folder).map_err(listing)? {
        let entry = entry.map_err(listing)?;
        match entry.file_name().to_str() {
            Ok("." | "..") | Err(_) => {}
            Ok(_) if names.len() >= ENTRIES_MAX => {
                more = true;
                break;
            }
            Ok(name) => names.push(name.to_owned()),
        }
    }
    names.sort();
    let looked_at = names.into_iter().filter_map(|name| {
        // What was removed meanwhile is not there.
        let stat = statat(&folder, name.as_str(), AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        Some(FolderEntry { name, kind, size: u64::try_from(stat.st_size).unwrap_or(0) })
    });
    Ok((looked_at.collect(), more))
}

/// Entries of a folder that are looked at.
const ENTRIES_MAX: usize = 10_000;
/// Files that are longer have too many lines to count.
const COUNTED_BYTES: u64 = 64 << 20;
