//! How hosts are listed.

use std::fmt;

use stack_url::{Origin, Url};

use super::network::Network;

/// A host, with or without its port, or every host beneath a domain: `a.b`, `a.b:443`, `*.a.b`, `[::1]:5000`. Behind `=`
/// may stand the networks that its addresses are in: `a.b=10.0.0.0/8,fd00::/8`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    /// Whether hosts beneath `host` are meant instead of itself.
    beneath: bool,
    host: String,
    port: Option<u16>,
    networks: Vec<Network>,
}

impl HostPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    ///
    /// Says what a pattern looks like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (text, networks) = match text.split_once('=') {
            Some((host, networks)) => {
                (host, networks.split(',').map(Network::parse).collect::<Result<_, _>>()?)
            }
            None => (text, Vec::new()),
        };
        let (beneath, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        let wrong = || format!("{text:?} is not a host: use host, host:port or *.domain");
        if rest.contains(['/', '?', '#', '*']) {
            return Err(wrong());
        }
        let url = Url::parse(&format!("https://{rest}")).map_err(|_| wrong())?;
        let origin = url.origin();
        let has_port = rest.len() > origin.host.len();
        Ok(Self { beneath, host: origin.host.clone(), port: has_port.then_some(origin.port), networks })
    }

    /// Whether an origin is meant.
    pub fn matches(&self, origin: &Origin) -> bool {
        self.matches_host(&origin.host) && self.port.is_none_or(|port| port == origin.port)
    }

    /// Returns the host, if it is one and not every host beneath a domain.
    pub fn name(&self) -> Option<&str> {
        (!self.beneath).then_some(self.host.as_str())
    }

    /// Returns the networks that its addresses are in, if it was listed with any.
    pub(super) fn networks(&self) -> &[Network] {
        &self.networks
    }

    /// Whether a host is meant, on some port.
    pub fn matches_host(&self, host: &str) -> bool {
        match host.strip_suffix(self.host.as_str()) {
            Some(rest) if self.beneath => rest.len() > 1 && rest.ends_with('.'),
            Some(rest) => rest.is_empty(),
            None => false,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let beneath = if self.beneath { "*." } else { "" };
        write!(f, "{beneath}{}", self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        for (place, network) in self.networks.iter().enumerate() {
            write!(f, "{}{network}", if place == 0 { '=' } else { ',' })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, url: &str) -> bool {
        HostPattern::parse(pattern).unwrap().matches(Url::parse(url).unwrap().origin())
    }

    #[test]
    fn patterns_mean_a_host_a_port_or_a_domain() {
        for (pattern, url, expected) in [
            ("a.b", "https://a.b/", true),
            ("A.b", "https://a.B:8443/", true),
            ("a.b", "https://x.a.b/", false),
            ("a.b:443", "https://a.b/", true),
            ("a.b:443", "https://a.b:8443/", false),
            ("*.a.b", "https://x.a.b/", true),
            ("*.a.b", "https://y.x.a.b/", true),
            ("*.a.b", "https://a.b/", false),
            ("*.a.b", "https://evila.b/", false),
            ("[::1]:5000", "http://[::1]:5000/", true),
        ] {
            assert_eq!(matches(pattern, url), expected, "{pattern} {url}");
        }
    }

    #[test]
    fn a_pattern_is_written_as_it_was_read() {
        for text in ["a.b", "*.a.b", "a.b:443", "a.b=10.0.0.0/8,fd00::/8", "[::1]:5000=::1/128"] {
            assert_eq!(HostPattern::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_no_patterns() {
        for text in [
            "",
            "*",
            "*.",
            "a/b",
            "https://a.b",
            "a.*.b",
            "a b",
            "user@a.b",
            "a.b:0",
            "a.b=",
            "a.b=10.0.0.0/33",
            "a.b=10.0.0.1/8",
        ] {
            assert!(HostPattern::parse(text).is_err(), "{text:?}");
        }
    }
}
