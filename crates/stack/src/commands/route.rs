//! `stack route`: who would be asked for a model.

use clap::Args;
use serde::Deserialize;

use crate::error::{CommandError, Kind};
use crate::remote::{AskArguments, encoded};
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The alias or model that would be asked for
    #[arg(value_name = "MODEL")]
    model: String,
    #[command(flatten)]
    pub(crate) ask: AskArguments,
}

#[derive(Deserialize)]
struct Decision {
    alias: Option<String>,
    tier: String,
    candidates: Vec<Candidate>,
}

#[derive(Deserialize)]
struct Candidate {
    route: String,
    reason: String,
}

/// Prints the candidates in the order in which they would be asked, and what speaks against the others.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let client = arguments.ask.client()?;
    let answer = client.get(&format!("/api/v1/route?model={}", encoded(&arguments.model)))?;
    let mut data = Data::new();
    if arguments.ask.transfer.common.json {
        return data.json(&answer);
    }
    let Decision { alias, tier, candidates } = Decision::deserialize(&answer).map_err(|error| {
        CommandError::new(Kind::Malformed, "the server tells routes in another way").caused(error)
    })?;
    let what = if alias.is_some() { "alias" } else { "model" };
    data.line(&sanitize(&format!("{what} {}, up to the tier {tier}", arguments.model)))?;
    let width = candidates.iter().map(|one| one.route.chars().count()).max().unwrap_or_default();
    for Candidate { route, reason } in candidates {
        data.line(&sanitize(&format!("  {route:width$}  {reason}")))?;
    }
    Ok(())
}
