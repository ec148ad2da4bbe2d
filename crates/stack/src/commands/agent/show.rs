//! `stack agent show`.

use clap::Args;
use stack_audit::{StreamId, export};

use super::report;
use crate::error::CommandError;
use crate::options::CommonArguments;
use crate::terminal::output::Data;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The session, as `stack agent list` shows it
    #[arg(value_name = "SESSION")]
    id: StreamId,
    #[command(flatten)]
    common: CommonArguments,
}

/// Prints what a session is, and its entries.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let log = super::log(&arguments.common)?;
    let session = stack_agent::session::replay(&log, arguments.id, None)?.session;
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&report::json(&session));
    }
    report::lines(&session).iter().try_for_each(|line| data.line(line))?;
    data.write(&export::lines(&log.entries(arguments.id, 1, usize::MAX)?))
}
