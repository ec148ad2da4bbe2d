//! What pulling and pushing have in common.

mod login;
mod show;

use clap::Args;
use stack_registry::fetch::Cancel;
use stack_registry::oci::{Remote, Scope};
use stack_registry::pull::{Reason, TransferError};
use stack_registry::url::Url;

use crate::config::Config;
use crate::error::{CommandError, Kind};
use crate::home::{Home, HomeArguments};
use crate::privacy::{Gate, PrivacyArguments, is_loopback_host};
use crate::terminal::output;
use crate::transport::Transport;

pub(crate) use show::Show;

/// Options of both commands.
#[derive(Clone, Debug, Args)]
pub(crate) struct TransferArguments {
    /// Print one JSON object, and progress events as JSON lines on stderr
    #[arg(long)]
    pub(crate) json: bool,
    /// Print only the result
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    pub(crate) home: HomeArguments,
    #[command(flatten)]
    privacy: PrivacyArguments,
}

/// When a registry may be spoken to without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clear {
    /// Never.
    Never,
    /// If it is on this machine.
    OnLoopback,
    /// It was asked for; the gate refuses it elsewhere than on this machine.
    Asked,
}

impl TransferArguments {
    /// Makes the transport behind the gate that configuration, environment and options describe.
    pub(crate) fn transport(&self, home: &Home) -> Result<Transport, CommandError> {
        let config = Config::read(home)?;
        Ok(Transport::new(Gate::new(self.privacy.settings(&config)?)))
    }

    /// Makes what shows progress.
    pub(crate) fn show(&self) -> Show {
        match (self.quiet, self.json) {
            (true, _) => Show::nothing(),
            (false, true) => Show::events(),
            (false, false) => Show::people(),
        }
    }

    /// Says something to people.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet && !self.json {
            output::talk(output::harmless(text));
        }
    }
}

/// Names a repository of a registry.
pub(crate) fn registry(
    host: &str,
    repository: &str,
    scope: Scope,
    clear: Clear,
    cancel: &Cancel,
) -> Result<Remote, CommandError> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let scheme = match clear {
        Clear::Asked => "http",
        Clear::OnLoopback if is_loopback_host(name) => "http",
        Clear::OnLoopback | Clear::Never => "https",
    };
    let credentials = login::login(host)?;
    // Docker's registry is not at the host by which everyone calls it.
    let host = if host == "docker.io" { "registry-1.docker.io" } else { host };
    let base = Url::parse(&format!("{scheme}://{host}")).map_err(|error| {
        CommandError::new(Kind::Usage, "the registry has no valid host").reason("bad-name").caused(error)
    })?;
    Ok(Remote::new(base, repository, scope, credentials, cancel.clone()))
}

/// Turns a failed transfer into the command's error: exit code, reason and hint.
pub(crate) fn failed(error: TransferError) -> CommandError {
    let (kind, hint) = match error.reason {
        Reason::Upstream404 => (Kind::Missing, Some("check the spelling; a gated repository needs HF_TOKEN")),
        Reason::NoSuchFile => (Kind::Missing, Some("--file GLOB selects files of the repository")),
        Reason::AmbiguousQuant => (Kind::Usage, Some("choose one with hf://owner/repo:QUANT, or by digest")),
        Reason::BadName => (Kind::Usage, None),
        Reason::NotAModel => {
            (Kind::Malformed, Some("nothing was named; open the address in a browser to see what it is"))
        }
        Reason::BadAnswer => (Kind::Malformed, Some("the server may not be a model hub or registry")),
        Reason::DigestMismatch | Reason::LengthMismatch => {
            (Kind::Differs, Some("nothing was kept; ask the publisher about the mismatch"))
        }
        Reason::SignerChanged => {
            (Kind::Untrusted, Some("if the change is expected, remove the old model first: `stack rm NAME`"))
        }
        Reason::Refused("offline") => (
            Kind::Refused,
            Some(
                "leave out --offline, unset STACK_OFFLINE and HF_HUB_OFFLINE; `stack config show` says what sets it",
            ),
        ),
        Reason::Refused("host-not-listed") => (
            Kind::Refused,
            Some(
                "allow it with --allow-host HOST, or under [privacy] hosts in stack.toml; a hub's storage hosts must be listed too",
            ),
        ),
        Reason::Refused(_) => {
            (Kind::Refused, Some("the tier is set by --privacy, STACK_PRIVACY and stack.toml"))
        }
        Reason::WeightsTier => (Kind::Refused, Some("`stack encrypt` seals weights")),
        Reason::Unreachable | Reason::Stalled | Reason::Upstream5xx => {
            (Kind::Network, Some("run the same command again to resume the download"))
        }
        Reason::UpstreamRefuses => (Kind::Network, Some("the registry may require a login")),
        Reason::Store(code) => of_store(code),
        Reason::Machine => (Kind::Machine, Some("check the disk and the permissions")),
        Reason::Interrupted => (Kind::Interrupted, None),
    };
    let code = error.reason.code();
    let new = CommandError::new(kind, error.message.clone()).reason(code);
    let new = match error.into_source() {
        Some(cause) => new.caused(cause),
        None => new,
    };
    match hint {
        Some(hint) => new.hint(hint),
        None => new,
    }
}

fn of_store(code: &str) -> (Kind, Option<&'static str>) {
    match code {
        "disk-full" => (Kind::Machine, Some("free some disk space, or use another home with --home DIR")),
        "not-in-store" | "no-such-file" => (Kind::Missing, Some("`stack list` shows the stored models")),
        "locked-by" | "in-use" => (Kind::Busy, Some("wait for the other process and try again")),
        "name-taken" => {
            (Kind::Refused, Some("choose another name with --as, or allow the change with --update"))
        }
        "signer-changed" => {
            (Kind::Untrusted, Some("if the change is expected, remove the old model first: `stack rm NAME`"))
        }
        "no-index" => (Kind::Differs, Some("`stack verify --all --repair` rebuilds it; nothing was removed")),
        "bad-document" => (Kind::Malformed, Some("`stack verify --all` checks the whole store")),
        _ => (Kind::Machine, Some("check the permissions and the free disk space")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_the_exit_codes_of_the_contract() {
        let code = |reason| failed(TransferError::new(reason, "x")).kind().exit_code();
        for (reason, expected) in [
            (Reason::AmbiguousQuant, 2),
            (Reason::Upstream404, 3),
            (Reason::BadAnswer, 4),
            (Reason::DigestMismatch, 5),
            (Reason::SignerChanged, 6),
            (Reason::Refused("tier-forbids"), 7),
            (Reason::WeightsTier, 7),
            (Reason::Stalled, 8),
            (Reason::Store("locked-by"), 9),
            (Reason::Store("disk-full"), 1),
            (Reason::Interrupted, 130),
        ] {
            assert_eq!(code(reason), expected, "{reason:?}");
        }
    }

    #[test]
    fn only_registries_on_this_machine_are_spoken_to_in_clear() {
        let scheme = |host, clear| {
            let remote = registry(host, "r", Scope::Pull, clear, &Cancel::default()).unwrap();
            remote.base().origin().scheme.to_string()
        };
        assert_eq!(scheme("127.0.0.1:5000", Clear::OnLoopback), "http");
        assert_eq!(scheme("registry.lan:5000", Clear::OnLoopback), "https");
        assert_eq!(scheme("127.0.0.1:5000", Clear::Never), "https");
    }
}
