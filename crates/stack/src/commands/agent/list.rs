//! `stack agent list`.

use clap::Args;
use serde_json::{Value, json};
use stack_agent::session::replay;
use stack_audit::Kind;

use super::report;
use crate::error::CommandError;
use crate::options::CommonArguments;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Maximum number of sessions
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    common: CommonArguments,
}

/// Prints the sessions that were written to last, the last first.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let log = super::log(&arguments.common)?;
    let mut data = Data::new();
    let mut found: Vec<Value> = Vec::new();
    for summary in log.streams(usize::MAX)? {
        let first = log.entries(summary.stream, 1, 1)?;
        if found.len() >= arguments.limit
            || first.first().is_none_or(|first| first.entry.kind != Kind::SESSION_START)
        {
            continue;
        }
        // A record that makes no sense is listed, too: it is the one that somebody looks for.
        let shown = match replay(&log, summary.stream, None) {
            Ok(replayed) => report::json(&replayed.session),
            Err(error) => {
                json!({"session": summary.stream.to_string(), "state": "unreadable", "detail": error.to_string()})
            }
        };
        found.push(shown);
    }
    if arguments.common.json {
        return data.json(&json!({ "sessions": found }));
    }
    found.iter().try_for_each(|session| {
        let text = |field: &str| session[field].as_str().unwrap_or_default().to_owned();
        let about = if session["task"].is_null() { text("detail") } else { text("task") };
        let about: String = about.chars().take(60).collect();
        data.line(&sanitize(&format!("{} {:<10} {about}", text("session"), text("state"))))
    })
}
