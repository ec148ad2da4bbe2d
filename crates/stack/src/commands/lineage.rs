//! `stack lineage`: how an answer came about.

use clap::Args;
use serde::Deserialize;

use crate::error::{CommandError, Kind};
use crate::remote::{AskArguments, encoded};
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The request, by its `x-request-id`
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    pub(crate) ask: AskArguments,
}

#[derive(Deserialize)]
struct Lineage {
    created_at: String,
    requested_model: Option<String>,
    alias: Option<String>,
    tier: Option<String>,
    model: Option<String>,
    provider: Option<String>,
    attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
struct Attempt {
    route: String,
    began_ms: f64,
    took_ms: Option<f64>,
    failure: Option<String>,
}

/// Prints who was asked, what became of it, and who answered.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let client = arguments.ask.client()?;
    let answer = client.get(&format!("/api/v1/lineage/{}", encoded(&arguments.id)))?;
    let mut data = Data::new();
    if arguments.ask.transfer.common.json {
        return data.json(&answer);
    }
    let lineage = Lineage::deserialize(&answer).map_err(|error| {
        CommandError::new(Kind::Malformed, "the server tells lineages in another way").caused(error)
    })?;
    let nobody = || "nobody".to_owned();
    for (name, value) in [
        ("at", Some(lineage.created_at)),
        ("asked for", lineage.requested_model),
        ("alias", lineage.alias),
        ("tier", lineage.tier),
        ("answered by", Some(lineage.model.unwrap_or_else(nobody))),
        ("provider", lineage.provider),
    ] {
        if let Some(value) = value {
            data.line(&sanitize(&format!("{name:12} {value}")))?;
        }
    }
    for Attempt { route, began_ms, took_ms, failure } in lineage.attempts {
        let ended = match (failure, took_ms) {
            (Some(failure), _) => failure,
            (None, Some(took)) => format!("answered in {took:.0} ms"),
            (None, None) => "asked".to_owned(),
        };
        data.line(&sanitize(&format!("  after {began_ms:.0} ms {route}: {ended}")))?;
    }
    Ok(())
}
