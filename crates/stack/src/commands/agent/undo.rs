//! `stack agent undo`.

use std::path::Path;

use clap::Args;
use serde_json::json;
use stack_agent::files::Workspace;
use stack_agent::session::replay;
use stack_audit::{Draft, Kind as EntryKind, Log, StreamId};

use crate::error::{CommandError, Kind, audit};
use crate::home::access::AccessArguments;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The session, as `stack agent list` shows it
    #[arg(value_name = "SESSION")]
    id: StreamId,
    /// The call, such as `c_4vqkzx5lnmc2e3ta`, as `stack agent show` shows it
    #[arg(value_name = "CALL")]
    call: String,
    #[command(flatten)]
    access: AccessArguments,
    /// Print the files as JSON
    #[arg(long)]
    json: bool,
}

/// Puts back what a call changed.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let Arguments { id, call, access, .. } = arguments;
    let (audit, actor) = access.audit()?.writable()?;
    let folder = access.home()?.audit().map_err(|_| audit::homeless())?;
    let session = replay(&Log::open(&folder)?, *id, None)?.session;
    let folder = session.start().map(|start| start.workspace.clone()).unwrap_or_default();
    let workspace = Workspace::open(Path::new(&folder))
        .map_err(|error| CommandError::reading(format!("the workspace {folder}"), error))?;
    let about = json!({"tool": "undo", "rank": "standard", "session": id.to_string(), "call": call});
    let open = audit.begin(Draft::new(StreamId::named("agent"), EntryKind::TOOL_CALL, actor).with(about))?;
    match super::trash(access)?.undo(&workspace, call) {
        Ok(undone) => {
            let files: Vec<_> = undone
                .iter()
                .map(|file| json!({"path": file.path, "state": if file.is_there { "restored" } else { "removed" }}))
                .collect();
            open.done(json!({ "files": files }))?;
            let mut data = Data::new();
            if arguments.json {
                return data.json(&json!({ "files": files }));
            }
            files.iter().try_for_each(|file| {
                let text = |field: &str| file[field].as_str().unwrap_or_default().to_owned();
                data.line(&sanitize(&format!("{} {}", text("state"), text("path"))))
            })
        }
        Err(failure) => {
            open.failed(json!({"message": failure.message}))?;
            Err(CommandError::new(Kind::Missing, failure.message)
                .hint(format!("`stack agent show {id}` shows its calls")))
        }
    }
}
