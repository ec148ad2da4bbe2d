//! `stack policy`: the rules by which tools run, ask or do not run.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use serde_json::json;
use stack_agent::policy::Decision;
use stack_agent::toolbox::TOOLS;
use stack_seal::hex;

use super::agent::PolicyFile;
use crate::error::CommandError;
use crate::options::CommonArguments;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Read rules and run their samples
    Check(FileArguments),
    /// Show what is decided about each tool
    Show(FileArguments),
}

#[derive(Debug, Args)]
struct FileArguments {
    /// The rules [default: agent/policy.toml of the home, if there]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
    #[command(flatten)]
    common: CommonArguments,
}

/// Does what was asked.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let (Action::Check(of) | Action::Show(of)) = &arguments.action;
    let PolicyFile { path, policy } = PolicyFile::read(of.file.as_deref(), &of.common.home()?)?;
    let mut data = Data::new();
    let (digest, count) = (hex::encode(&policy.digest()), policy.rules().len());
    let file = path.map(|path| path.display().to_string());
    if of.common.json {
        let tools = TOOLS
            .iter()
            .map(|tool| json!({"tool": tool.name, "decision": Decision::of_rank(tool.rank).name()}));
        return data.json(&json!({
            "file": file,
            "digest": digest,
            "rules": policy.to_json()["rule"],
            "without_a_rule": tools.collect::<Vec<_>>(),
        }));
    }
    if let Action::Check(_) = &arguments.action {
        let file = file.unwrap_or_else(|| "no file".to_owned());
        return data.line(&sanitize(&format!("{file}: {count} rules, and all their samples hold")));
    }
    for tool in TOOLS {
        data.line(&format!("{:<12} {}", tool.name, Decision::of_rank(tool.rank).name()))?;
        for rule in policy.rules().iter().filter(|rule| rule.tool == tool.name) {
            data.line(&sanitize(&format!(
                "  {:<10} {} {}",
                rule.decision.name(),
                rule.id,
                rule.condition()
            )))?;
        }
    }
    Ok(())
}
