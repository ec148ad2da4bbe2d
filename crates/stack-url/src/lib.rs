//! Addresses of the network, read strictly: what two parsers could read differently is refused.
//!
//! Whoever decides where a request may go and whoever then connects must mean the same host, so both read addresses here
//! and nowhere else. It is a crate of its own because the two are: models come and go by `stack-registry`, and
//! `stack-gateway` decides and connects. This crate resolves no names and opens nothing.
//!
//! ```
//! use stack_url::Url;
//!
//! let url = Url::parse("https://Example.org:443/v1?x=1")?;
//! assert_eq!((url.origin().authority().as_str(), url.target()), ("example.org", "/v1?x=1"));
//! assert!(Url::parse("http://0x7f.1/").is_err(), "some resolvers take this for 127.0.0.1");
//! # Ok::<(), stack_url::UrlError>(())
//! ```
//!
//! Invariants:
//! - A host is a DNS name, a canonical IPv4 address or an IPv6 address in brackets, in lower case.
//! - There is no user information in an address.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// An `http` or `https` address without user information and fragment.
///
/// The host is lower case and either a DNS name, a canonical IPv4 address or an IPv6 address in brackets; forms such
/// as `0x7f.1` or `2130706433`, which some resolvers take for addresses, are refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    origin: Origin,
    /// Path and query; begins with `/`.
    target: String,
}

/// Scheme, host and port: what credentials belong to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// How the connection is made.
    pub scheme: Scheme,
    /// The host, lower case; IPv6 addresses in brackets.
    pub host: String,
    /// The port, the scheme's own if none was given.
    pub port: u16,
}

/// How a connection is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In clear.
    Http,
    /// Over TLS.
    Https,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlError {
    text: String,
    problem: &'static str,
}

impl Url {
    /// Parses an absolute address. A fragment is dropped.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let fail = |problem| UrlError { text: text.chars().take(SHOWN_MAX).collect(), problem };
        if text.len() > LENGTH_MAX {
            return Err(fail("is too long"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(fail("has no scheme"));
        };
        let scheme = match scheme {
            _ if scheme.eq_ignore_ascii_case("https") => Scheme::Https,
            _ if scheme.eq_ignore_ascii_case("http") => Scheme::Http,
            _ => return Err(fail("is neither https nor http")),
        };
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let origin = Origin::parse(scheme, authority).map_err(fail)?;
        if !target.bytes().all(may_stand_in_target) {
            return Err(fail("contains characters that must be percent-encoded"));
        }
        let target = match target.as_bytes().first() {
            Some(b'/') => target.to_owned(),
            _ => format!("/{target}"),
        };
        Ok(Self { origin, target })
    }

    /// Returns where a reference such as a `Location` header leads, seen from this address.
    pub fn join(&self, reference: &str) -> Result<Self, UrlError> {
        let origin = &self.origin;
        if reference.contains("://") && !reference.starts_with(['/', '?', '.']) {
            return Self::parse(reference);
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", origin.scheme));
        }
        let path = self.target.split('?').next().unwrap_or("/");
        let target = match reference.as_bytes().first() {
            Some(b'/') => reference.to_owned(),
            Some(b'?') | None => format!("{path}{reference}"),
            Some(_) => {
                let folder = path.rfind('/').map_or("/", |slash| &path[..=slash]);
                format!("{folder}{reference}")
            }
        };
        Self::parse(&format!("{origin}{target}"))
    }

    /// Adds a parameter to the query.
    #[must_use]
    pub fn with_query(&self, key: &str, value: &str) -> Self {
        let separator = if self.target.contains('?') { '&' } else { '?' };
        let target = format!("{}{separator}{}={}", self.target, encode(key), encode(value));
        Self { origin: self.origin.clone(), target }
    }

    /// Returns scheme, host and port.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the host, lower case; IPv6 addresses in brackets.
    pub fn host(&self) -> &str {
        &self.origin.host
    }

    /// Returns path and query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns the address without its query, which may hold a signature that nobody else should see.
    pub fn without_query(&self) -> String {
        format!("{}{}", self.origin, self.target.split('?').next().unwrap_or("/"))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.target)
    }
}

