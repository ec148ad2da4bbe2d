//! Whether a server asks for API keys, and for which.

use std::net::SocketAddr;
use std::sync::Arc;

use stack_server::Auth;
use stack_trust::home::Home;

use crate::api_keys::KeyFile;
use crate::config::{AuthSection, Origin, Setting};
use crate::error::{CommandError, Kind};
use crate::process::machine;

/// Decides by the address: beyond this machine every request needs a key, whatever anybody wants, and on it only where the
/// configuration says so.
///
/// # Errors
///
/// When a key is needed and nobody has one: such a server could answer no one, and without keys it would answer everyone.
pub(super) fn auth(
    home: &Home,
    section: &AuthSection,
    address: &Setting<SocketAddr>,
) -> Result<Option<Auth>, CommandError> {
    let is_open = !address.value.ip().is_loopback();
    let required = is_open || section.required.as_ref().is_some_and(|required| required.value);
    if home.known().is_none() && !required {
        return Ok(None);
    }
    let keys = KeyFile::of(home)?;
    let now = machine::now();
    if required && keys.keys()?.iter().all(|key| key.has_expired(now)) {
        return Err(nobody(is_open, address));
    }
    Ok(Some(Auth { keys: Arc::new(keys), required }))
}

fn nobody(is_open: bool, address: &Setting<SocketAddr>) -> CommandError {
    let make = "make one with `stack auth token create --name NAME`";
    if !is_open {
        let message = "every request needs an API key, and there is none that has not ended";
        return CommandError::new(Kind::Refused, message)
            .reason("no-api-key")
            .hint(format!("{make}, or set `required = false` under [server.auth]"));
    }
    let set_by = match address.origin {
        Origin::Option(_) => String::new(),
        origin => format!("; the address is set by {origin}"),
    };
    let host = address.value.ip();
    let message = format!("listening on {host} lets the network in, and there is no API key to tell who may");
    CommandError::new(Kind::Refused, message)
        .reason("no-api-key")
        .hint(format!("{make}, or listen on 127.0.0.1{set_by}"))
}
