//! Starting and stopping servers.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

/// A server to be started for each turn.
pub(crate) struct Program {
    pub(crate) name: String,
    file: PathBuf,
    arguments: Vec<String>,
}

/// One that runs; it ends with this value.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    /// What it writes down goes here and not into the home of whoever measures.
    _home: TempDir,
}

impl Program {
    pub(crate) fn ours(name: &str, file: PathBuf, model: &Path, threads: u32, options: &str) -> Self {
        let model = model.display().to_string();
        let mut arguments: Vec<String> = ["serve", "--only", "-m", &model].map(str::to_owned).to_vec();
        arguments.extend(["--threads".to_owned(), threads.to_string()]);
        arguments.extend(options.split_whitespace().map(str::to_owned));
        Self { name: name.to_owned(), file, arguments }
    }

    pub(crate) fn peer(folder: &Path, model: &Path, threads: u32, slots: usize, options: &str) -> Self {
        let model = model.display().to_string();
        let mut arguments: Vec<String> = ["-m", &model, "--no-webui"].map(str::to_owned).to_vec();
        arguments.extend(["-t".to_owned(), threads.to_string(), "-np".to_owned(), slots.to_string()]);
        // Its slots share the context evenly.
        arguments.extend(["-c".to_owned(), (slots * SLOT_TOKENS).to_string()]);
        arguments.extend(options.split_whitespace().map(str::to_owned));
        Self { name: "llama-server".to_owned(), file: folder.join("llama-server"), arguments }
    }

    /// The command, for a report.
    pub(crate) fn command(&self) -> String {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        format!("{name} {}", self.arguments.join(" "))
    }

    /// Starts it and waits until its model is loaded.
    pub(crate) fn start(&self) -> Result<Server> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let home = tempfile::tempdir()?;
        let child = Command::new(&self.file)
            .args(&self.arguments)
            .env("STACK_HOME", home.path())
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} cannot be started", self.file.display()))?;
        let mut server = Server { child, address: (Ipv4Addr::LOCALHOST, port).into(), _home: home };
        let begun = Instant::now();
        while !server.is_ready() {
            if let Some(status) = server.child.try_wait()? {
                bail!("{} ended at once: {status}", self.command());
            }
            ensure!(begun.elapsed() < START_MAX, "{} does not become ready", self.command());
            thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }
}

impl Server {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn is_ready(&self) -> bool {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(self.address)?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            let host = self.address;
            write!(stream, "GET /health HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What cannot be ended has ended by itself.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

const SLOT_TOKENS: usize = 4096;
const START_MAX: Duration = Duration::from_mins(2);
