//! Who may use a server: keys that are made and revoked while it runs, TLS, and commands that ask it.

mod keys;
mod logins;
mod tls;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::stack::{Ran, command};
use crate::tiny_model;

/// A home, and files beside it.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        tiny_model::write(site.0.path());
        site
    }

    fn home(&self) -> PathBuf {
        self.0.path().join("home")
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn stack(&self, arguments: &[&str]) -> Ran {
        self.stack_with_stdin(arguments, b"")
    }

    fn stack_with_stdin(&self, arguments: &[&str], stdin: &[u8]) -> Ran {
        let mut command = command(arguments);
        for name in ["STACK_PRIVACY", "STACK_OFFLINE", "HF_HUB_OFFLINE", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(name);
        }
        command.env("STACK_HOME", self.home()).stdin(std::process::Stdio::piped());
        command.env("SSL_CERT_FILE", vector("authority.pem"));
        let mut child = command.spawn().unwrap();
        let _unread = child.stdin.take().unwrap().write_all(stdin);
        Ran::from(child.wait_with_output().unwrap())
    }

    /// Makes a key, and returns it.
    fn key(&self, name: &str, options: &[&str]) -> String {
        let arguments = [&["auth", "token", "create", "--name", name], options].concat();
        self.stack(&arguments).output().trim().to_owned()
    }

    fn configure(&self, text: &str) {
        std::fs::create_dir_all(self.home()).unwrap();
        std::fs::write(self.home().join("stack.toml"), text).unwrap();
    }

    /// The entries about what was done with the server, each with its phase and payload.
    fn acts(&self) -> Vec<(String, Value)> {
        let listed =
            self.stack(&["audit", "list", "--session", "server", "--limit", "1000", "--json"]).json();
        let act = |entry: &Value| (entry["phase"].as_str().unwrap().to_owned(), entry["payload"].clone());
        listed["entries"].as_array().unwrap().iter().map(act).collect()
    }

    /// Starts a server that answers with the tiny model as `tiny`.
    fn serve(&self, options: &[&str]) -> Server {
        let model = self.path("tiny.gguf");
        let mut command = command(&[&["serve", &model, "--port", "0"], options].concat());
        let mut child = command.env("STACK_HOME", self.home()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("listening on ") {
            assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "{said}");
        }
        let port = said.trim().rsplit_once(':').unwrap().1.to_owned();
        // A full pipe would stop the server.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        Server { child, port, said }
    }
}

/// A server, which ends with the test.
struct Server {
    child: Child,
    port: String,
    said: String,
}

impl Server {
    /// Sends a request in clear and returns the status and the body.
    fn ask(&self, method: &str, path: &str, key: &str, body: &str) -> (u16, String) {
        let mut connection = TcpStream::connect(format!("127.0.0.1:{}", self.port)).unwrap();
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        let key = if key.is_empty() { String::new() } else { format!("x-api-key: {key}\r\n") };
        write!(connection, "{head}{key}Content-Length: {length}\r\n\r\n{body}").unwrap();
        let mut reply = String::new();
        connection.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn status(&self, path: &str, key: &str) -> u16 {
        self.ask("GET", path, key, "").0
    }

    fn wait_until_ready(&self, key: &str) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.status("/ready", key) != 200 {
            assert!(Instant::now() < deadline, "the server never became ready");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// A file of the certificates for tests.
fn vector(name: &str) -> String {
    format!("{}/../../tests/vectors/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}
