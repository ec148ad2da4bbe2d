//! Encrypted connections: agreed on in time, with a certificate that can change, and no more of them than there is room for.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto};
use stack_server::{Certificate, Limits, Listener, Options, Tls, router, serve};
use stack_testkit::ScriptedModel;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::registry;

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../tests/vectors/tls/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn certificate(name: &str) -> Certificate {
    Certificate::parse(&file(&format!("{name}.pem")), &file(&format!("{name}.key"))).unwrap()
}

/// A server on a port of its own, which speaks TLS.
struct Running {
    address: SocketAddr,
    tls: Tls,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<()>>,
}

impl Running {
    async fn start(limits: Limits) -> Self {
        let model = Arc::new(ScriptedModel::new("m", &["Once"]));
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let tls = Tls::new(certificate("server"));
        let (stop, stopped) = oneshot::channel();
        let listener = Listener::encrypted(socket, tls.clone());
        let routes = router(registry(&model), Options::default());
        let task = tokio::spawn(serve(listener, routes, limits, async { drop(stopped.await) }));
        Self { address, tls, stop: Some(stop), task }
    }

    /// Connects as a client does that trusts the authority of the tests.
    async fn connect(&self, name: &str) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&file("authority.pem")).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let socket = TcpStream::connect(self.address).await?;
        TlsConnector::from(Arc::new(config))
            .connect(ServerName::try_from(name.to_owned()).unwrap(), socket)
            .await
    }

    /// Asks whether the server lives, and returns the answer and the certificate that it showed.
    async fn ask(&self) -> io::Result<(String, CertificateDer<'static>)> {
        let mut stream = self.connect("localhost").await?;
        stream.write_all(b"GET /live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await?;
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned();
        Ok((reply, shown))
    }

    async fn is_healthy(&self) -> bool {
        matches!(self.ask().await, Ok((reply, _)) if reply.starts_with("HTTP/1.1 200"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_over_tls_and_under_the_names_of_the_certificate() {
    let server = Running::start(Limits::default()).await;
    let (reply, _) = server.ask().await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 200") && reply.ends_with(r#"{"status":"ok"}"#), "{reply}");
    assert!(server.connect("127.0.0.1").await.is_ok());
    assert!(server.connect("other.test").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_changes_and_connections_stay() {
    let server = Running::start(Limits::default()).await;
    let before = server.ask().await.unwrap().1;
    let mut open = server.connect("localhost").await.unwrap();
    server.tls.replace(certificate("second"));
    let after = server.ask().await.unwrap().1;
    assert_ne!(before, after);
    open.write_all(b"GET /live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut reply = String::new();
    open.read_to_string(&mut reply).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_agree_in_time_is_dropped() {
    let limits = Limits { handshake_timeout: Duration::from_millis(200), ..Limits::default() };
    let server = Running::start(limits).await;
    for opening in [&b""[..], b"\x16\x03\x01", b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"] {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(opening).await.unwrap();
        let since = Instant::now();
        let mut rest = Vec::new();
        // It may be told so by an alert, or by a reset.
        let _closed =
            tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut rest)).await.unwrap();
        assert!(since.elapsed() < Duration::from_secs(10) && !rest.starts_with(b"HTTP"), "{opening:?}");
    }
    assert!(server.is_healthy().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_does_not_wait_for_who_has_not_asked() {
    let mut server = Running::start(Limits::default()).await;
    let _half = TcpStream::connect(server.address).await.unwrap();
    let _idle = server.connect("localhost").await.unwrap();
    assert!(server.is_healthy().await);
    server.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(20), server.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_want_nothing_lock_nobody_out() {
    let server = Running::start(Limits { connections_max: 8, ..Limits::default() }).await;
    let since = Instant::now();
    let (mut half, mut idle) = (Vec::new(), Vec::new());
    for _ in 0..12 {
        half.push(TcpStream::connect(server.address).await.unwrap());
        idle.push(server.connect("localhost").await.unwrap());
    }
    assert!(server.is_healthy().await);
    // Without their going, each of these would have waited for others to be timed out.
    assert!(since.elapsed() < Limits::default().handshake_timeout, "{:?}", since.elapsed());
}
