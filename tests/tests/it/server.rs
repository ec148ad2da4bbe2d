//! A running `stack serve`.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

/// The binary, serving on a free port of this machine. Dropping it ends the process.
pub(crate) struct Server {
    child: Child,
    address: String,
}

/// A home without models and audit log: that of whoever runs the tests is none of their business.
pub(crate) fn home() -> PathBuf {
    static HOME: LazyLock<PathBuf> = LazyLock::new(|| {
        let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("home");
        fs::create_dir_all(&home).expect("the folder of the tests can be written");
        fs::write(home.join("stack.toml"), "[audit]\nenabled = false\n").expect("so can a file there");
        home
    });
    HOME.clone()
}

/// What a server sent back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Server {
    /// Starts `stack serve` with `arguments` and waits until it is ready to answer.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(binary())
            .args(["serve", "--port", "0"])
            .args(arguments)
            .env("STACK_HOME", home())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let (announce, announced) = mpsc::sync_channel(1);
        thread::spawn(move || follow(stderr, &announce));
        let address = announced.recv_timeout(START_MAX);
        let server =
            Self { child, address: address.expect("the server says where it listens (see its log above)") };
        let started = Instant::now();
        while server.get("/ready").map_or(true, |reply| reply.status != 200) {
            assert!(started.elapsed() < START_MAX, "the server is not ready after {START_MAX:?}");
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Returns the address that clients are given, without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a GET request.
    pub(crate) fn get(&self, path: &str) -> io::Result<Reply> {
        self.request(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address))
    }

    /// Sends a JSON text.
    pub(crate) fn post(&self, path: &str, body: &str) -> io::Result<Reply> {
        self.request(&format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len(),
        ))
    }

    fn request(&self, request: &str) -> io::Result<Reply> {
        let mut connection = TcpStream::connect(&self.address)?;
        connection.set_read_timeout(Some(REPLY_MAX))?;
        connection.write_all(request.as_bytes())?;
        let mut reply = Vec::new();
        connection.read_to_end(&mut reply)?;
        let reply = String::from_utf8_lossy(&reply);
        let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("not an HTTP reply: {head:?}")))?;
        Ok(Reply { status, body: body.to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may be gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the built binary, which lies beside the folder of the test executables.
pub(crate) fn binary() -> PathBuf {
    let executable = env::current_exe().expect("the test knows its own path");
    let folder = executable.ancestors().nth(2).expect("test executables lie two levels down");
    let binary = folder.join(format!("stack{}", env::consts::EXE_SUFFIX));
    assert!(binary.exists(), "{} is missing: run `cargo build -p stack` first", binary.display());
    binary
}

/// Repeats the server's log as the test's own, and announces the address once it appears there.
fn follow(stderr: ChildStderr, announce: &SyncSender<String>) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if let Some((_, address)) = line.split_once("listening on http://") {
            let address = address.split_whitespace().next().unwrap_or_default();
            // Nobody waits for a second announcement.
            let _ = announce.try_send(address.trim_end_matches('/').to_owned());
        }
        eprintln!("serve: {line}");
    }
}

const START_MAX: Duration = Duration::from_mins(2);
const REPLY_MAX: Duration = Duration::from_mins(2);
