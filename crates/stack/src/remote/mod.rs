//! Servers of this program that commands ask: the one on this machine, or one elsewhere that somebody was logged in to.
//!
//! The one on this machine is reached over loopback, and no gate decides. Every other one is reached through the transport,
//! as all that leaves this machine, and the audit log says so. A key goes to the server that it was given for and nowhere
//! else, and never over plain HTTP to another machine.

mod arguments;
mod logins;

use serde_json::{Value, json};
use stack_registry::fetch::{Authorization, Fetch, Method, Request, read_body};
use stack_registry::pull::TransferError;
use stack_registry::url::Url;
use zeroize::Zeroizing;

pub(crate) use self::arguments::{AskArguments, client, server_url};
pub(crate) use self::logins::{Login, Logins};
use crate::audit::{Act, ActKind, AuditLog};
use crate::error::{CommandError, Kind};
use crate::transport::Fetcher;
use crate::transport::local_server::{LocalServer, Reply};

/// A server that is asked.
pub(crate) enum ServerClient<'a> {
    /// The one on this machine.
    Local(LocalServer),
    /// One that is reached through the transport.
    Remote(RemoteServer<'a>),
}

/// A server elsewhere.
pub(crate) struct RemoteServer<'a> {
    fetcher: Fetcher,
    log: &'a AuditLog,
    url: Url,
    key: Option<Zeroizing<String>>,
}

impl ServerClient<'_> {
    /// Looks something up.
    pub(crate) fn get(&self, path: &str) -> Result<Value, CommandError> {
        match self {
            Self::Local(server) => server.get(path),
            Self::Remote(server) => server.ask(Method::Get, path, Vec::new()),
        }
    }

    /// Changes something.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, CommandError> {
        match self {
            Self::Local(server) => server.post(path, body),
            Self::Remote(server) => server.ask(Method::Post, path, body.to_string().into_bytes()),
        }
    }

    /// Returns its address.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Local(server) => server.url(),
            Self::Remote(server) => address(&server.url),
        }
    }
}

impl RemoteServer<'_> {
    fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Value, CommandError> {
        let url = self.url.join(path).map_err(|error| {
            CommandError::new(Kind::Bug, format!("{path} is no path of a server")).caused(error)
        })?;
        let about = json!({"asked": url.to_string()});
        let act = Act::new(ActKind::EGRESS, about).at_tier(self.fetcher.tier());
        self.log.record(act, || {
            let mut request = Request::new(method, url.clone()).header("content-type", "application/json");
            request.authorization =
                self.key.as_ref().map(|key| Authorization::raw(format!("Bearer {}", key.as_str())));
            request.body = body;
            let sent = |error| CommandError::from(TransferError::from(error));
            let response = self.fetcher.send(&request).map_err(sent)?;
            let status = response.status;
            let body = read_body(&url, response, RESPONSE_BYTES_MAX).map_err(sent)?;
            let answer = Reply { status, body: &body }.value(&address(&self.url))?;
            Ok((answer, json!({"status": status})))
        })
    }
}

/// Writes an address as it is given and kept: without a path.
pub(crate) fn address(url: &Url) -> String {
    url.origin().to_string()
}

/// Writes a text so that it is one part of a path, or one value of a query.
pub(crate) fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let one = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

const RESPONSE_BYTES_MAX: u64 = 16 << 20;
