//! Where the tier and the listed hosts come from: `config.toml`, the environment, and options.

use clap::Args;
use stack_registry::url::Url;

use super::{HostPattern, Proxy, Tier, parse_tier};
use crate::command_error::{CommandError, Kind};
use crate::config::Config;
use crate::machine::environment;

/// What may leave this machine.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PrivacyArguments {
    /// Go no further than sovereign (this machine), private (listed hosts) or standard (any public host)
    #[arg(long, value_name = "TIER", value_parser = parse_tier)]
    privacy: Option<Tier>,
    /// Ask nothing of the network
    #[arg(long)]
    offline: bool,
    /// List a host for this command: host, host:port or *.domain
    #[arg(long, value_name = "HOST", value_parser = HostPattern::parse)]
    allow_host: Vec<HostPattern>,
}

/// The effective settings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) tier: Tier,
    pub(crate) offline: bool,
    pub(crate) listed: Vec<HostPattern>,
    pub(crate) proxy: Option<Proxy>,
}

impl PrivacyArguments {
    /// Joins the options with the configuration and the environment.
    ///
    /// The configuration is a ceiling for the environment, and both are one for the option: each may lower the tier,
    /// and asking for more is an error, so that nobody is surprised by less.
    pub(crate) fn settings(&self, config: &Config) -> Result<Settings, CommandError> {
        let mut tier = config.privacy.tier()?.unwrap_or(DEFAULT);
        let mut ceiling = config.privacy.tier()?.map(|tier| (tier, "config.toml"));
        let wanted = match environment("STACK_PRIVACY") {
            Some(text) => {
                Some((parse_tier(&text).map_err(|wrong| usage("STACK_PRIVACY", &wrong))?, "STACK_PRIVACY"))
            }
            None => None,
        };
        for (asked, origin) in wanted.into_iter().chain(self.privacy.map(|tier| (tier, "--privacy"))) {
            if let Some((highest, set_by)) = ceiling
                && asked > highest
            {
                let message = format!(
                    "{origin} requests {}, but {set_by} allows at most {}",
                    asked.name(),
                    highest.name()
                );
                return Err(CommandError::new(Kind::Refused, message)
                    .reason("tier-forbids")
                    .hint("the operator of this machine sets the ceiling"));
            }
            (tier, ceiling) = (asked, Some((asked, origin)));
        }
        let mut listed = config.privacy.hosts()?;
        listed.extend(self.allow_host.iter().cloned());
        let offline = self.offline || ["STACK_OFFLINE", "HF_HUB_OFFLINE"].into_iter().any(is_on);
        Ok(Settings { tier, offline, listed, proxy: proxy()? })
    }
}

/// Whether a variable of the environment says yes.
fn is_on(name: &str) -> bool {
    environment(name)
        .is_some_and(|value| !matches!(value.to_ascii_lowercase().as_str(), "0" | "false" | "no" | "off"))
}

/// Reads the proxy variables, in capitals or not.
fn proxy() -> Result<Option<Proxy>, CommandError> {
    let either = |name: &str| environment(name).or_else(|| environment(&name.to_ascii_lowercase()));
    let Some((text, name)) =
        ["HTTPS_PROXY", "ALL_PROXY"].into_iter().find_map(|name| either(name).map(|text| (text, name)))
    else {
        return Ok(None);
    };
    let (url, login) = proxy_address(&text).map_err(|wrong| usage(name, &wrong))?;
    let except = either("NO_PROXY").unwrap_or_default();
    if except.split(',').any(|entry| entry.trim() == "*") {
        return Ok(None);
    }
    let except = except.split(',').filter_map(exception).collect();
    Ok(Some(Proxy { url, except, login }))
}

/// Parses `[http://][user:password@]host:port`.
fn proxy_address(text: &str) -> Result<(Url, Option<(String, String)>), String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let (login, rest) = match rest.rsplit_once('@') {
        Some((login, rest)) => {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            (Some((user.to_owned(), password.to_owned())), rest)
        }
        None => (None, rest),
    };
    Url::parse(&format!("{scheme}://{rest}")).map(|url| (url, login)).map_err(|error| error.to_string())
}

/// Reads one entry of `NO_PROXY`: `host`, `.domain` or `*.domain`. What is none of these matches nothing.
fn exception(text: &str) -> Option<HostPattern> {
    let text = text.trim();
    match text.strip_prefix('.') {
        Some(domain) => HostPattern::parse(&format!("*.{domain}")).ok(),
        None => HostPattern::parse(text).ok(),
    }
}

fn usage(name: &str, wrong: &str) -> CommandError {
    CommandError::new(Kind::Usage, format!("{name}: {wrong}"))
}

/// Without any word of the operator, a command that was told to fetch something may fetch it: nothing is fetched
/// that no command names.
const DEFAULT: Tier = Tier::Standard;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_may_lower_the_tier_and_not_raise_it() {
        let config = |tier: &str| Config::parse(&format!("[privacy]\ntier = \"{tier}\"")).unwrap();
        let asked = |tier| PrivacyArguments { privacy: Some(tier), ..PrivacyArguments::default() };
        let lowered = asked(Tier::Sovereign).settings(&config("private")).unwrap();
        assert_eq!(lowered.tier, Tier::Sovereign);
        let error = asked(Tier::Standard).settings(&config("private")).unwrap_err();
        assert_eq!(error.kind(), Kind::Refused);
        let default = PrivacyArguments::default().settings(&Config::default()).unwrap();
        assert_eq!((default.tier, default.offline), (Tier::Standard, false));
    }

    #[test]
    fn proxies_may_have_a_login() {
        let (url, login) = proxy_address("http://me:se:cret@proxy.lan:3128").unwrap();
        assert_eq!(url.to_string(), "http://proxy.lan:3128/");
        assert_eq!(login, Some(("me".into(), "se:cret".into())));
        assert_eq!(proxy_address("proxy.lan:3128").unwrap().0.to_string(), "http://proxy.lan:3128/");
        assert!(proxy_address("socks5://proxy.lan").is_err());
    }

    #[test]
    fn exceptions_are_hosts_and_domains() {
        assert_eq!(exception(" .lan "), HostPattern::parse("*.lan").ok());
        assert_eq!(exception("a.lan"), HostPattern::parse("a.lan").ok());
        assert_eq!(exception("10.0.0.0/8"), None);
    }
}
