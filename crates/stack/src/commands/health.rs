//! `stack health` and `stack providers`: how everybody is doing who may answer.

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{CommandError, Kind};
use crate::remote::AskArguments;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) ask: AskArguments,
}

#[derive(Deserialize)]
struct Provider {
    status: String,
    latency_ms: Option<u64>,
    last_error: Option<LastError>,
}

#[derive(Deserialize)]
struct LastError {
    code: String,
    message: String,
}

/// Asks each provider whether it lives, and says what is wrong.
///
/// # Errors
///
/// When nobody can answer: no model of the server, and no provider.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let answer = arguments.ask.client()?.get("/api/v1/health?probe=true")?;
    let mut data = Data::new();
    let models = answer["engine"]["models"].as_u64().unwrap_or_default();
    let providers = providers(&answer)?;
    let can_answer =
        |(_, one): &(String, Provider)| !["unreachable", "loading"].contains(&one.status.as_str());
    let is_anybody_there = models > 0 || providers.iter().any(can_answer);
    if arguments.ask.transfer.common.json {
        data.json(&answer)?;
    } else {
        let here = if models > 0 { "healthy" } else { "no model is in memory" };
        data.line(&format!("{:16} {here}", "engine"))?;
        print(&mut data, &providers)?;
    }
    if is_anybody_there {
        return Ok(());
    }
    let message = "nobody can answer: no model is in memory here, and no provider answers";
    Err(CommandError::new(Kind::Network, message)
        .hint("`stack ps` lists what is in memory; the lines above say what is wrong with each provider"))
}

/// Lists the providers by what their last answers showed; none is asked.
pub(crate) fn list(arguments: &Arguments) -> Result<(), CommandError> {
    let answer = arguments.ask.client()?.get("/api/v1/health")?;
    let mut data = Data::new();
    if arguments.ask.transfer.common.json {
        return data.json(&json!({"providers": answer["providers"]}));
    }
    let providers = providers(&answer)?;
    if providers.is_empty() {
        arguments
            .ask
            .transfer
            .common
            .stderr("no provider is configured; [providers.NAME] of stack.toml adds one");
    }
    print(&mut data, &providers)
}

fn providers(answer: &Value) -> Result<Vec<(String, Provider)>, CommandError> {
    let all = answer["providers"].as_object().into_iter().flatten();
    let read = all.map(|(name, value)| Provider::deserialize(value).map(|provider| (name.clone(), provider)));
    read.collect::<Result<_, _>>().map_err(|error| {
        CommandError::new(Kind::Malformed, "the server tells its health in another way").caused(error)
    })
}

fn print(data: &mut Data, providers: &[(String, Provider)]) -> Result<(), CommandError> {
    for (name, Provider { status, latency_ms, last_error }) in providers {
        let latency = latency_ms.map(|ms| format!("{ms} ms")).unwrap_or_default();
        let error = last_error.as_ref().map(|error| format!("{}: {}", error.code, error.message));
        let line = format!("{name:16} {status:11} {latency:>8}  {}", error.unwrap_or_default());
        data.line(sanitize(&line).trim_end())?;
    }
    Ok(())
}
