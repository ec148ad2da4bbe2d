//! The clients and the runtime that they live on.

use std::error::Error;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use stack_registry::fetch::{Cancel, FetchError, FetchErrorKind, Headers, Method, Request, Response};
use stack_registry::url::{Origin, Scheme};
use tokio::runtime::{Builder, Runtime};

use super::body::Body;
use super::resolver::Resolver;
use crate::privacy::{Denied, EgressGate, EgressPermit};

/// A small runtime, and a client for each scheme.
pub(super) struct Client {
    gate: Arc<EgressGate>,
    /// For this machine, in clear. It knows no certificates and no proxy.
    plain: reqwest::Client,
    /// For elsewhere. Made when needed: it reads the system's certificates.
    tls: OnceLock<reqwest::Client>,
    runtime: Arc<Runtime>,
}

impl Client {
    /// Starts the runtime. From here on, Ctrl-C ends `interrupt` and not the program.
    pub(super) fn start(gate: &Arc<EgressGate>, interrupt: &Cancel) -> Result<Self, FetchError> {
        let cannot = |error: Box<dyn Error + Send + Sync>| {
            FetchError::new(FetchErrorKind::Machine, "this machine", "the network cannot be used")
                .caused(error)
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(RUNTIME_THREADS)
            .thread_name("transport")
            .enable_all()
            .build()
            .map_err(|error| cannot(error.into()))?;
        let interrupt = interrupt.clone();
        runtime.spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                interrupt.cancel();
            }
        });
        // Another part of the program may have chosen the same cryptography before, which is as good.
        let _chosen_before = rustls::crypto::ring::default_provider().install_default();
        let plain = builder(gate).tls_certs_only([]).build().map_err(|error| cannot(error.into()))?;
        Ok(Self { gate: Arc::clone(gate), plain, tls: OnceLock::new(), runtime: Arc::new(runtime) })
    }

    /// Sends one request to where the permit allows.
    pub(super) fn send(
        &self,
        permit: EgressPermit,
        request: &Request,
        interrupt: &Cancel,
    ) -> Result<Response, FetchError> {
        let origin = permit.into_origin();
        let host = origin.authority();
        let client = match origin.scheme {
            Scheme::Http => &self.plain,
            Scheme::Https => self.tls(&host)?,
        };
        let prepared = prepare(client, &origin, request)?;
        let cancels = [interrupt.clone(), request.cancel.clone()];
        let sending = wait(&cancels, request.timeout, client.execute(prepared));
        let response = match self.runtime.block_on(sending) {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(of_reqwest(&host, error)),
            Err(trouble) => return Err(FetchError::new(trouble, host, "no response")),
        };
        let pairs = response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let headers = Headers::new(pairs).ok_or_else(|| {
            FetchError::new(FetchErrorKind::Nonsense, &host, "the response headers exceed 64 KiB")
        })?;
        let status = response.status().as_u16();
        let body = Body::new(response, host, cancels, request.timeout, Arc::clone(&self.runtime));
        Ok(Response { status, headers, body: Box::new(body) })
    }

    fn tls(&self, host: &str) -> Result<&reqwest::Client, FetchError> {
        if let Some(client) = self.tls.get() {
            return Ok(client);
        }
        let gate = Arc::clone(&self.gate);
        let mut builder = builder(&self.gate);
        builder = builder.proxy(reqwest::Proxy::custom(move |url| proxy(&gate, url)));
        let client = builder.build().map_err(|error| {
            FetchError::new(FetchErrorKind::Machine, host, "no root certificates found").caused(error)
        })?;
        Ok(self.tls.get_or_init(|| client))
    }
}

/// What all clients have in common.
fn builder(gate: &Arc<EgressGate>) -> reqwest::ClientBuilder {
    #[expect(clippy::disallowed_methods, reason = "this is the transport")]
    let builder = reqwest::Client::builder();
    builder
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .http1_only()
        .connect_timeout(CONNECT_MAX)
        .dns_resolver(Resolver(Arc::clone(gate)))
        .user_agent(concat!("stack/", env!("CARGO_PKG_VERSION")))
}

/// Chooses the proxy as the gate did.
fn proxy(gate: &EgressGate, url: &reqwest::Url) -> Option<reqwest::Url> {
    let origin = stack_registry::url::Url::parse(url.as_str()).ok()?;
    let proxy = gate.proxy_for(origin.origin())?;
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
    request: &Request,
) -> Result<reqwest::Request, FetchError> {
    let wrong = |message: &str| FetchError::new(FetchErrorKind::Nonsense, origin.authority(), message);
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
        headers.append(HeaderName::from_static(name), value);
    }
    if let Some(authorization) = &request.authorization {
        let mut value = HeaderValue::from_str(authorization.reveal())
            .map_err(|_| wrong("the credentials cannot be sent"))?;
        value.set_sensitive(true);
        headers.insert(reqwest::header::AUTHORIZATION, value);
    }
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
    };
    let mut builder = client.request(method, url).headers(headers);
    if matches!(request.method, Method::Post | Method::Put | Method::Patch) {
        builder = builder.body(request.body.clone());
    }
    builder.build().map_err(|error| wrong("the request is invalid").caused(error))
}

/// Waits for a future, for cancellation, or until timeout ends.
pub(super) async fn wait<T>(
    cancels: &[Cancel],
    timeout: Duration,
    future: impl Future<Output = T>,
) -> Result<T, FetchErrorKind> {
    let cancelled = async {
        while !cancels.iter().any(Cancel::is_cancelled) {
            tokio::time::sleep(CANCEL_PAUSE).await;
        }
    };
    tokio::select! {
        biased;
        done = future => Ok(done),
        () = cancelled => Err(FetchErrorKind::Interrupted),
        () = tokio::time::sleep(timeout) => Err(FetchErrorKind::Stalled),
    }
}

/// Sorts the client's errors. The address is left out: it may hold a signature.
pub(super) fn of_reqwest(host: &str, error: reqwest::Error) -> FetchError {
    let error = error.without_url();
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(current) = cause {
        if let Some(denied) = current.downcast_ref::<Denied>() {
            return FetchError::new(FetchErrorKind::Refused(denied.refusal), host, denied.message.clone());
        }
        cause = current.source();
    }
    let (trouble, message) = if error.is_connect() {
        (FetchErrorKind::Unreachable, "cannot connect")
    } else if error.is_timeout() {
        (FetchErrorKind::Stalled, "timed out waiting for data")
    } else if error.is_builder() {
        (FetchErrorKind::Nonsense, "the request is invalid")
    } else {
        (FetchErrorKind::Broken, "the connection broke")
    };
    FetchError::new(trouble, host, message).caused(innermost(&error))
}

/// The last cause, which is what happened; those before it are names of the client's own parts.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

/// The runtime only moves bytes.
const RUNTIME_THREADS: usize = 2;
const CONNECT_MAX: Duration = Duration::from_secs(15);
/// How soon a cancelled wait ends.
const CANCEL_PAUSE: Duration = Duration::from_millis(50);
