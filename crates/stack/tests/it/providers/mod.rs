//! `stack serve` in front of scripted providers, asked as clients of every dialect ask.

mod adapters;
mod dialects;
mod faults;
mod privacy;
mod routing;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr};
use std::time::{Duration, Instant};

use serde_json::Value;
use stack_testkit::{HttpReply, HttpRequest, HttpServer, ProviderFamily};
use tempfile::TempDir;

use crate::stack::{command, stack};

/// A provider, as the test configures it.
struct Configured {
    name: &'static str,
    kind: &'static str,
    more: &'static str,
    server: HttpServer,
}

/// Every family under a name of its own, each answered by `reply`.
fn every_family(
    reply: impl Fn(ProviderFamily, &HttpRequest) -> HttpReply + Clone + Send + Sync + 'static,
) -> Vec<Configured> {
    let of = |name, kind, more, family| {
        let reply = reply.clone();
        Configured { name, kind, more, server: HttpServer::start(move |request| reply(family, request)) }
    };
    vec![
        of("chat", "openai", "interface = \"chat\"\n", ProviderFamily::OpenaiChat),
        of("responses", "openai", "", ProviderFamily::OpenaiResponses),
        of("claude", "anthropic", "", ProviderFamily::Anthropic),
        of("gemini", "gemini", "", ProviderFamily::Gemini),
        of("ollama", "ollama", "", ProviderFamily::Ollama),
        of("xai", "xai", "interface = \"chat\"\n", ProviderFamily::OpenaiChat),
        of("vllm", "vllm", "", ProviderFamily::OpenaiChat),
        of("llama", "llama.cpp", "", ProviderFamily::OpenaiChat),
    ]
}

/// A server that runs with its own home.
struct Server {
    child: Child,
    address: String,
    stderr: BufReader<ChildStderr>,
    said: String,
    home: TempDir,
}

/// What a server answered.
struct Answer {
    status: u16,
    head: String,
    body: String,
    /// Whether the body ended as HTTP says that it ends.
    is_whole: bool,
}

impl Server {
    /// Starts a server in front of these providers. The key of each is in a file.
    fn start(providers: &[Configured], config: &str, options: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut text = config.to_owned();
        let secrets = home.path().join("secrets");
        fs::create_dir(&secrets).unwrap();
        for Configured { name, kind, more, server } in providers {
            let base = server.url("/");
            writeln!(text, "[providers.{name}]\nkind = \"{kind}\"\nbase = \"{base}\"\nmodels = [\"m-1\"]")
                .unwrap();
            writeln!(text, "key = \"secret:{name}-key\"\n{more}first_output_s = 2\nidle_s = 2").unwrap();
            let path = secrets.join(format!("{name}-key"));
            fs::write(&path, format!("{KEY}-{name}\n")).unwrap();
            let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(&path, owner_only).unwrap();
        }
        fs::write(home.path().join("stack.toml"), text).unwrap();
        Self::open(home, options)
    }

    /// Ends the server, and starts another one with the same home.
    fn again(mut self, options: &[&str]) -> Self {
        let home = std::mem::replace(&mut self.home, tempfile::tempdir().unwrap());
        self.stop();
        Self::open(home, options)
    }

    /// Starts a server with a home that has been used before.
    fn open(home: TempDir, options: &[&str]) -> Self {
        let place = home.path().to_str().unwrap().to_owned();
        let arguments = [&["serve", "--port", "0", "--home", &place], options].concat();
        let mut child = command(&arguments)
            // Whatever they say, they are not asked.
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .env("HTTP_PROXY", "http://127.0.0.1:1")
            .env("ALL_PROXY", "http://127.0.0.1:1")
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("listening on ") {
            assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "{said}");
        }
        let address = said.trim().rsplit_once("listening on http://").unwrap().1.to_owned();
        let server = Self { child, address, stderr, said, home };
        let deadline = Instant::now() + Duration::from_mins(1);
        while server.get("/health").status != 200 {
            assert!(Instant::now() < deadline, "the server never became ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", "")
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, "", &body.to_string())
    }

    fn post_with(&self, path: &str, header: &str, body: &Value) -> Answer {
        self.ask("POST", path, header, &body.to_string())
    }

    fn ask(&self, method: &str, path: &str, header: &str, body: &str) -> Answer {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{header}", self.address);
        let length = body.len();
        write!(connection, "{head}Content-Length: {length}\r\n\r\n{body}").unwrap();
        let mut bytes = Vec::new();
        let read = connection.read_to_end(&mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let is_chunked = head.contains("transfer-encoding: chunked");
        let is_whole = read.is_ok() && (!is_chunked || body.ends_with("0\r\n\r\n"));
        let body = if is_chunked { unchunked(body) } else { body.to_owned() };
        Answer { status, head: head.to_owned(), body, is_whole }
    }

    /// The audit log's entries of the gateway, as text.
    fn egress(&self) -> String {
        let home = self.home.path().to_str().unwrap();
        stack(&["audit", "show", "gateway", "--json", "--home", home]).output()
    }

    /// Waits until the server has said something.
    fn hear(&mut self, text: &str) {
        while !self.said.contains(text) {
            assert_ne!(self.stderr.read_line(&mut self.said).unwrap(), 0, "{}", self.said);
        }
    }

    /// Ends the server, and returns all that it said.
    fn stop(mut self) -> String {
        std::process::Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        self.stderr.read_to_string(&mut self.said).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{}", self.said);
        std::mem::take(&mut self.said)
    }
}

/// A test that fails leaves no server behind.
impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The objects of a stream, whichever way it is framed.
    fn records(&self) -> Vec<Value> {
        let lines = self.body.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line));
        lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

fn unchunked(mut text: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = text.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size, 16) else { break };
        let Some(chunk) = rest.get(..size) else { break };
        body.push_str(chunk);
        text = rest.get(size + 2..).unwrap_or_default();
    }
    body
}

/// How the keys of all providers begin.
const KEY: &str = "sk-canary-9f8e7d6c";
