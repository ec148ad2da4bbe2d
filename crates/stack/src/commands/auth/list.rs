//! `stack auth token list`.

use clap::Args;
use serde_json::{Value, json};
use stack_seal::time::UnixTime;

use super::row;
use crate::api_keys::{ApiKey, KeyFile};
use crate::error::CommandError;
use crate::options::CommonArguments;
use crate::process::machine;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
}

/// Prints the keys, the oldest first.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let keys = KeyFile::of(&arguments.common.home()?)?.keys()?;
    let mut data = Data::new();
    if arguments.common.json {
        return data.json(&json!({ "keys": keys.iter().map(row::json).collect::<Vec<Value>>() }));
    }
    if keys.is_empty() {
        arguments.common.stderr("there is no API key; `stack auth token create --name NAME` makes one");
        return Ok(());
    }
    let now = machine::now();
    let width = keys.iter().map(|key| key.grant.name.len()).max().unwrap_or_default().max(4);
    data.line(&format!("{:12}  {:width$}  {:24}  {:24}  MAY", "ID", "NAME", "TENANT", "ENDS"))?;
    for key in &keys {
        let (grant, ends) = (&key.grant, ends(key, now));
        let line = format!(
            "{:12}  {:width$}  {:24}  {ends:24}  {}",
            grant.key_id,
            grant.name,
            grant.tenant.as_str(),
            may(key)
        );
        data.line(sanitize(&line).trim_end())?;
    }
    Ok(())
}

fn ends(key: &ApiKey, now: UnixTime) -> String {
    match key.grant.expires_s {
        None => "never".to_owned(),
        Some(_) if key.has_expired(now) => "has ended".to_owned(),
        Some(end) => UnixTime::from_seconds(end).to_string(),
    }
}

/// Says what a key is good for: `infer on qwen*, at most 60 requests a minute`.
fn may(key: &ApiKey) -> String {
    let grant = &key.grant;
    let mut text = grant.scopes.iter().map(stack_server::Scope::name).collect::<Vec<_>>().join(", ");
    let models: Vec<&str> = grant.models.iter().map(stack_server::ModelPattern::as_str).collect();
    if models != ["*"] {
        text.push_str(" on ");
        text.push_str(&models.join(", "));
    }
    for (limit, what) in [(grant.limits.requests, "requests"), (grant.limits.tokens, "tokens")] {
        if let Some(limit) = limit {
            text.extend([", at most ", &limit.to_string(), " ", what, " a minute"]);
        }
    }
    if grant.priority == stack_chat::Priority::Batch {
        text += ", after all others";
    }
    text
}
