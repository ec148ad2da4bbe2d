//! `stack ps`: the models that a running server has in memory.

use clap::Args;
use serde::Deserialize;
use stack_seal::time::UnixTime;

use crate::error::{CommandError, Kind};
use crate::process::machine;
use crate::remote::AskArguments;
use crate::terminal::output::{Data, sanitize};
use crate::terminal::units;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) ask: AskArguments,
}

#[derive(Deserialize)]
struct Running {
    models: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    name: String,
    size: u64,
    context_length: u64,
    expires_at: String,
}

/// Prints the models.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let (common, server) = (&arguments.ask.transfer.common, arguments.ask.client()?);
    let answer = server.get("/api/ps")?;
    let mut data = Data::new();
    if common.json {
        return data.json(&answer);
    }
    let Running { models } = serde_json::from_value(answer).map_err(|error| {
        CommandError::new(Kind::Malformed, "the server lists its models in another way").caused(error)
    })?;
    if models.is_empty() {
        common.stderr("no model is in memory; a request that names one loads it");
        return Ok(());
    }
    let now = machine::now().seconds();
    let names: Vec<String> = models.iter().map(|model| sanitize(&model.name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default().max(4);
    data.line(&format!("{:width$}  {:>9}  {:>8}  UNTIL", "NAME", "SIZE", "CONTEXT"))?;
    for (Model { size, context_length, expires_at, .. }, name) in models.into_iter().zip(&names) {
        let (size, until) = (units::bytes(size), until(&expires_at, now));
        data.line(&format!("{name:width$}  {size:>9}  {context_length:>8}  {until}"))?;
    }
    Ok(())
}

/// Says until when a model is there.
fn until(expires_at: &str, now: u64) -> String {
    let Ok(at) = expires_at.parse::<UnixTime>() else { return sanitize(expires_at) };
    // What stays goes at the end of time.
    if at == UnixTime::from_seconds(u64::MAX) {
        return "stays".to_owned();
    }
    match at.seconds().saturating_sub(now) {
        0 => "it has answered".to_owned(),
        left => format!("goes in {left} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_told() {
        assert_eq!(until("9999-12-31T23:59:59Z", 7), "stays");
        assert_eq!(until("1970-01-01T00:01:00Z", 7), "goes in 53 s");
        assert_eq!(until("1970-01-01T00:01:00Z", 60), "it has answered");
        assert_eq!(until("tomorrow\u{202e}", 7), sanitize("tomorrow\u{202e}"));
    }
}
