//! The gateway's transport, lent to those who fetch files: they wait for replies, and Ctrl-C ends the waiting.
//!
//! Until a request is permitted there is no runtime, no resolver and no socket.

mod body;
pub(crate) mod hub_token;
pub(crate) mod local_server;
mod login;
pub(crate) mod registry;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use stack_chat::Tier;
use stack_gateway::privacy::{Denied, EgressGate, EgressPermit, EgressRequest, Purpose, Refusal};
use stack_gateway::transport::{HttpRequest, Transport, TransportError, TransportErrorKind};
use stack_registry::fetch::{
    self, Cancel, Fetch, FetchError, FetchErrorKind, Headers, Hop, Method, Request, Response,
};
use tokio::runtime::{Builder, Runtime};
use zeroize::Zeroizing;

use self::body::Body;

/// Fetches what the gate lets through.
pub(crate) struct Fetcher {
    gate: Arc<EgressGate>,
    transport: Transport,
    /// Ended by Ctrl-C.
    interrupt: Cancel,
    /// Made for the first request that is permitted.
    runtime: Mutex<Option<Arc<Runtime>>>,
}

impl Fetcher {
    /// Makes a fetcher; nothing is opened yet.
    pub(crate) fn new(gate: EgressGate) -> Self {
        let gate = Arc::new(gate);
        let transport = Transport::new(Arc::clone(&gate));
        Self { gate, transport, interrupt: Cancel::default(), runtime: Mutex::new(None) }
    }

    /// Returns how far it reaches.
    pub(crate) fn tier(&self) -> Tier {
        self.gate.policy().tier
    }

    /// Returns what Ctrl-C ends, once the first request was sent. Until then, Ctrl-C ends the program.
    pub(crate) fn interrupt(&self) -> &Cancel {
        &self.interrupt
    }

    /// Returns the runtime. From its start on, Ctrl-C ends `interrupt` and not the program.
    fn runtime(&self) -> Result<Arc<Runtime>, FetchError> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*runtime {
            return Ok(Arc::clone(runtime));
        }
        let made = Builder::new_multi_thread()
            .worker_threads(RUNTIME_THREADS)
            .thread_name("transport")
            .enable_all()
            .build()
            .map_err(|error| FetchError {
                source: Some(error.into()),
                ..FetchError::new(FetchErrorKind::Machine, "this machine", "the network cannot be used")
            })?;
        let interrupt = self.interrupt.clone();
        made.spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                interrupt.cancel();
            }
        });
        let made = Arc::new(made);
        *runtime = Some(Arc::clone(&made));
        Ok(made)
    }

    fn permit(&self, request: &Request) -> Result<EgressPermit, Denied> {
        let purpose = match &request.hop {
            Hop::Asked | Hop::Led => Purpose::Transfer,
            Hop::Realm { of } => Purpose::Realm { of },
        };
        self.gate.permit(&EgressRequest { origin: request.url.origin(), purpose, tier: None })
    }
}

impl Fetch for Fetcher {
    fn send(&self, request: &Request) -> Result<Response, FetchError> {
        let host = request.url.origin().authority();
        let permit = self
            .permit(request)
            .map_err(|denied| FetchError::new(refused(denied.refusal), &host, denied.message))?;
        let runtime = self.runtime()?;
        let cancels = [self.interrupt.clone(), request.cancel.clone()];
        let opening = self.transport.open(permit, http_request(request), Instant::now() + request.timeout);
        let reply = match runtime.block_on(wait(&cancels, request.timeout, opening)) {
            Ok(reply) => reply.map_err(of_transport)?,
            Err(trouble) => return Err(FetchError::new(trouble, host, "no response")),
        };
        let headers = Headers::new(reply.headers()).ok_or_else(|| {
            FetchError::new(FetchErrorKind::Nonsense, &host, "the response headers exceed 64 KiB")
        })?;
        let status = reply.status();
        let body = Body::new(reply, host, cancels, request.timeout, runtime);
        Ok(Response { status, headers, body: Box::new(body) })
    }
}

fn http_request(request: &Request) -> HttpRequest {
    let secret = |value: &fetch::Authorization| ("authorization", Zeroizing::new(value.reveal().to_owned()));
    let sends = matches!(request.method, Method::Post | Method::Put | Method::Patch);
    HttpRequest {
        method: request.method.as_str(),
        url: request.url.clone(),
        headers: request.headers.iter().map(|(name, value)| ((*name).into(), value.clone())).collect(),
        secret: request.authorization.as_ref().map(secret),
        body: sends.then(|| request.body.clone()),
    }
}

/// Says what the transport says in the words of the registry.
fn of_transport(error: TransportError) -> FetchError {
    let TransportError { kind, host, message, source } = error;
    let kind = match kind {
        TransportErrorKind::Refused(refusal) => refused(refusal),
        TransportErrorKind::Unreachable => FetchErrorKind::Unreachable,
        TransportErrorKind::Certificate => FetchErrorKind::Certificate,
        TransportErrorKind::Broken => FetchErrorKind::Broken,
        TransportErrorKind::Stalled => FetchErrorKind::Stalled,
        TransportErrorKind::Nonsense => FetchErrorKind::Nonsense,
        TransportErrorKind::Machine => FetchErrorKind::Machine,
    };
    FetchError { kind, host, message, source }
}

fn refused(refusal: Refusal) -> FetchErrorKind {
    FetchErrorKind::Refused(match refusal {
        Refusal::TierForbids => fetch::Refusal::TierForbids,
        Refusal::HostNotListed => fetch::Refusal::HostNotListed,
        Refusal::Offline => fetch::Refusal::Offline,
        // The disk refuses, not the policy.
        Refusal::NotAudited => return FetchErrorKind::Machine,
    })
}

/// Waits for a future, for cancellation, or until timeout ends.
async fn wait<T>(
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

/// The runtime only moves bytes.
const RUNTIME_THREADS: usize = 2;
/// How soon a cancelled wait ends.
const CANCEL_PAUSE: Duration = Duration::from_millis(50);
