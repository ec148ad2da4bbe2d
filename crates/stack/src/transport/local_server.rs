//! Asks a server of this program on this machine.
//!
//! It is reached over loopback and nowhere else, so no gate decides. One request goes over one connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::error::{CommandError, Kind};

/// A server on this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalServer(pub(crate) SocketAddr);

impl LocalServer {
    /// Looks something up.
    pub(crate) fn get(self, path: &str) -> Result<Value, CommandError> {
        self.ask("GET", path, "")
    }

    /// Changes something.
    pub(crate) fn post(self, path: &str, body: &Value) -> Result<Value, CommandError> {
        self.ask("POST", path, &body.to_string())
    }

    fn ask(self, method: &str, path: &str, body: &str) -> Result<Value, CommandError> {
        let Self(address) = self;
        let response = exchange(address, method, path, body).map_err(|error| {
            let (kind, message) = match error.kind() {
                io::ErrorKind::ConnectionRefused => {
                    (Kind::Missing, format!("no server listens on {address}"))
                }
                _ => (Kind::Network, format!("the server on {address} does not answer")),
            };
            let hint = "`stack serve` starts one; --host and --port say where it listens";
            CommandError::new(kind, message).caused(error).hint(hint)
        })?;
        let malformed = || {
            CommandError::new(
                Kind::Malformed,
                format!("what answers on {address} is no server of this program"),
            )
        };
        let (status, body) = parse(&response).ok_or_else(malformed)?;
        let body: Value = serde_json::from_slice(body).map_err(|_| malformed())?;
        if status == 200 {
            return Ok(body);
        }
        let message = body["error"]["message"].as_str().or_else(|| body["error"].as_str());
        let kind = match status {
            404 => Kind::Missing,
            403 => Kind::Refused,
            503 => Kind::Busy,
            400..500 => Kind::Usage,
            _ => Kind::Machine,
        };
        Err(CommandError::new(kind, message.unwrap_or("the server refused").to_owned()))
    }
}

fn exchange(address: SocketAddr, method: &str, path: &str, body: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut response = Vec::new();
    stream.take(RESPONSE_BYTES_MAX).read_to_end(&mut response)?;
    Ok(response)
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
    use super::*;

    #[test]
    fn a_response_is_taken_apart() {
        let response = b"HTTP/1.1 404 Not Found\r\nx: y\r\n\r\n{}";
        assert_eq!(parse(response), Some((404, &b"{}"[..])));
        for wrong in [&b""[..], b"HTTP/1.1 200 OK\r\n", b"SSH-2.0\r\n\r\n", b"HTTP/1.1 2\r\n\r\n"] {
            assert_eq!(parse(wrong), None);
        }
    }
}
