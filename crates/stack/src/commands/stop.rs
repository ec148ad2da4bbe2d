//! `stack stop`: lets a running server forget models.

use clap::Args;
use serde_json::json;

use super::serve::ServerArguments;
use crate::config::Config;
use crate::error::CommandError;
use crate::options::CommonArguments;
use crate::terminal::output::{Data, sanitize};
use crate::transport::local_server::LocalServer;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The models, by the names that `stack ps` shows
    #[arg(value_name = "MODEL", required = true)]
    models: Vec<String>,
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

/// Unloads the models; answers that are under way are finished.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let config = Config::read(&arguments.common.home()?)?;
    let server = LocalServer(arguments.server.address(&config.server)?);
    for model in &arguments.models {
        server.post("/models/unload", &json!({"model": model}))?;
        arguments.common.stderr(format!("{} is unloaded", sanitize(model)));
    }
    if arguments.common.json {
        return Data::new().json(&json!({"unloaded": arguments.models}));
    }
    Ok(())
}
