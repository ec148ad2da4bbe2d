//! `stack audit hold`: what must be kept, whatever is due.

use clap::Args;
use serde_json::{Value, json};
use stack_audit::StreamId;

use crate::error::{CommandError, Kind};
use crate::options::CommonArguments;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Session or subsystem whose payloads must stay; without one, all holds are listed
    #[arg(value_name = "ID")]
    session: Option<StreamId>,
    /// End the hold
    #[arg(long, requires = "session")]
    release: bool,
    /// Why; this stays in the log
    #[arg(long, value_name = "TEXT", requires = "session")]
    reason: Option<String>,
    #[command(flatten)]
    common: CommonArguments,
}

/// Begins or ends a hold, and prints all that there are.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    if let Some(stream) = arguments.session {
        let reason = arguments.reason.as_deref().ok_or_else(|| {
            CommandError::new(Kind::Usage, "a hold needs a reason").hint("say why with --reason TEXT")
        })?;
        let (audit, actor) = arguments.common.audit()?.writable()?;
        if arguments.release {
            audit.release(stream, reason, actor)?;
        } else {
            audit.hold(stream, reason, actor)?;
        }
    }
    let holds = super::log(&arguments.common)?.holds()?;
    let mut data = Data::new();
    if arguments.common.json {
        let hold =
            |(stream, reason): (StreamId, &str)| json!({"stream": stream.to_string(), "reason": reason});
        return data.json(&json!({ "holds": holds.iter().map(hold).collect::<Vec<Value>>() }));
    }
    let lines = holds.iter().map(|(stream, reason)| sanitize(&format!("{stream} {reason}")));
    lines.into_iter().try_for_each(|line| data.line(&line))
}
