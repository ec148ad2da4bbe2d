//! The only place that opens a connection to elsewhere.
//!
//! A request is sent for an [`EgressPermit`], which is used up. The name is resolved by the [`Resolver`], which lets the
//! policy judge every answer, and the connection is made to those addresses. Redirects are never followed, bodies never
//! unpacked, variables of the environment never read; a proxy is used where the policy names one, and nowhere else.

mod error;
mod reply;
mod resolver;

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect;
use serde_json::json;
use stack_url::{Origin, Scheme, Url};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;
use zeroize::Zeroizing;

pub use error::{TransportError, TransportErrorKind};
pub use reply::Reply;
pub use resolver::look_up;

use self::resolver::Resolver;
use crate::privacy::{EgressGate, EgressPermit, EgressPolicy};

/// Connections to elsewhere. Those that are open are kept for the next request to the same origin, so each provider has a
/// transport of its own.
#[derive(Debug)]
pub struct Transport {
    gate: Arc<EgressGate>,
    /// For speech in clear. It knows no certificates and no proxy.
    plain: OnceLock<reqwest::Client>,
    /// Made when needed, where it holds nobody up: it reads the system's certificates.
    tls: OnceCell<reqwest::Client>,
}

/// A request as it is sent.
#[derive(Debug)]
pub struct HttpRequest {
    /// `GET` and the like.
    pub method: &'static str,
    /// Where.
    pub url: Url,
    /// Names in lower case, and values, none of which is a secret.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// A header that holds a secret, which is shown to nobody else.
    pub secret: Option<(&'static str, Zeroizing<String>)>,
    /// What is sent along, if the method sends something.
    pub body: Option<Vec<u8>>,
}

impl Transport {
    /// Makes a transport; nothing is opened yet.
    pub fn new(gate: Arc<EgressGate>) -> Self {
        Self { gate, plain: OnceLock::new(), tls: OnceCell::new() }
    }

    /// Sends a request where its permit allows, and returns the head of the reply. Dropping the future ends the request, as
    /// the caller's wish.
    ///
    /// # Errors
    ///
    /// When the request cannot be sent, or no reply came `until` then.
    pub async fn open(
        &self,
        permit: EgressPermit,
        request: HttpRequest,
        until: Instant,
    ) -> Result<Reply, TransportError> {
        let (origin, entry) = permit.spend();
        let sent = match timeout_at(until.into(), self.send(&origin, request)).await {
            Ok(sent) => sent,
            Err(_elapsed) => {
                let message = "no reply came in time";
                Err(TransportError::new(TransportErrorKind::Stalled, &origin.authority(), message))
            }
        };
        match sent {
            Ok(response) => Ok(Reply::new(response, origin.authority(), entry)),
            Err(error) => {
                let about = json!({"error": error.to_string()});
                match error.kind {
                    TransportErrorKind::Refused(_) => entry.denied(about),
                    _ => entry.failed(about),
                }
                Err(error)
            }
        }
    }

    async fn send(&self, origin: &Origin, request: HttpRequest) -> Result<reqwest::Response, TransportError> {
        let host = origin.authority();
        let client = match origin.scheme {
            Scheme::Http => self.plain(&host)?,
            Scheme::Https => self.tls(&host).await?,
        };
        let prepared = prepare(client, origin, request)?;
        let response = client.execute(prepared).await.map_err(|error| TransportError::of(&host, error))?;
        self.check_peer(origin, &response)?;
        Ok(response)
    }

    /// Looks once more at whom the connection was made to. A proxy stands in for everybody behind it.
    fn check_peer(&self, origin: &Origin, response: &reqwest::Response) -> Result<(), TransportError> {
        let policy = self.gate.policy();
        let is_name = crate::privacy::is_name(&origin.host);
        match response.remote_addr() {
            Some(peer) if is_name && policy.proxy_for(origin).is_none() => policy
                .admits(&origin.host, &[peer.ip()])
                .map_err(|denied| TransportError::denied(&origin.authority(), denied)),
            _ => Ok(()),
        }
    }

    fn plain(&self, host: &str) -> Result<&reqwest::Client, TransportError> {
        if let Some(client) = self.plain.get() {
            return Ok(client);
        }
        let built = builder(&self.gate).tls_certs_only([]).build();
        let client = built.map_err(|error| machine(host, "the network cannot be used").caused(error))?;
        Ok(self.plain.get_or_init(|| client))
    }

    async fn tls(&self, host: &str) -> Result<&reqwest::Client, TransportError> {
        let build = async || {
            let gate = Arc::clone(&self.gate);
            let built = spawn_blocking(move || {
                let builder = builder(&gate);
                builder.proxy(reqwest::Proxy::custom(move |url| proxy(gate.policy(), url))).build()
            });
            let built =
                built.await.map_err(|error| machine(host, "the network cannot be used").caused(error))?;
            built.map_err(|error| machine(host, "no root certificates found").caused(error))
        };
        self.tls.get_or_try_init(build).await
    }
}

/// What all clients have in common.
fn builder(gate: &Arc<EgressGate>) -> reqwest::ClientBuilder {
    // Another part of the program may have chosen the same cryptography before, which is as good.
    let _chosen_before = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "this is the transport")]
    let builder = reqwest::Client::builder();
    builder
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .http1_only()
        .tcp_nodelay(true)
        .connect_timeout(CONNECT_MAX)
        .dns_resolver(Resolver(Arc::clone(gate)))
        .user_agent(concat!("stack/", env!("CARGO_PKG_VERSION")))
}

fn machine(host: &str, problem: &str) -> TransportError {
    TransportError::new(TransportErrorKind::Machine, host, problem)
}

/// Chooses the proxy as the policy did.
fn proxy(policy: &EgressPolicy, url: &reqwest::Url) -> Option<reqwest::Url> {
    let origin = Url::parse(url.as_str()).ok()?;
    let proxy = policy.proxy_for(origin.origin())?;
    let mut address = reqwest::Url::parse(&proxy.url.to_string()).ok()?;
    if let Some((user, password)) = &proxy.login {
        address.set_username(user).ok()?;
        address.set_password(Some(password)).ok()?;
    }
    Some(address)
}

/// Translates a request. What the client would send elsewhere than the permit says is refused.
fn prepare(
    client: &reqwest::Client,
    origin: &Origin,
    request: HttpRequest,
) -> Result<reqwest::Request, TransportError> {
    let wrong =
        |message: &str| TransportError::new(TransportErrorKind::Nonsense, &origin.authority(), message);
    let url = reqwest::Url::parse(&request.url.to_string()).map_err(|_| wrong("the URL is invalid"))?;
    let same = url.scheme() == origin.scheme.to_string()
        && url.host_str() == Some(origin.host.as_str())
        && url.port_or_known_default() == Some(origin.port)
        && request.url.origin() == origin;
    if !same {
        return Err(wrong("the URL is ambiguous"));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let value = HeaderValue::from_str(value).map_err(|_| wrong("a header cannot be sent"))?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("a header cannot be sent"))?;
        headers.append(name, value);
    }
    if let Some((name, secret)) = &request.secret {
        let mut value = HeaderValue::from_str(secret).map_err(|_| wrong("the credentials cannot be sent"))?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    let method =
        reqwest::Method::from_bytes(request.method.as_bytes()).map_err(|_| wrong("the method is invalid"))?;
    let mut builder = client.request(method, url).headers(headers);
    if let Some(body) = request.body {
        builder = builder.body(body);
    }
    builder.build().map_err(|error| wrong("the request is invalid").caused(error))
}

/// For the connection and TLS together.
const CONNECT_MAX: Duration = Duration::from_secs(15);
