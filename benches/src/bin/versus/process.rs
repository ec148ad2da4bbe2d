//! Running one side.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What one turn gave: rates per second (more is better) and the command that gave them.
pub(crate) struct Turn {
    pub(crate) rates: Vec<f64>,
    pub(crate) command: String,
}

/// Runs a command and returns what it printed, and how the command looks in a shell.
pub(crate) fn output(command: &mut Command) -> Result<(Vec<u8>, String)> {
    let shown = format!("{command:?}").replace('"', "");
    let output = command.output().with_context(|| format!("running {shown}"))?;
    let talk = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{shown} failed: {}", talk.trim());
    Ok((output.stdout, shown))
}
