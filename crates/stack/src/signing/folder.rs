//! The files of a folder.

use std::fs;
use std::path::Path;

use super::TargetFile;
use crate::error::{CommandError, Kind};

/// Lists all files below a folder, sorted by name. Ignored paths, and what lies in them, are left out.
///
/// A symbolic link is refused: what it points to may lie anywhere and change at any time.
pub(super) fn list(folder: &Path, ignored: &[String]) -> Result<Vec<TargetFile>, CommandError> {
    let mut files = Vec::new();
    walk(folder, "", ignored, 0, &mut files)?;
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn walk(
    folder: &Path,
    prefix: &str,
    ignored: &[String],
    depth: usize,
    files: &mut Vec<TargetFile>,
) -> Result<(), CommandError> {
    let failed = |error| CommandError::reading(folder.display(), error);
    let refused = |what: &str, hint: &str| {
        Err(CommandError::new(Kind::Malformed, format!("{}: {what}", folder.display()))
            .reason("bad-name")
            .hint(hint))
    };
    if depth > DEPTH_MAX {
        return refused("the folders are nested too deeply", "choose a subfolder");
    }
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(part) = entry.file_name().into_string() else {
            return refused("the name of a file is not UTF-8", "rename it");
        };
        let name = format!("{prefix}{part}");
        if ignored.contains(&name) {
            continue;
        }
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            walk(&entry.path(), &format!("{name}/"), ignored, depth + 1, files)?;
        } else if kind.is_file() {
            files.push(TargetFile { name, path: entry.path(), sealed: false });
        } else {
            return refused(&format!("{part} is a link or a device"), "replace it with the file itself");
        }
        if files.len() > FILES_MAX {
            return refused("it contains too many files", "choose a subfolder");
        }
    }
    Ok(())
}

const DEPTH_MAX: usize = 16;
const FILES_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_by_their_paths() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b/x", "a", "b/c/y", ".git/config", "b/ignored"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let ignored = [".git".to_owned(), "b/ignored".to_owned()];
        let files = list(dir.path(), &ignored).unwrap();
        assert_eq!(files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["a", "b/c/y", "b/x"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("weights")).unwrap();
        assert!(list(dir.path(), &[]).unwrap_err().to_string().contains("link"));
    }
}
