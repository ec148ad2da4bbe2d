//! How a registry is reached: in clear or not, and as whom.

use stack_gateway::privacy::is_loopback_host;
use stack_registry::fetch::Cancel;
use stack_registry::oci::{Remote, Scope};
use stack_url::Url;

use super::login;
use crate::error::{CommandError, Kind};

/// When a registry may be spoken to without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plaintext {
    /// If it is on this machine.
    OnLoopback,
    /// It was asked for; the gate refuses it elsewhere than on this machine.
    Asked,
}

/// Names a repository of a registry.
pub(crate) fn registry(
    host: &str,
    repository: &str,
    scope: Scope,
    plaintext: Plaintext,
    cancel: &Cancel,
) -> Result<Remote, CommandError> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let scheme = match plaintext {
        Plaintext::Asked => "http",
        Plaintext::OnLoopback if is_loopback_host(name) => "http",
        Plaintext::OnLoopback => "https",
    };
    let credentials = login::login(host)?;
    // Docker's registry is not at the host by which everyone calls it.
    let host = if host == "docker.io" { "registry-1.docker.io" } else { host };
    let base = Url::parse(&format!("{scheme}://{host}")).map_err(|error| {
        CommandError::new(Kind::Usage, "the registry has no valid host").reason("bad-name").caused(error)
    })?;
    Ok(Remote::new(base, repository, scope, credentials, cancel.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_registries_on_this_machine_are_spoken_to_in_clear() {
        let scheme = |host, plaintext| {
            let remote = registry(host, "r", Scope::Pull, plaintext, &Cancel::default()).unwrap();
            remote.base().origin().scheme.to_string()
        };
        assert_eq!(scheme("127.0.0.1:5000", Plaintext::OnLoopback), "http");
        assert_eq!(scheme("registry.lan:5000", Plaintext::OnLoopback), "https");
        assert_eq!(scheme("registry.lan:5000", Plaintext::Asked), "http", "and the gate refuses it");
    }
}
