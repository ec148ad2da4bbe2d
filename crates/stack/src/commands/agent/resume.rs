//! `stack agent resume`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use stack_agent::session::{Resolution, SessionRunner, replay};
use stack_audit::{Log, StreamId};

use super::report;
use super::world::SessionArguments;
use crate::error::{CommandError, audit};
use crate::models::choice::ModelArgument;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The session, as `stack agent list` shows it
    #[arg(value_name = "SESSION")]
    id: StreamId,
    /// What became of a call that was under way when the process ended
    #[arg(long, value_name = "WHAT")]
    resolve: Option<Resolve>,
    #[command(flatten)]
    pub(super) session: SessionArguments,
}

/// What a person says about a call whose end is unknown.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Resolve {
    /// It happened
    Happened,
    /// It did not, and is not to
    DidNot,
    /// It is to be done again
    Retry,
    /// The session is to end
    Fail,
}

/// Goes on with a session.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let session = &arguments.session;
    // What its process left open is settled when the log is opened for writing.
    session.access.audit()?.writable()?;
    let folder = session.access.home()?.audit().map_err(|_| audit::homeless())?;
    let record = replay(&Log::open(&folder)?, arguments.id, None)?.session;
    let Some(start) = record.start() else { return Ok(()) };
    let workspace = session.workspace(&PathBuf::from(&start.workspace))?;
    let model = session.model.clone();
    let model = model.unwrap_or_else(|| ModelArgument::from(std::ffi::OsString::from(&start.model)));
    if record.end().is_none() {
        let ready = session.load(&model)?;
        let resolution = arguments.resolve.map(Resolution::from);
        let ended = session
            .run(&ready, &workspace, resolution, |world| SessionRunner::resume(world, arguments.id))?;
        return report::outcome(&ended, session.json, session.quiet);
    }
    let state = record.state();
    Err(stack_agent::session::SessionError::Ended { stream: arguments.id, state }.into())
}

impl From<Resolve> for Resolution {
    fn from(resolve: Resolve) -> Self {
        match resolve {
            Resolve::Happened => Self::Happened,
            Resolve::DidNot => Self::DidNot,
            Resolve::Retry => Self::Retry,
            Resolve::Fail => Self::Fail,
        }
    }
}
