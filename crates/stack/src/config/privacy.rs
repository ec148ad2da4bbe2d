//! Where the tier and the listed hosts come from: `stack.toml`, the environment, and options.

use clap::Args;
use stack_chat::Tier;
use stack_gateway::privacy::{EgressPolicy, HostPattern, Proxy};
use stack_url::Url;

use super::{Config, Origin, PrivacySection, Setting};
use crate::error::{CommandError, Kind};
use crate::process::machine::environment;

/// What may leave this machine.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct PrivacyArguments {
    /// Go no further than sovereign (this machine), private (listed hosts) or standard (any public host)
    #[arg(long, value_name = "TIER", value_parser = parse_tier)]
    privacy: Option<Tier>,
    /// Ask nothing of the network
    #[arg(long)]
    offline: bool,
    /// List a host for this command: host, host:port or *.domain; behind = may stand the networks that it is in
    #[arg(long, value_name = "HOST", value_parser = HostPattern::parse)]
    allow_host: Vec<HostPattern>,
}

/// What configuration, environment and options say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Effective {
    pub(crate) tier: Setting<Tier>,
    pub(crate) offline: Setting<bool>,
    pub(crate) hosts: Setting<Vec<HostPattern>>,
}

impl PrivacyArguments {
    /// Joins the options with the configuration and the environment.
    ///
    /// # Errors
    ///
    /// See [`PrivacyArguments::effective`].
    pub(crate) fn policy(&self, config: &Config) -> Result<EgressPolicy, CommandError> {
        let Effective { tier, offline, hosts } = self.effective(&config.privacy)?;
        Ok(EgressPolicy { tier: tier.value, offline: offline.value, listed: hosts.value, proxy: None })
    }

    /// Does the same for commands that fetch files, which they may do by way of a proxy.
    ///
    /// # Errors
    ///
    /// See [`PrivacyArguments::effective`].
    pub(crate) fn transfer_policy(&self, config: &Config) -> Result<EgressPolicy, CommandError> {
        Ok(EgressPolicy { proxy: proxy()?, ..self.policy(config)? })
    }

    /// Joins the options with the configuration and the environment, and says where each value is from.
    ///
    /// The configuration is a ceiling for the environment, and both are one for the option: each may lower the tier.
    /// Asking for more is an error, so that nobody is surprised by less. What is offline stays so.
    ///
    /// # Errors
    ///
    /// When a tier is asked for above the ceiling, or a variable makes no sense.
    pub(crate) fn effective(&self, section: &PrivacySection) -> Result<Effective, CommandError> {
        let variable = match environment(TIER_VARIABLE) {
            Some(text) => {
                let tier = parse_tier(&text).map_err(|wrong| usage(TIER_VARIABLE, &wrong))?;
                Some(Setting::new(tier, Origin::Variable(TIER_VARIABLE)))
            }
            None => None,
        };
        let option = self.privacy.map(|tier| Setting::new(tier, Origin::Option("--privacy")));
        let mut tier = section.tier.clone().unwrap_or(Setting::new(DEFAULT, Origin::Default));
        for asked in variable.into_iter().chain(option) {
            if tier.origin != Origin::Default && asked.value > tier.value {
                let message = format!(
                    "{} requests {}, but {} allows at most {}",
                    asked.origin,
                    asked.value.name(),
                    tier.origin,
                    tier.value.name()
                );
                return Err(CommandError::new(Kind::Refused, message)
                    .reason("tier-forbids")
                    .hint("the operator of this machine sets the ceiling"));
            }
            tier = asked;
        }
        let mut hosts = section.hosts.clone().unwrap_or(Setting::new(Vec::new(), Origin::Default));
        if !self.allow_host.is_empty() {
            hosts.value.extend(self.allow_host.iter().cloned());
            hosts.origin = Origin::Option("--allow-host");
        }
        Ok(Effective { tier, offline: self.offline(section), hosts })
    }

    fn offline(&self, section: &PrivacySection) -> Setting<bool> {
        let variable = OFFLINE_VARIABLES.into_iter().find(|name| is_on(name));
        let file = section.offline.clone();
        match (self.offline, variable, file) {
            (true, ..) => Setting::new(true, Origin::Option("--offline")),
            (_, _, Some(file)) if file.value => file,
            (_, Some(name), _) => Setting::new(true, Origin::Variable(name)),
            (.., file) => file.unwrap_or(Setting::new(false, Origin::Default)),
        }
    }
}

