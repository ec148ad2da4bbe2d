//! What the operator says of a provider.

use std::fmt;

use stack_url::{Origin, Url};
use stack_wire::provider::{Family, Route, ThinkingForm};

use super::{Interface, ProviderKey, ProviderKind, StreamTimeouts};
use crate::{AdapterSet, Adapters, BreakerOptions, RetryOptions};

/// A provider, as the operator describes it.
#[derive(Clone, Debug)]
pub struct ProviderOptions {
    /// The name by which requests select it: `NAME/model`.
    pub name: String,
    /// What it is.
    pub kind: ProviderKind,
    /// Which interface it is asked through, if it has two.
    pub interface: Interface,
    /// Where it is.
    pub base: ProviderBase,
    /// The key that it knows us by.
    pub key: Option<ProviderKey>,
    /// Its models that may be asked; without any, all.
    pub models: Vec<String>,
    /// How its models are told how much to think; `None` if they cannot.
    pub thinking: Option<ThinkingForm>,
    /// The most tokens that its models write, if that is known.
    pub output_tokens_max: Option<u32>,
    /// Whether it may be told to fetch media from the network.
    pub remote_media: bool,
    /// Whether it may be spoken to in clear, where it is a listed host.
    pub plaintext: bool,
    /// How long it may take.
    pub timeouts: StreamTimeouts,
    /// How often a request to it is tried.
    pub retries: RetryOptions,
    /// When it is left alone.
    pub breaker: BreakerOptions,
    /// What it calls otherwise than its family does.
    pub adapters: Adapters,
}

/// Where a provider is: an origin, and what stands before all paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderBase {
    origin: Origin,
    prefix: String,
}

/// Why an address is not where a provider is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadBase(String);

impl ProviderOptions {
    /// Describes a provider of which nothing is said but what it is.
    pub fn new(name: &str, kind: ProviderKind, base: ProviderBase) -> Self {
        let timeouts = StreamTimeouts { first_output: kind.first_output(), ..StreamTimeouts::default() };
        Self {
            name: name.to_owned(),
            kind,
            interface: kind.interface(),
            base,
            key: None,
            models: Vec::new(),
            thinking: kind.thinking(),
            output_tokens_max: None,
            remote_media: false,
            plaintext: false,
            timeouts,
            retries: RetryOptions::default(),
            breaker: BreakerOptions::default(),
            adapters: Adapters::new(AdapterSet::shipped()),
        }
    }

    /// Returns the interface as the codecs know it.
    pub fn family(&self) -> Family {
        self.kind.family(self.interface)
    }

    /// Returns the route to a model, with the adapter that is in force now.
    pub(super) fn route(&self, model: &str) -> Route {
        let adapter = self.adapters.current().find(&self.name, self.kind, self.family());
        let family = adapter.as_ref().map_or(self.family(), |adapter| adapter.family_for(model));
        Route {
            adapter,
            thinking: self.thinking,
            output_tokens_max: self.output_tokens_max,
            extended: self.kind.is_extended(),
            remote_media: self.remote_media,
            ..Route::new(&self.name, family, model)
        }
    }
}

impl ProviderBase {
    /// Parses an address as people know it: with or without the version that begins all paths.
    ///
    /// # Errors
    ///
    /// When it is no address, or has a query.
    pub fn parse(text: &str) -> Result<Self, BadBase> {
        let url = Url::parse(text).map_err(|error| BadBase(error.to_string()))?;
        let path = url.target();
        if path.contains('?') || path.split('/').any(|segment| segment == "..") {
            return Err(BadBase(format!("{} has more than a path", url.without_query())));
        }
        let path = path.trim_end_matches('/');
        let prefix = VERSIONS.iter().find_map(|version| path.strip_suffix(version)).unwrap_or(path);
        Ok(Self { origin: url.origin().clone(), prefix: prefix.to_owned() })
    }

    /// Returns its origin.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the address of a path.
    pub(super) fn url(&self, path: &str) -> Result<Url, BadBase> {
        let Self { origin, prefix } = self;
        Url::parse(&format!("{origin}{prefix}{path}")).map_err(|error| BadBase(error.to_string()))
    }
}

impl fmt::Display for ProviderBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.prefix)
    }
}

impl fmt::Display for BadBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadBase {}

/// What begins the paths of the families, and ends the addresses that people copy.
const VERSIONS: [&str; 3] = ["/v1", "/v1beta", "/api"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_may_be_left_out() {
        for (base, url) in [
            ("https://a.test", "https://a.test/v1/messages"),
            ("https://a.test/v1/", "https://a.test/v1/messages"),
            ("http://127.0.0.1:8000/openai/v1", "http://127.0.0.1:8000/openai/v1/messages"),
            ("https://a.test/proxy/", "https://a.test/proxy/v1/messages"),
        ] {
            let base = ProviderBase::parse(base).unwrap();
            assert_eq!(base.url("/v1/messages").unwrap().to_string(), url);
        }
        for wrong in
            ["a.test", "https://a.test/?key=x", "https://u:p@a.test/", "http://0x7f.1/", "https://a/../b"]
        {
            assert!(ProviderBase::parse(wrong).is_err(), "{wrong}");
        }
    }
}
