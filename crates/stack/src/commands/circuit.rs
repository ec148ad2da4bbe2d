//! `stack circuit`: circuit breakers in somebody's hands.

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{CommandError, Kind};
use crate::remote::{AskArguments, encoded};
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the circuits of providers and their models
    List(ListArguments),
    /// Leave a provider, or one of its models, alone until it is closed
    Open(OpenArguments),
    /// Close a circuit, whoever opened it
    Close(CircuitArguments),
    /// Close a circuit and those behind it, and forget what happened
    Reset(CircuitArguments),
}

#[derive(Debug, Args)]
struct ListArguments {
    #[command(flatten)]
    ask: AskArguments,
}

#[derive(Debug, Args)]
struct OpenArguments {
    #[command(flatten)]
    circuit: CircuitArguments,
    /// Say why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Close it again after so many seconds
    #[arg(long = "for", value_name = "SECONDS")]
    for_s: Option<u32>,
}

#[derive(Debug, Args)]
struct CircuitArguments {
    /// `PROVIDER`, or `PROVIDER/MODEL`
    #[arg(value_name = "CIRCUIT")]
    circuit: String,
    #[command(flatten)]
    ask: AskArguments,
}

#[derive(Deserialize)]
struct Circuit {
    state: String,
    failures: u32,
    reason: Option<String>,
    next_probe_ms: Option<u64>,
    cooldown_ms: Option<u64>,
}

/// Lists the circuits, or changes one.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    match &arguments.command {
        Command::List(ListArguments { ask }) => list(ask),
        Command::Open(OpenArguments { circuit, reason, for_s }) => {
            change(circuit, "open", &json!({"reason": reason, "for_s": for_s}))
        }
        Command::Close(circuit) => change(circuit, "close", &json!({})),
        Command::Reset(circuit) => change(circuit, "reset", &json!({})),
    }
}

fn list(ask: &AskArguments) -> Result<(), CommandError> {
    let answer = ask.client()?.get("/api/v1/circuit")?;
    let mut data = Data::new();
    if ask.transfer.common.json {
        return data.json(&answer);
    }
    let circuits = answer["circuits"].as_object().cloned().unwrap_or_default();
    if circuits.is_empty() {
        ask.transfer.common.stderr("no provider is configured");
    }
    for (name, circuit) in &circuits {
        print(&mut data, name, circuit)?;
    }
    Ok(())
}

fn change(arguments: &CircuitArguments, action: &str, body: &Value) -> Result<(), CommandError> {
    let CircuitArguments { circuit, ask } = arguments;
    let path: Vec<String> = circuit.split('/').map(encoded).collect();
    let answer = ask.client()?.post(&format!("/api/v1/circuit/{}/{action}", path.join("/")), body)?;
    let mut data = Data::new();
    if ask.transfer.common.json {
        return data.json(&answer);
    }
    print(&mut data, circuit, &answer)
}

fn print(data: &mut Data, name: &str, circuit: &Value) -> Result<(), CommandError> {
    let circuit = Circuit::deserialize(circuit).map_err(|error| {
        CommandError::new(Kind::Malformed, "the server tells circuits in another way").caused(error)
    })?;
    let mut more = Vec::new();
    if circuit.failures > 0 {
        more.push(format!("{} failures in a row", circuit.failures));
    }
    more.extend(circuit.reason.map(|reason| format!("held open: {reason}")));
    more.extend(circuit.next_probe_ms.map(|ms| format!("asked again in {} s", ms.div_ceil(1000))));
    more.extend(circuit.cooldown_ms.map(|ms| format!("left alone for {} s", ms.div_ceil(1000))));
    data.line(sanitize(&format!("{name:24} {:9} {}", circuit.state, more.join(", "))).trim_end())
}
