//! What may leave this machine, decided before any name is looked up or socket opened.
//!
//! A [`EgressGate`] turns an address into an [`EgressPermit`], or refuses it by name. The transport sends nothing without
//! one, and asks anew for each hop of a redirect. Where names are resolved, [`EgressGate::admits`] judges every answer, so
//! that a name cannot lead to an address that its spelling hides.
//!
//! Sovereign is this machine: nothing but loopback hosts that the operator listed. Private is hosts that the operator
//! listed. Standard is any host over https, and none that is not public, unless listed.

mod address;
mod hosts;

use std::fmt;
use std::net::IpAddr;

use stack_registry::fetch::{Hop, Refusal};
use stack_registry::url::{Origin, Scheme, Url};
pub(crate) use stack_seal::statement::Tier;

pub(crate) use address::{is_loopback_host, is_public};
pub(crate) use hosts::HostPattern;

/// Decides which requests may leave.
#[derive(Clone, Debug)]
pub(crate) struct EgressGate {
    tier: Tier,
    offline: bool,
    listed: Vec<HostPattern>,
    proxy: Option<Proxy>,
}

/// The effective settings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) tier: Tier,
    pub(crate) offline: bool,
    pub(crate) listed: Vec<HostPattern>,
    pub(crate) proxy: Option<Proxy>,
}

/// A proxy, and who is reached without it.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    pub(crate) url: Url,
    pub(crate) except: Vec<HostPattern>,
    /// A user name and a password for the proxy, as its address gave them.
    pub(crate) login: Option<(String, String)>,
}

/// Leave to send one request to one origin. Only [`EgressGate::permit`] makes it.
#[derive(Debug)]
pub(crate) struct EgressPermit {
    origin: Origin,
}

/// Why a request may not leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    /// Why.
    pub(crate) refusal: Refusal,
    pub(crate) message: String,
}

impl EgressGate {
    /// Makes a gate.
    pub(crate) fn new(settings: Settings) -> Self {
        let Settings { tier, offline, listed, proxy } = settings;
        Self { tier, offline, listed, proxy }
    }

    /// Returns the highest tier that it lets through.
    pub(crate) fn tier(&self) -> Tier {
        self.tier
    }

    /// Decides about one request.
    pub(crate) fn permit(&self, url: &Url, hop: &Hop) -> Result<EgressPermit, Denied> {
        let origin = url.origin();
        let listed = self.is_listed(origin);
        let refuse = |refusal, message: String| Err(Denied { refusal, message });
        if self.offline {
            return refuse(Refusal::Offline, "offline: network access is disabled".to_owned());
        }
        let loopback = is_loopback_host(&origin.host);
        let authority = origin.authority();
        if self.tier == Tier::Sovereign && !loopback {
            return refuse(
                Refusal::TierForbids,
                format!("the tier sovereign does not allow contacting {authority}"),
            );
        }
        if !listed && (loopback || self.tier < Tier::Standard) {
            return refuse(
                Refusal::HostNotListed,
                format!(
                    "the tier {} does not allow contacting {authority}, which is not listed",
                    self.tier.name()
                ),
            );
        }
        if let Hop::Realm { of } = hop
            && !listed
            && !(origin.scheme == Scheme::Https && origin.host == *of)
        {
            let message = format!("{of} asks to send credentials to {authority}, which is not listed");
            return refuse(Refusal::HostNotListed, message);
        }
        if origin.scheme == Scheme::Http && !loopback {
            return refuse(Refusal::TierForbids, format!("{authority} would be contacted over plain http"));
        }
        if let Some(address) = address::literal(&origin.host)
            && !listed
            && !is_public(address)
        {
            return refuse(
                Refusal::HostNotListed,
                format!("{authority} is not a public address and not listed"),
            );
        }
        if let Some(proxy) = self.proxy_for(origin)
            && self.tier == Tier::Private
            && !self.is_listed(proxy.url.origin())
        {
            let message = format!("the proxy {} is not listed", proxy.url.origin().authority());
            return refuse(Refusal::HostNotListed, message);
        }
        Ok(EgressPermit { origin: origin.clone() })
    }

    /// Judges what a name was resolved to. Listed hosts may be anywhere, except that `localhost` is this machine;
    /// others must be public.
    pub(crate) fn admits(&self, host: &str, addresses: &[IpAddr]) -> Result<(), Denied> {
        let proxy = self.proxy.as_ref().is_some_and(|proxy| proxy.url.host() == host);
        let listed = proxy || self.listed.iter().any(|pattern| pattern.matches_host(host));
        let sound = |address: &IpAddr| {
            if is_loopback_host(host) { address.is_loopback() } else { listed || is_public(*address) }
        };
        match addresses.iter().find(|address| !sound(address)) {
            None => Ok(()),
            Some(address) => Err(Denied {
                refusal: Refusal::HostNotListed,
                message: format!(
                    "{host} resolves to {address}, which is not a public address, and is not listed"
                ),
            }),
        }
    }

    /// Returns the proxy by which an origin is reached.
    pub(crate) fn proxy_for(&self, origin: &Origin) -> Option<&Proxy> {
        let direct = |proxy: &&Proxy| !proxy.except.iter().any(|pattern| pattern.matches(origin));
        self.proxy.as_ref().filter(direct).filter(|_| !is_loopback_host(&origin.host))
    }

    fn is_listed(&self, origin: &Origin) -> bool {
        self.listed.iter().any(|pattern| pattern.matches(origin))
    }
}

impl EgressPermit {
    /// Uses the permit up, and says where the request may go.
    pub(crate) fn into_origin(self) -> Origin {
        self.origin
    }
}

/// Parses the name of a tier.
pub(crate) fn parse_tier(text: &str) -> Result<Tier, String> {
    Tier::from_name(text).ok_or_else(|| "expected sovereign, private or standard".to_owned())
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Denied {}

#[cfg(test)]
mod tests;
