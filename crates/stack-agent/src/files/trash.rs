//! The old bytes of what tools changed, so that a person can undo a call.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::change::{existing, remove, replace};
use super::{Workspace, failed};
use crate::call::CallId;
use crate::path::RelativePath;
use crate::tool_failure::ToolFailure;

/// A folder outside every workspace, with a folder for each call that changed something.
#[derive(Clone, Debug)]
pub struct Trash(PathBuf);

/// What a call changes, noted before it does.
#[derive(Debug)]
pub struct TrashBin<'a> {
    trash: &'a Trash,
    call: String,
    kept: Vec<Value>,
    bytes: u64,
}

/// A file that was put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undone {
    /// The file.
    pub path: String,
    /// Whether it is there again; otherwise it is gone again.
    pub is_there: bool,
}

impl Trash {
    /// Takes a folder, which need not exist yet.
    pub fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Begins to note what a call changes.
    pub(crate) fn bin(&self, call: &CallId) -> TrashBin<'_> {
        TrashBin { trash: self, call: call.to_string(), kept: Vec::new(), bytes: 0 }
    }

    /// Puts back what a call changed, the last change first, and forgets the call.
    ///
    /// # Errors
    ///
    /// When the call changed nothing, or a file cannot be put back.
    pub fn undo(&self, workspace: &Workspace, call: &str) -> Result<Vec<Undone>, ToolFailure> {
        let name_is_sound = call.starts_with("c_")
            && call.len() == 18
            && call.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
        let folder = self.0.join(call);
        if !name_is_sound || !folder.is_dir() {
            return Err(failed(format!(
                "nothing is kept of a call {call:?}; it changed nothing, or was undone"
            )));
        }
        let reading = |error: io::Error| failed(format!("what {call} changed cannot be read: {error}"));
        let list = fs::read(folder.join(LIST)).map_err(reading)?;
        let list: Value = serde_json::from_slice(&list).map_err(|error| reading(error.into()))?;
        let damaged = || failed(format!("the list of what {call} changed is damaged"));
        let mut undone = Vec::new();
        for (number, kept) in list.as_array().ok_or_else(damaged)?.iter().enumerate().rev() {
            let path =
                RelativePath::parse(kept["path"].as_str().ok_or_else(damaged)?).map_err(|_| damaged())?;
            let existed = kept["existed"].as_bool().ok_or_else(damaged)?;
            if existed {
                replace(workspace, &path, &fs::read(folder.join(number.to_string())).map_err(reading)?)?;
            } else if existing(workspace, &path)?.is_some() {
                remove(workspace, &path)?;
            }
            undone.push(Undone { path: path.to_string(), is_there: existed });
        }
        fs::remove_dir_all(&folder).map_err(reading)?;
        Ok(undone)
    }
}

impl TrashBin<'_> {
    /// Keeps what is at a path, or that nothing is. The change may happen when this returns.
    ///
    /// # Errors
    ///
    /// When it is too much, or the disk refuses; then nothing must be changed.
    pub(super) fn keep(&mut self, path: &RelativePath, bytes: Option<&[u8]>) -> Result<(), ToolFailure> {
        self.bytes += bytes.map_or(0, |bytes| bytes.len() as u64);
        if self.bytes > TRASH_BYTES {
            return Err(failed(format!(
                "a call may change at most {TRASH_BYTES} bytes; nothing was changed"
            )));
        }
        let folder = self.trash.0.join(&self.call);
        let number = self.kept.len();
        self.kept.push(json!({"path": path.to_string(), "existed": bytes.is_some()}));
        let list = Value::from(self.kept.clone()).to_string();
        let kept = DirBuilder::new().recursive(true).mode(0o700).create(&folder).and_then(|()| {
            if let Some(bytes) = bytes {
                write_private(&folder.join(number.to_string()), bytes)?;
            }
            write_private(&folder.join(LIST), list.as_bytes())?;
            File::open(&folder)?.sync_all()
        });
        kept.map_err(|error| {
            failed(format!("the old bytes of {path} cannot be kept, so it is not changed: {error}"))
        })
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

const LIST: &str = "list.json";
/// Old bytes that one call may leave.
const TRASH_BYTES: u64 = 512 << 20;
