//! `stack whoami`: what the key for a server allows.

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{CommandError, Kind};
use crate::remote::AskArguments;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) ask: AskArguments,
}

/// What a server says of a key.
#[derive(Deserialize)]
pub(super) struct Whoami {
    pub(super) key_id: Option<String>,
    name: String,
    tenant: String,
    scopes: Vec<String>,
    models: Vec<String>,
    requests_per_minute: Option<u32>,
    tokens_per_minute: Option<u32>,
    expires: Option<String>,
}

/// Prints what the server says.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let client = arguments.ask.client()?;
    let answer = client.get("/api/v1/whoami")?;
    let mut data = Data::new();
    if arguments.ask.transfer.common.json {
        return data.json(&json!({"server": client.url(), "whoami": answer}));
    }
    let whoami = Whoami::read(&answer)?;
    let limit =
        |limit: Option<u32>| limit.map_or("as many as there are".to_owned(), |limit| limit.to_string());
    let no_key = || "none is needed".to_owned();
    for (name, value) in [
        ("server", client.url()),
        ("name", whoami.name),
        ("key", whoami.key_id.unwrap_or_else(no_key)),
        ("tenant", whoami.tenant),
        ("scopes", whoami.scopes.join(", ")),
        ("models", whoami.models.join(", ")),
        ("requests a minute", limit(whoami.requests_per_minute)),
        ("tokens a minute", limit(whoami.tokens_per_minute)),
        ("ends", whoami.expires.unwrap_or_else(|| "never".to_owned())),
    ] {
        data.line(sanitize(&format!("{name:18} {value}")).trim_end())?;
    }
    Ok(())
}

impl Whoami {
    pub(super) fn read(answer: &Value) -> Result<Self, CommandError> {
        Self::deserialize(answer).map_err(|error| {
            CommandError::new(Kind::Malformed, "the server does not say who asks in a way that is known here")
                .caused(error)
        })
    }

    /// Says who that is, in a line.
    pub(super) fn summary(&self) -> String {
        format!("{} ({})", self.name, self.scopes.join(", "))
    }
}
