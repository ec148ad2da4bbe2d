//! Origins of web pages and names of hosts, as browsers write them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The origin of a web page: scheme, host and port, as a browser sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

/// The name of a host, without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

/// Why a text is no origin or no host name: a sentence for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameError(&'static str);

impl Origin {
    /// Tells whether a browser sent this origin. Browsers write an origin in one way only.
    pub(crate) fn is(&self, sent: &str) -> bool {
        self.0 == sent
    }
}

impl HostName {
    /// Tells whether `authority`, a host with or without a port, is this host.
    pub(crate) fn is_of(&self, authority: &str) -> bool {
        host_of(authority).is_some_and(|host| host.eq_ignore_ascii_case(&self.0))
    }
}

/// Tells whether the page with the origin `sent` comes from a server of this machine.
pub(crate) fn is_page_of_this_machine(sent: &str) -> bool {
    let web = sent.strip_prefix("http://").or_else(|| sent.strip_prefix("https://"));
    web.is_some_and(names_this_machine)
}

/// Tells whether `authority`, a host with or without a port, is a loopback name.
pub(crate) fn names_this_machine(authority: &str) -> bool {
    let Some(host) = host_of(authority) else { return false };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Cuts off the port, and the brackets of an IPv6 address. `None` where the rest is not a port.
fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => authority.find(':').map_or((authority, ""), |colon| authority.split_at(colon)),
    };
    let is_port =
        |digits: &str| digits.parse::<u16>().is_ok() && digits.bytes().all(|byte| byte.is_ascii_digit());
    (port.is_empty() || port.strip_prefix(':').is_some_and(is_port)).then_some(host)
}

impl FromStr for Origin {
    type Err = NameError;

    /// Reads an origin and writes it as browsers do: in lower case, without the port that its scheme implies.
    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.contains('*') {
            return Err(NameError(
                "each origin must be written out: any page of a wildcard could use the models",
            ));
        }
        if text == "null" || text.starts_with("file:") {
            return Err(NameError(
                "pages from files, and all others whose origin is null, are never let in; serve the page from localhost",
            ));
        }
        let Some((scheme, rest)) = text.split_once("://") else { return Err(FORM) };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        let is_authority = |byte: u8| byte.is_ascii_graphic() && !b"/?#@\\,".contains(&byte);
        let has_scheme = !scheme.is_empty() && scheme.bytes().all(is_scheme);
        let has_host = host_of(authority).is_some_and(|host| !host.is_empty());
        if !(has_scheme && has_host && authority.bytes().all(is_authority)) || text.len() > BYTES_MAX {
            return Err(FORM);
        }
        let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
        let implied = match scheme.as_str() {
            "http" => ":80",
            "https" => ":443",
            _ => "",
        };
        let authority = authority.strip_suffix(implied).unwrap_or(&authority);
        Ok(Self(format!("{scheme}://{authority}")))
    }
}

impl FromStr for HostName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let named = !text.is_empty() && text.bytes().all(is_name);
        if text.len() <= BYTES_MAX && (named || text.parse::<IpAddr>().is_ok()) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err(NameError(
            "expected the name of a host without scheme, port or wildcard, such as llm.example.org",
        ))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NameError {}

const FORM: NameError = NameError(
    "expected scheme, host and, where it is not the usual one, port: https://app.example.org or http://10.0.0.5:3000",
);
const BYTES_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (text, sent) in [
            ("https://app.example.org", "https://app.example.org"),
            ("https://App.Example.ORG:443/", "https://app.example.org"),
            ("HTTP://app.example.org:80", "http://app.example.org"),
            ("http://app.example.org:8080", "http://app.example.org:8080"),
            ("http://[2001:DB8::1]:3000", "http://[2001:db8::1]:3000"),
            ("app://obsidian.md", "app://obsidian.md"),
            ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
        ] {
            assert!(text.parse::<Origin>().expect(text).is(sent), "{text}");
        }
        assert!(
            !"https://app.example.org".parse::<Origin>().unwrap().is("https://app.example.org.evil.example")
        );
    }

    #[test]
    fn what_no_browser_sends_is_no_origin() {
        for text in [
            "",
            "*",
            "null",
            "https://*.example.org",
            "app.example.org",
            "https://",
            "https:///",
            "file:///",
            "https://app.example.org/path",
            "https://user@app.example.org",
            "https://app.example.org:port",
            "https://app.example.org:",
            "https://app.example.org:+80",
            "https://app.example.org:65536",
            "https://app.example.org, https://b.example",
            "https://app.example.org ",
            "https://äpp.example.org",
            "http://[::1",
            "http://:80",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_name_has_no_port() {
        let name: HostName = "LLM.example.org".parse().unwrap();
        assert!(name.is_of("llm.example.org") && name.is_of("llm.EXAMPLE.org:8443"));
        assert!(!name.is_of("evil.llm.example.org") && !name.is_of("llm.example.org.evil.example"));
        assert!("::1".parse::<HostName>().unwrap().is_of("[::1]:80"));
        for text in
            ["", "llm.example.org:80", "https://llm.example.org", "*", "*.example.org", "a b", "a/b", "ä"]
        {
            assert!(text.parse::<HostName>().is_err(), "{text}");
        }
    }

    #[test]
    fn pages_of_this_machine_are_known_by_their_origin() {
        for sent in [
            "http://localhost",
            "http://localhost:3000",
            "https://localhost:8443",
            "http://127.0.0.1:5173",
            "https://127.0.0.1",
            "http://[::1]:3000",
        ] {
            assert!(is_page_of_this_machine(sent), "{sent}");
        }
        for sent in [
            "null",
            "",
            "localhost",
            "file://",
            "file://localhost",
            "ftp://localhost",
            "http://localhost.evil.example",
            "http://localhost:3000.evil.example",
            "http://localhost@evil.example",
            "http://localhost:80@evil.example",
            "http://127.0.0.1.evil.example",
            "http://192.168.0.1",
            "http://0.0.0.0",
            "http://[::1].evil.example",
            "http://evil.example/http://localhost",
        ] {
            assert!(!is_page_of_this_machine(sent), "{sent}");
        }
    }
}
