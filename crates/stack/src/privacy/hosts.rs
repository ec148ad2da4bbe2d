//! How hosts are listed.

use std::fmt;

use stack_registry::url::{Origin, Url};

/// A host, with or without its port, or every host beneath a domain: `a.b`, `a.b:443`, `*.a.b`, `[::1]:5000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPattern {
    /// Whether hosts beneath `host` are meant instead of itself.
    beneath: bool,
    host: String,
    port: Option<u16>,
}

impl HostPattern {
    /// Parses a pattern.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (beneath, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        let wrong = || format!("{text:?} is not a host: use host, host:port or *.domain");
        if rest.contains(['/', '?', '#', '*']) {
            return Err(wrong());
        }
        let url = Url::parse(&format!("https://{rest}")).map_err(|_| wrong())?;
        let origin = url.origin();
        let has_port = rest.len() > origin.host.len();
        Ok(Self { beneath, host: origin.host.clone(), port: has_port.then_some(origin.port) })
    }

    /// Whether an origin is meant.
    pub(crate) fn matches(&self, origin: &Origin) -> bool {
        self.matches_host(&origin.host) && self.port.is_none_or(|port| port == origin.port)
    }

    /// Whether a host is meant, on some port.
    pub(crate) fn matches_host(&self, host: &str) -> bool {
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
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
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
    fn other_texts_are_no_patterns() {
        for text in ["", "*", "*.", "a/b", "https://a.b", "a.*.b", "a b", "user@a.b", "a.b:0"] {
            assert!(HostPattern::parse(text).is_err(), "{text:?}");
        }
    }
}
