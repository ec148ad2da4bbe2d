//! Running one side.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What one turn gave.
pub(crate) struct Turn {
    /// Per second: more is better.
    pub(crate) rates: Vec<f64>,
    /// The shares of the memory bandwidth that they are, where that was measured.
    pub(crate) shares: Vec<f64>,
    /// The command that gave them.
    pub(crate) command: String,
}

impl Turn {
    pub(crate) fn new(rates: Vec<f64>, command: String) -> Self {
        Self { rates, shares: Vec::new(), command }
    }
}

/// Runs a command and returns what it printed, and how the command looks in a shell.
pub(crate) fn output(command: &mut Command) -> Result<(Vec<u8>, String)> {
    let shown = format!("{command:?}").replace('"', "");
    let output = command.output().with_context(|| format!("running {shown}"))?;
    let talk = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{shown} failed: {}", talk.trim());
    Ok((output.stdout, shown))
}
