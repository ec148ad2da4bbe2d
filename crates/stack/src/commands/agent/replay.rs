//! `stack agent replay`.

use clap::Args;
use stack_audit::StreamId;

use super::report;
use crate::error::CommandError;
use crate::options::CommonArguments;
use crate::terminal::output::Data;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The session, as `stack agent list` shows it
    #[arg(value_name = "SESSION")]
    id: StreamId,
    /// Only up to this entry
    #[arg(long, value_name = "N")]
    until: Option<u64>,
    #[command(flatten)]
    common: CommonArguments,
}

/// Folds the record of a session, and prints what it makes.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let log = super::log(&arguments.common)?;
    let session = stack_agent::session::replay(&log, arguments.id, arguments.until)?.session;
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&report::json(&session));
    }
    data.line(&format!("{} entries replay without a difference", session.next_seq() - 1))?;
    report::lines(&session).iter().try_for_each(|line| data.line(line))
}
