//! `stack audit keys`.

use clap::Args;
use serde_json::json;

use crate::error::CommandError;
use crate::options::CommonArguments;
use crate::terminal::output::Data;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
}

/// Prints the keys, the one that signs now at the end.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let log = super::log(&arguments.common)?;
    let keys: Vec<String> = log.keys().iter().map(ToString::to_string).collect();
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&json!({ "log": log.id().to_string(), "keys": keys }));
    }
    data.line(&format!("log {}", log.id()))?;
    keys.iter().try_for_each(|key| data.line(key))
}
