//! Asks a server of this program on this machine.
//!
//! It is reached over loopback and nowhere else, so no gate decides. One request goes over one connection.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use stack_registry::fetch::Authorization;
use stack_registry::url::{Origin, Scheme};
use zeroize::Zeroizing;

use crate::error::{CommandError, Kind};

/// A server on this machine, and the key for it.
#[derive(Clone, Debug)]
pub(crate) struct LocalServer {
    address: SocketAddr,
    key: Option<Authorization>,
}

/// What a server answered, there or elsewhere.
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl LocalServer {
    /// Takes the address of a server, which is on loopback.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address, key: None }
    }

    /// Takes an origin, if it is a server of this machine that is spoken to in clear.
    pub(crate) fn of(origin: &Origin) -> Option<Self> {
        let host = origin.host.trim_start_matches('[').trim_end_matches(']');
        let host =
            if host == "localhost" { Some(Ipv4Addr::LOCALHOST.into()) } else { host.parse::<IpAddr>().ok() };
        let host = host.filter(|host| origin.scheme == Scheme::Http && host.is_loopback());
        host.map(|host| Self::at(SocketAddr::new(host, origin.port)))
    }

    /// Asks with a key.
    #[must_use]
    pub(crate) fn with_key(self, key: Option<Zeroizing<String>>) -> Self {
        let key = key.map(|key| Authorization::raw(format!("Bearer {}", key.as_str())));
        Self { key, ..self }
    }

    /// Returns the address as it is given to `--server`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Looks something up.
    pub(crate) fn get(&self, path: &str) -> Result<Value, CommandError> {
        self.ask("GET", path, "")
    }

    /// Changes something.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, CommandError> {
        self.ask("POST", path, &body.to_string())
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Result<Value, CommandError> {
        let address = self.address;
        let response = self.exchange(method, path, body).map_err(|error| {
            let (kind, message) = match error.kind() {
                io::ErrorKind::ConnectionRefused => {
                    (Kind::Missing, format!("no server listens on {address}"))
                }
                _ => (Kind::Network, format!("the server on {address} does not answer")),
            };
            let hint = "`stack serve` starts one; --host and --port say where it listens, and --server https://… asks \
                        one that speaks TLS";
            CommandError::new(kind, message).caused(error).hint(hint)
        })?;
        let (status, body) = parse(&response).ok_or_else(|| malformed(&self.url()))?;
        Reply { status, body }.value(&self.url())
    }

    fn exchange(&self, method: &str, path: &str, body: &str) -> io::Result<Vec<u8>> {
        let address = self.address;
        let mut stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        let key = self.key.as_ref().map(|key| format!("authorization: {}\r\n", key.reveal()));
        let key = Zeroizing::new(key.unwrap_or_default());
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             {}content-length: {}\r\n\r\n{body}",
            *key,
            body.len()
        )?;
        let mut response = Vec::new();
        stream.take(RESPONSE_BYTES_MAX).read_to_end(&mut response)?;
        Ok(response)
    }
}

impl Reply<'_> {
    /// Returns what was answered.
    ///
    /// # Errors
    ///
    /// The server's own, by the status; and where something else than a server of this program answers.
    pub(crate) fn value(&self, server: &str) -> Result<Value, CommandError> {
        let body: Value = serde_json::from_slice(self.body).map_err(|_| malformed(server))?;
        if self.status == 200 {
            return Ok(body);
        }
        let message = body["error"]["message"].as_str().or_else(|| body["error"].as_str());
        let error = |kind| CommandError::new(kind, message.unwrap_or("the server refused").to_owned());
        Err(match self.status {
            401 => error(Kind::Refused)
                .reason("no-key")
                .hint(format!("`stack login {server}` asks for a key and keeps it")),
            403 => error(Kind::Refused),
            404 => error(Kind::Missing),
            429 | 503 | 529 => error(Kind::Busy),
            400..500 => error(Kind::Usage),
            _ => error(Kind::Machine),
        })
    }
}

fn malformed(server: &str) -> CommandError {
    CommandError::new(Kind::Malformed, format!("what answers at {server} is no server of this program")).hint(
        "a server that speaks TLS is asked with --server https://NAME:PORT, by a name of its certificate",
    )
}

/// Finds the status and the body of a response that ends with its connection.
fn parse(response: &[u8]) -> Option<(u16, &[u8])> {
    let end = response.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&response[..end]).ok()?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some((status, &response[end + 4..]))
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Loading a large model may take minutes.
const READ_TIMEOUT: Duration = Duration::from_mins(10);
const RESPONSE_BYTES_MAX: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use stack_registry::url::Url;

    use super::*;

    #[test]
    fn only_what_is_spoken_to_in_clear_on_this_machine_is_local() {
        let local =
            |text: &str| LocalServer::of(Url::parse(text).unwrap().origin()).map(|server| server.url());
        for (text, url) in [
            ("http://localhost:8084", "http://127.0.0.1:8084"),
            ("http://127.0.0.1:1", "http://127.0.0.1:1"),
            ("http://[::1]:8084", "http://[::1]:8084"),
        ] {
            assert_eq!(local(text).as_deref(), Some(url), "{text}");
        }
        for text in ["https://localhost:8084", "http://10.0.0.1:8084", "http://localhost.example"] {
            assert_eq!(local(text), None, "{text}");
        }
    }

    #[test]
    fn a_response_is_taken_apart() {
        let response = b"HTTP/1.1 404 Not Found\r\nx: y\r\n\r\n{}";
        assert_eq!(parse(response), Some((404, &b"{}"[..])));
        for wrong in [&b""[..], b"HTTP/1.1 200 OK\r\n", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 2\r\n\r\n"] {
            assert_eq!(parse(wrong), None);
        }
    }
}
