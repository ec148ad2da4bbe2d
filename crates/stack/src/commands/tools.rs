//! `stack tools`: what models may call.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use stack_agent::policy::Decision;
use stack_agent::toolbox::{self, TOOLS, ToolSpec};

use crate::error::{CommandError, Kind};
use crate::terminal::output::Data;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the tools
    List(ListArguments),
    /// Show what a tool takes
    Show(ShowArguments),
}

#[derive(Debug, Args)]
struct ListArguments {
    /// Print the tools as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ShowArguments {
    /// The tool
    name: String,
    /// Print the tool as JSON
    #[arg(long)]
    json: bool,
}

/// Does what was asked.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let mut data = Data::new();
    match &arguments.action {
        Action::List(ListArguments { json: true }) => {
            data.json(&json!({ "tools": TOOLS.iter().map(described).collect::<Vec<_>>() }))
        }
        Action::List(_) => TOOLS.iter().try_for_each(|tool| {
            data.line(&format!("{:<12} {:<11} {}", tool.name, tool.rank.name(), tool.description))
        }),
        Action::Show(ShowArguments { name, json }) => {
            let tool = toolbox::find(name).ok_or_else(|| {
                CommandError::new(Kind::Missing, format!("there is no tool {name:?}"))
                    .hint("`stack tools list` shows them")
            })?;
            if *json {
                return data.json(&described(tool));
            }
            data.line(&format!("{} ({}): {}", tool.name, tool.rank, tool.description))?;
            data.line(&format!("without a rule: {}", Decision::of_rank(tool.rank).name()))?;
            tool.arguments.iter().try_for_each(|field| {
                let required = if field.required { "" } else { ", may be left out" };
                data.line(&format!("  {}: {}{required}", field.name, field.about))
            })
        }
    }
}

fn described(tool: &ToolSpec) -> Value {
    json!({
        "name": tool.name,
        "description": tool.description,
        "rank": tool.rank.name(),
        "without_a_rule": Decision::of_rank(tool.rank).name(),
        "input_schema": tool.schema(),
    })
}
