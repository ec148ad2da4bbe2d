//! Connections: accepting them, bounding them, and letting them end.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::crowd::{Crowd, Guest};
use crate::guard::Bound;
use crate::stall::Stall;
use crate::tls::Tls;

/// What an operator may choose about connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many may be open. Where there are more, those go first that want nothing; if all are being answered, further
    /// ones wait in the kernel's queue.
    pub connections_max: usize,
    /// How long a client may take to agree on a TLS connection.
    pub handshake_timeout: Duration,
    /// How long a client may take to send the head of a request, and to think between two.
    pub header_timeout: Duration,
    /// How long a client may read nothing of what is sent to it.
    pub stall_timeout: Duration,
    /// How long running requests may go on after the shutdown began.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 512,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_mins(1),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// A socket on which connections are accepted, in clear or encrypted.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    tls: Option<Tls>,
}

impl Listener {
    /// Encrypts the connections of a socket.
    pub fn encrypted(socket: TcpListener, tls: Tls) -> Self {
        Self { socket, tls: Some(tls) }
    }
}

impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Self { socket, tls: None }
    }
}

/// Serves `router` on `listener` until `shutdown` resolves; then accepts nothing new, and returns when the requests
/// that run are finished or their time is up.
///
/// # Errors
///
/// If the listener has no address. A connection that fails is no error.
pub async fn serve(
    listener: impl Into<Listener>,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let Listener { socket: listener, tls } = listener.into();
    let router = router.layer(Extension(Bound(listener.local_addr()?)));
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let crowd = Arc::new(Crowd::default());
    let (running, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            let socket = accept(&listener).await;
            (place(&places, &crowd).await, socket)
        };
        let (place, socket) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut shutdown => break,
        };
        while connections.try_join_next().is_some() {}
        let guest = Arc::new(crowd.enter());
        let asked_to_go = Arc::clone(&guest);
        let connection =
            connection(socket, tls.clone(), guest, router.clone(), limits.clone(), stopped.clone());
        connections.spawn(async move {
            tokio::select! {
                () = connection => {}
                () = asked_to_go.has_to_go() => {}
            }
            drop(place);
        });
    }
    drop((listener, running));
    let drained = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.drain_timeout, drained).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests were cut off: they outlasted the shutdown");
        connections.shutdown().await;
    }
    Ok(())
}

/// Waits for a place, and lets somebody go who wants nothing.
async fn place(places: &Arc<Semaphore>, crowd: &Crowd) -> Option<OwnedSemaphorePermit> {
    loop {
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            return Some(place);
        }
        crowd.make_room(Instant::now());
        // Whoever was answered until now may want nothing in a moment.
        if let Ok(place) = timeout(LOOK_AGAIN, Arc::clone(places).acquire_owned()).await {
            return place.ok();
        }
    }
}

/// Accepts the next connection. When the system refuses (most often because too many files are open) it waits a
/// moment, in which others may close.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((socket, _peer)) => return socket,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Serves one connection, which may have to be agreed on first.
async fn connection(
    socket: TcpStream,
    tls: Option<Tls>,
    guest: Arc<Guest>,
    router: Router,
    limits: Limits,
    mut stopped: watch::Receiver<()>,
) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "small packets will be delayed");
    }
    let socket = Stall::new(socket, limits.stall_timeout);
    let Some(tls) = tls else { return talk(socket, &guest, router, &limits, stopped).await };
    let handshake = timeout(limits.handshake_timeout, tls.acceptor().accept(socket));
    let agreed = tokio::select! {
        agreed = handshake => agreed,
        // Nobody has asked for anything yet.
        _closed = stopped.changed() => return,
    };
    match agreed {
        Ok(Ok(encrypted)) => talk(encrypted, &guest, router, &limits, stopped).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS connection was not agreed on"),
        Err(_elapsed) => tracing::debug!("a client took too long to agree on a TLS connection"),
    }
}

/// Answers the requests of one connection. After `stopped` it ends with the request that runs.
async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    guest: &Guest,
    router: Router,
    limits: &Limits,
    mut stopped: watch::Receiver<()>,
) {
    let io = TokioIo::new(stream);
    let router = TowerToHyperService::new(router);
    let answer = service_fn(|request| {
        let (answering, response) = (guest.answers(), router.call(request));
        async move { response.await.map(|response| response.map(|body| answering.until_sent(body))) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .serve_connection(io, answer)
    );
    let result = tokio::select! {
        result = connection.as_mut() => result,
        _closed = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(100);
