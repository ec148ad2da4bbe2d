//! Connections: accepting them, bounding them, and letting them end.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::guard::Bound;
use crate::stall::Stall;

/// What an operator may choose about connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many may be open; further ones wait in the kernel's queue.
    pub connections_max: usize,
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
            header_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_mins(1),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// Serves `router` on `listener` until `shutdown` resolves; then accepts nothing new, and returns when the requests
/// that run are finished or their time is up.
///
/// # Errors
///
/// If the listener has no address. A connection that fails is no error.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let router = router.layer(Extension(Bound(listener.local_addr()?)));
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let (running, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, accept(&listener).await)
        };
        let (place, socket) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut shutdown => break,
        };
        while connections.try_join_next().is_some() {}
        let connection = connection(socket, router.clone(), limits.clone(), stopped.clone());
        connections.spawn(async move {
            connection.await;
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

/// Serves one connection. After `stopped` it ends with the request that runs.
async fn connection(socket: TcpStream, router: Router, limits: Limits, mut stopped: watch::Receiver<()>) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "small packets will be delayed");
    }
    let io = TokioIo::new(Stall::new(socket, limits.stall_timeout));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .serve_connection(io, TowerToHyperService::new(router))
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
