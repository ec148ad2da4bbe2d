//! The decision: a function of the settings and of what is asked.

use std::fmt;
use std::net::IpAddr;

use stack_chat::{Class, Failure, FailureKind, Tier};
use stack_url::{Origin, Scheme, Url};

use super::address::{is_local_network, is_loopback_host, is_public, literal};
use super::hosts::HostPattern;

/// Decides which requests may leave.
#[derive(Clone, Debug)]
pub struct EgressPolicy {
    /// The highest tier that anything may use.
    pub tier: Tier,
    /// Whether nothing is asked of the network.
    pub offline: bool,
    /// Hosts that may be contacted under the tier private, and wherever else only listed hosts may be.
    pub listed: Vec<HostPattern>,
    /// By which proxy files are fetched. Providers are never asked by way of one.
    pub proxy: Option<Proxy>,
}

/// A proxy, and who is reached without it.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Where it is.
    pub url: Url,
    /// Who is reached without it.
    pub except: Vec<HostPattern>,
    /// A user name and a password for the proxy, as its address gave them.
    pub login: Option<(String, String)>,
}

/// Something that is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct EgressRequest<'a> {
    /// Where to.
    pub origin: &'a Origin,
    /// What for.
    pub purpose: Purpose<'a>,
    /// How far the request itself may reach. It lowers the ceiling, and never raises it.
    pub tier: Option<Tier>,
}

/// What something is sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// A file is fetched or brought, by a command that has its own entry in the audit log.
    Transfer,
    /// Credentials are exchanged for a token, which the registry on this host asks for.
    Realm {
        /// The host of the registry.
        of: &'a str,
    },
    /// A model at a provider of the configuration is asked, or asked about.
    Provider {
        /// The provider.
        name: &'a str,
        /// The model there.
        model: &'a str,
        /// Whether the operator allows it to be spoken to in clear, where it is listed.
        plaintext: bool,
    },
}

/// Why a request may not leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// For programs.
    pub refusal: Refusal,
    /// For people: a sentence without capital and full stop.
    pub message: String,
}

/// The rules by which requests do not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The tier goes nowhere like that.
    TierForbids,
    /// The operator did not list the host.
    HostNotListed,
    /// Nothing is to be asked of the network.
    Offline,
    /// It could not be written down.
    NotAudited,
}

impl EgressPolicy {
    /// Decides about one request.
    ///
    /// # Errors
    ///
    /// Says by which rule it may not leave.
    pub fn decide(&self, request: &EgressRequest<'_>) -> Result<Class, Denied> {
        let EgressRequest { origin, purpose, tier } = *request;
        let refuse = |refusal, message: String| Err(Denied { refusal, message });
        if self.offline {
            return refuse(Refusal::Offline, "offline: network access is disabled".to_owned());
        }
        let tier = self.effective(tier)?;
        let loopback = is_loopback_host(&origin.host);
        // Whoever configured a backend of this machine has listed it.
        let configured = loopback && matches!(purpose, Purpose::Provider { .. });
        let listed = configured || self.is_listed(origin);
        let authority = origin.authority();
        if tier == Tier::Sovereign && !loopback {
            let message = format!("the tier sovereign does not allow contacting {authority}");
            return refuse(Refusal::TierForbids, message);
        }
        if !listed && (loopback || tier < Tier::Standard) {
            let tier = tier.name();
            let message =
                format!("the tier {tier} does not allow contacting {authority}, which is not listed");
            return refuse(Refusal::HostNotListed, message);
        }
        if let Purpose::Realm { of } = purpose
            && !listed
            && !(origin.scheme == Scheme::Https && origin.host == of)
        {
            let message = format!("{of} asks to send credentials to {authority}, which is not listed");
            return refuse(Refusal::HostNotListed, message);
        }
        let may_be_read = listed && matches!(purpose, Purpose::Provider { plaintext: true, .. });
        if origin.scheme == Scheme::Http && !loopback && !may_be_read {
            return refuse(Refusal::TierForbids, format!("{authority} would be contacted over plain http"));
        }
        if let Some(address) = literal(&origin.host)
            && !listed
            && !is_public(address)
        {
            let message = format!("{authority} is not a public address and not listed");
            return refuse(Refusal::HostNotListed, message);
        }
        if let Some(proxy) = self.proxy_for(origin)
            && tier == Tier::Private
            && !self.is_listed(proxy.url.origin())
        {
            let message = format!("the proxy {} is not listed", proxy.url.origin().authority());
            return refuse(Refusal::HostNotListed, message);
        }
        Ok(match (loopback, listed) {
            (true, _) => Class::Loopback,
            (false, true) => Class::Listed,
            (false, false) => Class::Public,
        })
    }

