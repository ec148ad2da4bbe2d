//! `stack auth token revoke`.

use clap::Args;
use serde_json::{Value, json};

use super::row;
use crate::api_keys::{ApiKey, KeyFile, Token};
use crate::audit::{Act, ActKind};
use crate::error::{CommandError, Kind, did_you_mean};
use crate::options::CommonArguments;
use crate::terminal::output::Data;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Keys, by their ids or names
    #[arg(value_name = "ID|NAME", required = true)]
    keys: Vec<String>,
    #[command(flatten)]
    common: CommonArguments,
}

/// Revokes the keys, all of them or none.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let common = &arguments.common;
    let file = KeyFile::of(&common.home()?)?;
    let gone = chosen(&file.keys()?, &arguments.keys)?;
    let rows: Vec<Value> = gone.iter().map(row::json).collect();
    let about = json!({"act": "revoke API keys", "keys": rows});
    common.audit()?.record(Act::new(ActKind::ADMIN, about), || {
        file.change(|keys| {
            keys.retain(|key| !gone.iter().any(|gone| gone.grant.key_id == key.grant.key_id));
            Ok(())
        })?;
        Ok(((), Value::Null))
    })?;
    if common.json {
        return Data::new().json(&json!({ "revoked": rows }));
    }
    for key in &gone {
        common.stderr(format!("revoked {} of {}", key.grant.key_id, key.grant.name));
    }
    Ok(())
}

/// Finds the keys that are meant.
fn chosen(keys: &[ApiKey], wanted: &[String]) -> Result<Vec<ApiKey>, CommandError> {
    let mut chosen: Vec<ApiKey> = Vec::new();
    for text in wanted {
        // Whoever has the whole key may name it by that: the secret is not looked at.
        let id = Token::id_of(text).unwrap_or(text);
        let is_meant = |key: &&ApiKey| key.grant.key_id == id || key.grant.name == *text;
        let mut meant: Vec<&ApiKey> = keys.iter().filter(is_meant).collect();
        if let Some(exactly) = meant.iter().position(|key| key.grant.key_id == id) {
            meant = vec![meant[exactly]];
        }
        match meant.as_slice() {
            [] => {
                let message = format!("there is no API key {id:?}");
                return Err(CommandError::new(Kind::Missing, message)
                    .reason("no-key")
                    .hint("`stack auth token list` shows them"));
            }
            [key] if chosen.contains(key) => {}
            [key] => chosen.push((*key).clone()),
            several => {
                let ids: Vec<String> = several.iter().map(|key| key.grant.key_id.clone()).collect();
                let message = format!("{} API keys are called {text}", several.len());
                return Err(CommandError::new(Kind::Usage, message)
                    .hint(format!("{}give the ids of those that are to go", did_you_mean(&ids))));
            }
        }
    }
    Ok(chosen)
}
