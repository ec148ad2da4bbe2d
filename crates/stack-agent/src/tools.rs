//! From an approved call to what came of it.

use serde_json::Value;

use crate::approval::StartedCall;
use crate::call::Proposal;
use crate::files::{self, Trash, Workspace};
use crate::path::RelativePath;
use crate::tool_failure::{ToolFailure, ToolFailureKind};
use crate::toolbox::Builtin;

/// What tools work with.
#[derive(Clone, Copy)]
pub struct ToolWorld<'a> {
    /// The folder that they work in.
    pub workspace: &'a Workspace,
    /// Where the old bytes go.
    pub trash: &'a Trash,
}

impl ToolWorld<'_> {
    /// Runs a call that has begun in the log. The witness is needed, and given back to be ended.
    pub(crate) fn run(&self, call: &StartedCall) -> Result<Value, ToolFailure> {
        let proposal = &call.proposal;
        let mut bin = self.trash.bin(proposal.call());
        let workspace = self.workspace;
        let path = |field| path(proposal, field);
        let text = |field: &str| proposal.arguments()[field].as_str().unwrap_or_default();
        let number = |field: &str, default| proposal.arguments()[field].as_u64().unwrap_or(default);
        match proposal.tool().builtin {
            Builtin::ReadFile => files::read(
                workspace,
                &path("path")?,
                number("offset", 0),
                number("max_bytes", READ_BYTES) as usize,
            ),
            Builtin::ListFiles => files::list(workspace, &path("path")?),
            Builtin::FindFiles => files::find(workspace, &path("path")?, text("pattern")),
            Builtin::SearchCode => {
                let glob = proposal.arguments()["glob"].as_str();
                let max = number("max", MATCHES) as usize;
                files::search(workspace, &path("path")?, text("pattern"), (glob, max))
            }
            Builtin::StatFile => files::stat(workspace, &path("path")?),
            Builtin::WriteFile => {
                let makes_folders = proposal.arguments()["create_dirs"].as_bool().unwrap_or(false);
                let options = (text("mode") == "append", makes_folders);
                files::write(workspace, &path("path")?, text("content"), options, &mut bin)
            }
            Builtin::EditFile => files::edit(workspace, &path("path")?, &edits(proposal), &mut bin),
            Builtin::MoveFile => files::rename(workspace, &path("from")?, &path("to")?, &mut bin),
            Builtin::DeleteFile => files::delete(workspace, &path("path")?, &mut bin),
        }
    }
}

/// A path among the arguments; the workspace itself where it is left out.
fn path(proposal: &Proposal, field: &str) -> Result<RelativePath, ToolFailure> {
    let path = proposal.arguments()[field].as_str().unwrap_or(".");
    RelativePath::parse(path)
        .map_err(|error| ToolFailure::new(ToolFailureKind::PathEscape, error.to_string()))
}

fn edits(proposal: &Proposal) -> Vec<(String, String, usize)> {
    let text = |edit: &Value, field: &str| edit[field].as_str().unwrap_or_default().to_owned();
    let edits = proposal.arguments()["edits"].as_array().into_iter().flatten();
    edits
        .map(|edit| (text(edit, "old"), text(edit, "new"), edit["count"].as_u64().unwrap_or(1) as usize))
        .collect()
}

const READ_BYTES: u64 = 64 << 10;
const MATCHES: u64 = 200;