    /// Returns the tier of a request that asks for this one.
    ///
    /// # Errors
    ///
    /// When it asks for more than the operator allows: whoever gets less than asked for must hear of it.
    pub fn effective(&self, asked: Option<Tier>) -> Result<Tier, Denied> {
        match asked {
            Some(asked) if asked > self.tier => {
                let (asked, ceiling) = (asked.name(), self.tier.name());
                let message =
                    format!("the request asks for the tier {asked}, and {ceiling} is the highest here");
                Err(Denied { refusal: Refusal::TierForbids, message })
            }
            asked => Ok(asked.unwrap_or(self.tier)),
        }
    }

    /// Judges what a name was resolved to, all of it.
    ///
    /// `localhost` is this machine. A listed host is in the networks that it was listed with, and without any, on the
    /// public internet or a local network: never on this machine and never where machines find their own credentials
    /// (169.254.169.254). All others are public.
    ///
    /// # Errors
    ///
    /// Names the first address that does not fit.
    pub fn admits(&self, host: &str, addresses: &[IpAddr]) -> Result<(), Denied> {
        let proxy = self.proxy.as_ref().is_some_and(|proxy| proxy.url.host() == host);
        let patterns: Vec<_> = self.listed.iter().filter(|pattern| pattern.matches_host(host)).collect();
        let networks: Vec<_> = patterns.iter().flat_map(|pattern| pattern.networks()).collect();
        let fits = |address: &IpAddr| {
            if is_loopback_host(host) {
                address.is_loopback()
            } else if !networks.is_empty() {
                networks.iter().any(|network| network.contains(*address))
            } else {
                is_public(*address) || ((proxy || !patterns.is_empty()) && is_local_network(*address))
            }
        };
        let Some(address) = addresses.iter().find(|address| !fits(address)) else { return Ok(()) };
        let why = match (patterns.is_empty(), networks.is_empty()) {
            (true, _) => "is not a public address, and is not listed",
            (false, true) => "a listed host may have only if it is listed with its network",
            (false, false) => "is outside the networks that it is listed with",
        };
        let message = format!("{host} resolves to {address}, which {why}");
        Err(Denied { refusal: Refusal::HostNotListed, message })
    }

    /// Returns the proxy by which an origin is reached.
    pub fn proxy_for(&self, origin: &Origin) -> Option<&Proxy> {
        let direct = |proxy: &&Proxy| !proxy.except.iter().any(|pattern| pattern.matches(origin));
        self.proxy.as_ref().filter(direct).filter(|_| !is_loopback_host(&origin.host))
    }

    fn is_listed(&self, origin: &Origin) -> bool {
        self.listed.iter().any(|pattern| pattern.matches(origin))
    }
}

impl Purpose<'_> {
    /// Returns its name in the audit log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Realm { .. } => "realm",
            Self::Provider { .. } => "provider",
        }
    }
}

impl Refusal {
    /// Returns its name in logs and errors.
    pub fn code(self) -> &'static str {
        match self {
            Self::TierForbids => "tier-forbids",
            Self::HostNotListed => "host-not-listed",
            Self::Offline => "offline",
            Self::NotAudited => "not-audited",
        }
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        Self::new(FailureKind::PrivacyBlocked, denied.message)
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Denied {}
