//! `stack completions`: a completion script.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::error::CommandError;
use crate::terminal::output::Data;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Shell to print the script for
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(arguments: &Arguments, mut root: Command) -> Result<(), CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut root, "stack", &mut script);
    Data::new().write(&String::from_utf8_lossy(&script))
}
