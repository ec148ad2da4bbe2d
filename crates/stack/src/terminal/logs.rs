//! Logs go to stderr, as much as `STACK_LOG` asks for.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::process::machine::environment;
use crate::terminal::output;

/// Starts logging. Without `STACK_LOG`, only warnings and errors are shown.
pub(crate) fn start() {
    let asked = environment("STACK_LOG").unwrap_or_else(|| "warn".to_owned());
    let filter = asked.parse().unwrap_or_else(|error| {
        output::stderr(format!("ignoring STACK_LOG, which cannot be parsed: {error}"));
        EnvFilter::new("warn")
    });
    let colour = io::stderr().is_terminal() && environment("NO_COLOR").is_none();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_writer(io::stderr).init();
}
