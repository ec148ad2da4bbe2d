//! What only shows on a real connection.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use stack_server::{ApiKeys, Auth, FoundKey, Limits, Options, router, serve};
use stack_testkit::ScriptedModel;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::support::{chat_body, registry};

/// A server on a port of its own.
struct Running {
    address: SocketAddr,
    model: Arc<ScriptedModel>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<io::Result<()>>,
}

impl Running {
    async fn start(model: ScriptedModel, options: Options, limits: Limits) -> Self {
        let model = Arc::new(model);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { drop(stopped.await) };
        let task = tokio::spawn(serve(listener, router(registry(&model), options), limits, shutdown));
        Self { address, model, stop: Some(stop), task }
    }

    async fn start_default(model: ScriptedModel) -> Self {
        Self::start(model, Options::default(), Limits::default()).await
    }

    /// Runs a blocking client against the server.
    async fn client<T: Send + 'static>(&self, act: impl FnOnce(TcpStream) -> T + Send + 'static) -> T {
        let address = self.address;
        spawn_blocking(move || {
            let socket = TcpStream::connect(address).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            act(socket)
        })
        .await
        .unwrap()
    }

    async fn is_healthy(&self) -> bool {
        let reply = self
            .client(|socket| {
                exchange(&socket, "GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            })
            .await;
        reply.starts_with("HTTP/1.1 200")
    }

    fn stop(&mut self) {
        self.stop.take().expect("it is stopped once").send(()).unwrap();
    }
}

/// Writes a chat request; the connection closes after its answer.
fn chat_request(more: &str) -> String {
    let body = chat_body(more);
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";
    format!("{head}content-length: {}\r\n\r\n{body}", body.len())
}

/// Sends `request` and reads until the server closes.
fn exchange(mut socket: &TcpStream, request: &str) -> String {
    socket.write_all(request.as_bytes()).unwrap();
    rest(socket)
}

fn rest(mut socket: &TcpStream) -> String {
    let mut reply = Vec::new();
    socket.read_to_end(&mut reply).unwrap();
    String::from_utf8_lossy(&reply).into_owned()
}

/// Waits until `done`, for a while.
async fn until(done: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !done() && start.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    done()
}

fn story() -> ScriptedModel {
    ScriptedModel::new("m", &["Once", " upon", " a", " time"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_arrives_while_it_is_generated() {
    let server = Running::start_default(story().holding_after(3)).await;
    let model = Arc::clone(&server.model);
    let reply = server.client(move |mut socket| {
        socket.write_all(chat_request(r#""stream": true"#).as_bytes()).unwrap();
        let mut seen = String::new();
        let mut buffer = [0; 1024];
        while !seen.contains("Once") {
            let count = socket.read(&mut buffer).unwrap();
            seen.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
        assert!(!seen.contains("upon"), "it is not generated yet");
        model.release();
        seen + &rest(&socket)
    });
    let reply = reply.await;
    assert!(reply.contains("upon") && reply.contains("data: [DONE]"), "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_stops_its_generation() {
    for more in [r#""stream": true"#, r#""stream": false"#] {
        let server = Running::start_default(story().holding_after(3)).await;
        let model = Arc::clone(&server.model);
        let socket = server.client(move |mut socket| {
            socket.write_all(chat_request(more).as_bytes()).unwrap();
            socket
        });
        let socket = socket.await;
        assert!(until(|| model.running() == 1).await, "{more}");
        drop(socket);
        assert!(until(|| model.cancelled() == 1).await, "{more}");
        assert_eq!(model.running(), 0);
        assert!(server.is_healthy().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_finishes_what_runs_and_accepts_nothing_new() {
    let mut server = Running::start_default(story().holding_after(3)).await;
    let model = Arc::clone(&server.model);
    let address = server.address;
    let socket = server.client(|mut socket| {
        socket.write_all(chat_request(r#""stream": true"#).as_bytes()).unwrap();
        socket
    });
    let socket = socket.await;
    assert!(until(|| model.running() == 1).await);
    server.stop();
    assert!(until(|| TcpStream::connect(address).is_err()).await);
    assert!(!server.task.is_finished());
    model.release();
    let reply = spawn_blocking(move || rest(&socket)).await.unwrap();
    assert!(reply.contains(" time") && reply.contains("data: [DONE]"), "{reply}");
    server.task.await.unwrap().unwrap();
    assert_eq!((model.finished(), model.cancelled()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_does_not_wait_forever() {
    let limits = Limits { drain_timeout: Duration::from_millis(50), ..Limits::default() };
    let mut server = Running::start(story().holding_after(3), Options::default(), limits).await;
    let model = Arc::clone(&server.model);
    let socket = server.client(|mut socket| {
        socket.write_all(chat_request("").as_bytes()).unwrap();
        socket
    });
    let _socket = socket.await;
    assert!(until(|| model.running() == 1).await);
    server.stop();
    server.task.await.unwrap().unwrap();
    assert_eq!(model.cancelled(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_send_half_a_request_are_closed() {
    let second = Duration::from_secs(1);
    let options = Options { body_timeout: second, ..Options::default() };
    let limits = Limits { header_timeout: second, ..Limits::default() };
    let server = Running::start(story(), options, limits).await;
    let half_body =
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{\"mess";
    let (silent, half_line, half_head, waits, hangs_up) = tokio::join!(
        server.client(|socket| exchange(&socket, "")),
        server.client(|socket| exchange(&socket, "GET /hea")),
        server.client(|socket| exchange(&socket, "GET /health HTTP/1.1\r\nhost: loc")),
        server.client(move |socket| exchange(&socket, half_body)),
        server.client(move |mut socket| {
            socket.write_all(half_body.as_bytes()).unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
            rest(&socket)
        }),
    );
    for reply in [silent, half_line, half_head, hangs_up] {
        assert!(!reply.starts_with("HTTP/1.1 200"), "{reply}");
    }
    assert!(waits.starts_with("HTTP/1.1 408"), "{waits}");
    assert!(server.is_healthy().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_loses_its_place() {
    let limits = Limits { stall_timeout: Duration::from_millis(100), ..Limits::default() };
    let endless = ScriptedModel::new("m", &["x".repeat(1 << 16).as_str()]).endless();
    let server = Running::start(endless, Options::default(), limits).await;
    let model = Arc::clone(&server.model);
    let socket = server.client(|mut socket| {
        socket.write_all(chat_request(r#""stream": true, "max_tokens": 5000"#).as_bytes()).unwrap();
        socket
    });
    let _socket = socket.await;
    assert!(until(|| model.cancelled() == 1).await);
    assert!(server.is_healthy().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_are_read_or_refused_with_a_status() {
    let server = Running::start_default(story().with_context(100)).await;
    let ask = |bytes: usize| {
        let body =
            format!(r#"{{"messages": [{{"role": "user", "content": "{}"}}]}}"#, "a ".repeat(bytes / 2));
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";
        format!("{head}content-length: {}\r\n\r\n{body}", body.len())
    };
    for (bytes, want) in [(10 << 20, "HTTP/1.1 400"), (20 << 20, "HTTP/1.1 413")] {
        let request = ask(bytes);
        let reply = server.client(move |socket| exchange(&socket, &request)).await;
        assert!(reply.starts_with(want), "{bytes}: {}", &reply[..reply.len().min(200)]);
    }
    let waits = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        1_u64 << 40
    );
    let reply = server.client(move |socket| exchange(&socket, &waits)).await;
    assert!(reply.starts_with("HTTP/1.1 413"), "{reply}");
    assert!(server.is_healthy().await);
}

/// There are no keys.
#[derive(Debug)]
struct NoKeys;

impl ApiKeys for NoKeys {
    fn have_changed(&self) -> bool {
        false
    }

    fn find(&self, _key: &str) -> Result<FoundKey, String> {
        Ok(FoundKey::Foreign)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_much_without_a_key_gets_to_know_why_it_is_refused() {
    let auth = Some(Auth { keys: Arc::new(NoKeys), required: true });
    let server = Running::start(story(), Options { auth, ..Options::default() }, Limits::default()).await;
    let reply = server
        .client(|mut socket| {
            let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";
            let body = " ".repeat(3 << 20);
            let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
            // Most clients read only once they have sent everything.
            socket.write_all(request.as_bytes()).unwrap();
            rest(&socket)
        })
        .await;
    assert!(reply.starts_with("HTTP/1.1 401"), "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebound_name_is_refused_on_loopback() {
    let server = Running::start_default(story()).await;
    let ask = "GET /health HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    let reply = server.client(move |socket| exchange(&socket, ask)).await;
    assert!(reply.starts_with("HTTP/1.1 403"), "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_at_once_are_all_answered() {
    let limits = Limits { connections_max: 16, ..Limits::default() };
    let server = Arc::new(Running::start(story(), Options::default(), limits).await);
    let clients: Vec<_> = (0..100)
        .map(|_| {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                server.client(|socket| exchange(&socket, &chat_request(r#""stream": true"#))).await
            })
        })
        .collect();
    for client in clients {
        assert!(client.await.unwrap().contains("data: [DONE]"));
    }
    assert_eq!((server.model.finished(), server.model.running()), (100, 0));
}
