//! The files of a folder.

use std::fs;
use std::path::Path;

use super::{TargetError, TargetFile};

/// Lists all files below a folder, sorted by name. Ignored paths, and what lies in them, are left out.
///
/// A symbolic link is refused: what it points to may lie anywhere and change at any time.
pub(super) fn list(folder: &Path, ignored: &[String]) -> Result<Vec<TargetFile>, TargetError> {
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
) -> Result<(), TargetError> {
    let failed = |source| TargetError::Read { path: folder.to_owned(), source };
    if depth > DEPTH_MAX {
        return Err(TargetError::TooDeep(folder.to_owned()));
    }
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(part) = entry.file_name().into_string() else {
            return Err(TargetError::NotUtf8(folder.to_owned()));
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
            return Err(TargetError::Link { folder: folder.to_owned(), name: part });
        }
        if files.len() > FILES_MAX {
            return Err(TargetError::TooManyFiles(folder.to_owned()));
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
        assert!(matches!(list(dir.path(), &[]), Err(TargetError::Link { name, .. }) if name == "weights"));
    }
}