impl Origin {
    /// Parses `host[:port]`.
    fn parse(scheme: Scheme, authority: &str) -> Result<Self, &'static str> {
        if authority.contains('@') {
            return Err("contains a user name or password");
        }
        let bracket = authority.starts_with('[');
        let split = if bracket {
            authority.find(']').map(|end| authority.split_at(end + 1))
        } else {
            Some(authority.split_at(authority.find(':').unwrap_or(authority.len())))
        };
        let Some((host, port)) = split else { return Err("has an unclosed bracket") };
        let host = host.to_ascii_lowercase();
        let sound = if bracket {
            host[1..host.len() - 1].parse::<Ipv6Addr>().is_ok()
        } else {
            is_name(&host) || host.parse::<Ipv4Addr>().is_ok()
        };
        if !sound {
            return Err("has no valid host");
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => scheme.port(),
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|&port| port > 0).ok_or("has no valid port")?
            }
            _ => return Err("has no valid port"),
        };
        Ok(Self { scheme, host, port })
    }

    /// Returns `host[:port]` as a `Host` header spells it.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.port() {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority())
    }
}

impl Scheme {
    /// The port that is meant when none is named.
    pub fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the URL {} {}", self.text.escape_default(), self.problem)
    }
}

impl std::error::Error for UrlError {}

/// Percent-encodes one segment of a path, or one value of a query.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from(HEX[usize::from(nibble)]);
            encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    encoded
}

/// Whether a host is a DNS name. The last label must not be a number: that would be an address in disguise.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    let number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    host.len() <= 253 && !number && host.split('.').all(label)
}

fn may_stand_in_target(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'<' | b'>' | b'"')
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";
/// Signed addresses have some two thousand bytes.
const LENGTH_MAX: usize = 16 << 10;
/// An error shows no more of an address than this.
const SHOWN_MAX: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        Url::parse(text).unwrap().to_string()
    }

    #[test]
    fn addresses_are_normalized() {
        assert_eq!(parsed("HTTPS://Example.org"), "https://example.org/");
        assert_eq!(parsed("https://example.org:443/a?b=c#d"), "https://example.org/a?b=c");
        assert_eq!(parsed("http://127.0.0.1:80?x"), "http://127.0.0.1/?x");
        assert_eq!(parsed("http://[::1]:5000/v2/"), "http://[::1]:5000/v2/");
    }

    #[test]
    fn ambiguous_addresses_are_refused() {
        for text in [
            "",
            "example.org",
            "ftp://a.b/",
            "file:///etc/passwd",
            "https://",
            "https:///a",
            "https://a:b@c.d/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://127.1/",
            "https://127.0.0.01/",
            "https://a..b/",
            "https://a.b:0/",
            "https://a.b:65536/",
            "https://a.b:/",
            "https://a.b:+1/",
            "https://[::1/",
            "https://[::g]/",
            "https://[::1%eth0]/",
            "https://a b/",
            "https://a/\\b",
            "https://a/b c",
            "https://ä.de/",
            "https://a.b./",
            "https://a\n.b/",
        ] {
            assert!(Url::parse(text).is_err(), "{text:?}");
        }
        assert!(Url::parse(&format!("https://a.b/{}", "x".repeat(LENGTH_MAX))).is_err());
    }

    #[test]
    fn references_lead_from_here() {
        let base = Url::parse("https://hub.test:8443/o/r/file?x=1").unwrap();
        for (reference, expected) in [
            ("https://cdn.test/y", "https://cdn.test/y"),
            ("//cdn.test/y", "https://cdn.test/y"),
            ("/y?z", "https://hub.test:8443/y?z"),
            ("y", "https://hub.test:8443/o/r/y"),
            ("?y=https://a.b", "https://hub.test:8443/o/r/file?y=https://a.b"),
        ] {
            assert_eq!(base.join(reference).unwrap().to_string(), expected, "{reference}");
        }
        assert!(base.join("javascript://x").is_err());
    }

    #[test]
    fn queries_are_encoded() {
        let url = Url::parse("https://a.b/token").unwrap();
        let url = url.with_query("scope", "repository:x/y:pull,push").with_query("ü", "&");
        assert_eq!(url.target(), "/token?scope=repository%3Ax%2Fy%3Apull%2Cpush&%C3%BC=%26");
        assert_eq!(url.without_query(), "https://a.b/token");
    }
}
