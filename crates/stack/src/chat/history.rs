//! What was typed before, in a file that only its owner may read.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use rustyline::history::FileHistory;
use rustyline::{Editor, Helper};
use stack_trust::private_file;

use crate::home::history_file;

/// The file, if there can be one. To remember is a convenience: where it fails, the conversation goes on without.
pub(super) struct History {
    path: Option<PathBuf>,
}

impl History {
    /// Loads what was typed in earlier conversations.
    pub(super) fn open<H: Helper>(editor: &mut Editor<H, FileHistory>) -> Self {
        let path = history_file().filter(|path| private(path).is_ok());
        if let Some(path) = &path
            && editor.load_history(path).is_err()
        {
            return Self { path: None };
        }
        Self { path }
    }

    /// Remembers a text.
    pub(super) fn add<H: Helper>(&self, editor: &mut Editor<H, FileHistory>, text: &str) {
        let added = editor.add_history_entry(text).unwrap_or(false);
        if let Some(path) = self.path.as_ref().filter(|_| added) {
            let _convenience = editor.append_history(path);
        }
    }
}

/// Makes the file, and the folders above it, for the owner alone.
fn private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        // It may be the home folder, of which nobody else should see what is in it.
        private_file::make_folder(folder)?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}
