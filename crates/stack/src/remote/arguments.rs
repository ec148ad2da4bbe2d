//! Which server a command asks.

use clap::Args;
use stack_registry::url::{Scheme, Url};
use stack_trust::home::Home;

use super::{Logins, RemoteServer, ServerClient, address};
use crate::commands::serve::ServerArguments;
use crate::config::Config;
use crate::error::CommandError;
use crate::options::transfer::TransferArguments;
use crate::transport::local_server::LocalServer;

/// Options of commands that ask a running server.
#[derive(Clone, Debug, Args)]
pub(crate) struct AskArguments {
    /// Ask this server, such as `https://llm.example.org:8084` [default: the one of `stack login`, else the one on this
    /// machine]
    #[arg(long, value_name = "URL", value_parser = server_url, conflicts_with_all = ["host", "port"])]
    server: Option<Url>,
    #[command(flatten)]
    local: ServerArguments,
    #[command(flatten)]
    pub(crate) transfer: TransferArguments,
}

impl AskArguments {
    /// Finds the server, and the key for it.
    ///
    /// # Errors
    ///
    /// When a file of the home cannot be read.
    pub(crate) fn client(&self) -> Result<ServerClient<'_>, CommandError> {
        let home = self.transfer.common.home()?;
        let logins = if home.known().is_some() { Some(Logins::read(&home)?) } else { None };
        let current = || logins.as_ref()?.current().and_then(|login| Url::parse(&login.server).ok());
        let wanted = self.server.clone().or_else(|| if self.local.is_given() { None } else { current() });
        let key_for = |server: &str| logins.as_ref().and_then(|logins| logins.key_for(server));
        if let Some(url) = wanted {
            let key = key_for(&address(&url));
            return client(&self.transfer, &home, url, key);
        }
        let local = LocalServer::at(self.local.address(&Config::read(&home)?.server)?);
        let key = key_for(&local.url());
        Ok(ServerClient::Local(local.with_key(key)))
    }
}

/// Makes a client for an address. What is spoken to in clear on this machine needs no transport.
pub(crate) fn client<'a>(
    transfer: &'a TransferArguments,
    home: &Home,
    url: Url,
    key: Option<zeroize::Zeroizing<String>>,
) -> Result<ServerClient<'a>, CommandError> {
    if url.origin().scheme == Scheme::Http
        && let Some(local) = LocalServer::of(url.origin())
    {
        return Ok(ServerClient::Local(local.with_key(key)));
    }
    let (fetcher, log) = (transfer.fetcher(home)?, transfer.common.audit()?);
    Ok(ServerClient::Remote(RemoteServer { fetcher, log, url, key }))
}

/// Reads the address of a server.
pub(crate) fn server_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if url.target() == "/" {
        Ok(url)
    } else {
        Err("expected the address of a server, without a path".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_an_address_without_a_path() {
        for (text, kept) in [
            ("https://llm.example.org", "https://llm.example.org"),
            ("https://LLM.example.org:443/", "https://llm.example.org"),
            ("http://127.0.0.1:8084", "http://127.0.0.1:8084"),
        ] {
            assert_eq!(server_url(text).map(|url| address(&url)).as_deref(), Ok(kept), "{text}");
        }
        for wrong in ["llm.example.org", "https://a/v1", "https://a/?x", "ftp://a", "https://u:p@a"] {
            assert!(server_url(wrong).is_err(), "{wrong}");
        }
    }
}