/// Parses the name of a tier.
pub(crate) fn parse_tier(text: &str) -> Result<Tier, String> {
    Tier::from_name(text).ok_or_else(|| "expected sovereign, private or standard".to_owned())
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
        PROXY_VARIABLES.into_iter().find_map(|name| either(name).map(|text| (text, name)))
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
    if scheme.starts_with("socks") {
        return Err(format!("{scheme} proxies are not supported; give an http or https proxy"));
    }
    let login = login_of(text).map(|(user, password)| (user.to_owned(), password.to_owned()));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    Url::parse(&format!("{scheme}://{rest}")).map(|url| (url, login)).map_err(|error| error.to_string())
}

/// Returns user and password of the address of a proxy, if it has them.
pub(crate) fn login_of(address: &str) -> Option<(&str, &str)> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let (login, _) = rest.rsplit_once('@')?;
    Some(login.split_once(':').unwrap_or((login, "")))
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

/// The address of a proxy, the first one that is set. They are known in small letters, too.
pub(crate) const PROXY_VARIABLES: [&str; 2] = ["HTTPS_PROXY", "ALL_PROXY"];
/// Lowers the tier.
const TIER_VARIABLE: &str = "STACK_PRIVACY";
/// Each of them switches the network off.
const OFFLINE_VARIABLES: [&str; 2] = ["STACK_OFFLINE", "HF_HUB_OFFLINE"];
/// Without any word of the operator, a command that was told to fetch something may fetch it: nothing is fetched
/// that no command names.
const DEFAULT: Tier = Tier::Standard;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_may_lower_the_tier_and_not_raise_it() {
        let config = |tier: &str| Config::parse(format!("[privacy]\ntier = \"{tier}\"").as_bytes()).unwrap();
        let asked = |tier| PrivacyArguments { privacy: Some(tier), ..PrivacyArguments::default() };
        let lowered = asked(Tier::Sovereign).policy(&config("private")).unwrap();
        assert_eq!(lowered.tier, Tier::Sovereign);
        let error = asked(Tier::Standard).policy(&config("private")).unwrap_err();
        assert_eq!(error.kind(), Kind::Refused);
        let default = PrivacyArguments::default().policy(&Config::default()).unwrap();
        assert_eq!((default.tier, default.offline), (Tier::Standard, false));
    }

    #[test]
    fn values_know_who_set_them() {
        let text = "[privacy]\ntier = \"private\"\noffline = true\nhosts = [\"a.lan\"]";
        let section = Config::parse(text.as_bytes()).unwrap().privacy;
        let effective = PrivacyArguments::default().effective(&section).unwrap();
        assert_eq!((effective.tier.origin, effective.offline.origin), (Origin::File(2), Origin::File(3)));
        let arguments = PrivacyArguments {
            allow_host: vec![HostPattern::parse("b.lan").unwrap()],
            ..PrivacyArguments::default()
        };
        let hosts = arguments.effective(&section).unwrap().hosts;
        assert_eq!((hosts.value.len(), hosts.origin), (2, Origin::Option("--allow-host")));
    }

    #[test]
    fn proxies_may_have_a_login() {
        let (url, login) = proxy_address("http://me:se:cret@proxy.lan:3128").unwrap();
        assert_eq!(url.to_string(), "http://proxy.lan:3128/");
        assert_eq!(login, Some(("me".into(), "se:cret".into())));
        assert_eq!(proxy_address("proxy.lan:3128").unwrap().0.to_string(), "http://proxy.lan:3128/");
        assert!(proxy_address("socks5h://proxy.lan").unwrap_err().contains("not supported"));
        assert!(proxy_address("ftp://proxy.lan").is_err());
    }

    #[test]
    fn exceptions_are_hosts_and_domains() {
        assert_eq!(exception(" .lan "), HostPattern::parse("*.lan").ok());
        assert_eq!(exception("a.lan"), HostPattern::parse("a.lan").ok());
        assert_eq!(exception("10.0.0.0/8"), None);
    }
}
