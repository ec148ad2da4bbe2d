//! `stack login` and `stack logout`: the key for a server elsewhere.

use std::io::{self, IsTerminal, Read};

use clap::Args;
use serde_json::json;
use stack_registry::url::Url;
use zeroize::Zeroizing;

use super::whoami::Whoami;
use crate::error::{CommandError, Kind};
use crate::options::CommonArguments;
use crate::options::transfer::TransferArguments;
use crate::process::core_dumps;
use crate::remote::{Login, Logins, address, client, server_url};
use crate::terminal::output::{Data, sanitize, stderr};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Address of the server, such as `https://llm.example.org:8084`
    #[arg(value_name = "URL", value_parser = server_url)]
    server: Url,
    #[command(flatten)]
    pub(crate) transfer: TransferArguments,
}

#[derive(Debug, Args)]
pub(crate) struct LogoutArguments {
    /// Address of the server [default: the last one that was logged in to]
    #[arg(value_name = "URL", value_parser = server_url)]
    server: Option<Url>,
    #[command(flatten)]
    common: CommonArguments,
}

/// Keeps a key, once the server has said that it is one. It is typed hidden, or comes on stdin, and is no argument, which
/// others on this machine could see.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let transfer = &arguments.transfer;
    let home = transfer.common.home()?;
    let server = address(&arguments.server);
    // What cannot be read is told before anybody types a key.
    Logins::read(&home)?;
    let key = key_for(&server)?;
    let answer =
        client(transfer, &home, arguments.server.clone(), Some(key.clone()))?.get("/api/v1/whoami")?;
    let whoami = Whoami::read(&answer)?;
    if whoami.key_id.is_none() {
        let message = format!("the server at {server} does not know the key, and asks for none");
        return Err(CommandError::new(Kind::Refused, message)
            .reason("no-key")
            .hint("without a login, everything works as well"));
    }
    // Read again: meanwhile, somebody may have logged in elsewhere.
    Logins::read(&home)?.add(Login { server: server.clone(), key })?;
    if transfer.common.json {
        return Data::new().json(&json!({"server": server, "whoami": answer}));
    }
    transfer.common.stderr(format!("logged in to {server} as {}", whoami.summary()));
    Ok(())
}

/// Forgets a key; the server is not told, and the key stays one until it is revoked there.
pub(crate) fn logout(arguments: &LogoutArguments) -> Result<(), CommandError> {
    let mut logins = Logins::read(&arguments.common.home()?)?;
    let current = || logins.current().map(|login| login.server.clone());
    let Some(server) = arguments.server.as_ref().map(address).or_else(current) else {
        return Err(CommandError::new(Kind::Missing, "nobody is logged in to any server"));
    };
    if !logins.remove(&server)? {
        return Err(CommandError::new(Kind::Missing, format!("nobody is logged in to {server}")));
    }
    if arguments.common.json {
        return Data::new().json(&json!({"logged_out": server}));
    }
    arguments.common.stderr(format!("logged out of {server}; `stack auth token revoke` there ends the key"));
    Ok(())
}

fn key_for(server: &str) -> Result<Zeroizing<String>, CommandError> {
    if let Err(error) = core_dumps::forbid() {
        stderr(format!("warning: a crash could write secrets of this process to the disk: {error}"));
    }
    let stdin = io::stdin();
    let mut text = Zeroizing::new(String::new());
    if stdin.is_terminal() {
        let typed = rpassword::prompt_password(sanitize(&format!("API key for {server}: ")));
        text = Zeroizing::new(typed.map_err(|error| CommandError::reading("the terminal", error))?);
    } else {
        let read = stdin.lock().take(KEY_BYTES_MAX).read_to_string(&mut text);
        read.map_err(|error| CommandError::reading("the standard input", error))?;
    }
    let key = Zeroizing::new(text.trim().to_owned());
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(CommandError::new(Kind::Usage, "that is no API key")
            .hint("type the key that `stack auth token create` printed on the server, or give it on stdin"));
    }
    Ok(key)
}

/// No key is longer.
const KEY_BYTES_MAX: u64 = 4096;
