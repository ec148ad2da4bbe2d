//! `stack stop`: lets a running server forget models.

use clap::Args;
use serde_json::json;

use crate::error::CommandError;
use crate::remote::AskArguments;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The models, by the names that `stack ps` shows
    #[arg(value_name = "MODEL", required = true)]
    models: Vec<String>,
    #[command(flatten)]
    pub(crate) ask: AskArguments,
}

/// Unloads the models; answers that are under way are finished.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let (common, server) = (&arguments.ask.transfer.common, arguments.ask.client()?);
    for model in &arguments.models {
        server.post("/models/unload", &json!({"model": model}))?;
        common.stderr(format!("{} is unloaded", sanitize(model)));
    }
    if common.json {
        return Data::new().json(&json!({"unloaded": arguments.models}));
    }
    Ok(())
}
