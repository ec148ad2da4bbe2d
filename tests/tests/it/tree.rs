//! The files of the repository, as the rules about them see it.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the root of the workspace.
pub(crate) fn workspace_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Lists what lies directly in a folder, in order.
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let found = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found: Vec<_> = found.map(|entry| entry.expect("its entries can be read").path()).collect();
    found.sort();
    found
}

/// Lists the files under a folder whose names end in `.extension`, in order.
pub(crate) fn files_under(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(folder) {
        if path.is_dir() {
            found.extend(files_under(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found
}

/// Returns a path as it is written in messages and lists: relative to the root, with slashes.
pub(crate) fn relative(path: &Path) -> String {
    let path = path.strip_prefix(workspace_root()).expect("the file lies in the repository");
    path.iter().map(|part| part.to_str().expect("file names are UTF-8")).collect::<Vec<_>>().join("/")
}
