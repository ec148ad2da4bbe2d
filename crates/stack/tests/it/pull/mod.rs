//! `stack pull` against scripted servers on this machine.

mod again;
mod certificates;
mod failures;
mod hub;
mod interruptions;
pub(crate) mod registry;
mod tiers;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use stack_seal::digest::{Digest, Sha256Hasher};
use stack_testkit::{HttpReply, HttpServer};
use tempfile::TempDir;

use crate::stack::{Ran, command};

/// A home folder, and commands that use it.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Prepares `stack pull` with this machine listed and nothing from the environment.
    pub(crate) fn pull(&self, arguments: &[&str]) -> Command {
        let mut command = self.pull_unlisted(arguments);
        command.args(["--allow-host", "127.0.0.1"]);
        command
    }

    /// Prepares `stack pull` with no host listed.
    pub(crate) fn pull_unlisted(&self, arguments: &[&str]) -> Command {
        self.command("pull", arguments)
    }

    /// Prepares `stack push` with this machine listed.
    pub(crate) fn push(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("push", arguments);
        command.args(["--allow-host", "127.0.0.1"]);
        command
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = command(&[name]);
        command.args(arguments).arg("--home").arg(self.0.path());
        command.env("DOCKER_CONFIG", self.0.path());
        for name in ENVIRONMENT {
            command.env_remove(name);
        }
        command
    }

    /// Where a blob lies, or would.
    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.0.path().join("store/blobs/sha256").join(digest.hex())
    }

    /// Lists the files of downloads in progress.
    pub(crate) fn partial(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path().join("store/tmp")).into_iter().flatten();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Runs a command to its end.
pub(crate) fn ran(mut command: Command) -> Ran {
    Ran::from(command.output().unwrap())
}

/// Bytes that differ everywhere, behind the header of a GGUF file without metadata and tensors where there is room.
pub(crate) fn content(length: usize) -> Arc<Vec<u8>> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    let mut bytes: Vec<u8> = (0..length).map(next).collect();
    if let Some(start) = bytes.get_mut(..24) {
        start.fill(0);
        start[..5].copy_from_slice(b"GGUF\x03");
    }
    Arc::new(bytes)
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    let mut hasher = Sha256Hasher::new();
    hasher.update(bytes);
    hasher.finish()
}

/// Serves one file, well.
pub(crate) fn file_server(bytes: &Arc<Vec<u8>>) -> HttpServer {
    let bytes = Arc::clone(bytes);
    HttpServer::start(move |request| HttpReply::file(request, &bytes, "\"one\""))
}

#[test]
fn a_file_comes_from_an_address_and_once() {
    let (home, bytes) = (Home::new(), content(3 << 20));
    let server = file_server(&bytes);
    let url = server.url("/models/Tiny.gguf");
    let output = ran(home.pull(&[&url])).output();
    let (name, manifest) = output.trim_end().split_once(' ').unwrap();
    assert_eq!(name, format!("{}/tiny", server.host()));
    assert!(manifest.starts_with("sha256:"), "{manifest}");
    assert_eq!(fs::read(home.blob(&sha256(&bytes))).unwrap(), *bytes);
    assert_eq!(home.partial(), [""; 0]);
    let sent = server.bytes_sent();
    assert_eq!(sent, bytes.len() as u64);
    assert_eq!(ran(home.pull(&[&url])).output(), output);
    assert_eq!(server.bytes_sent(), sent, "nothing is fetched twice");
}

#[test]
fn a_name_changes_only_when_told_to() {
    let (home, old, new) = (Home::new(), content(1000), content(2000));
    let (first, second) = (file_server(&old), file_server(&new));
    let pulled = ran(home.pull(&[&first.url("/a.gguf"), "--as", "me/mine"])).output();
    // Another address is another model, whatever its name here.
    ran(home.pull(&[&second.url("/b.gguf"), "--as", "me/mine"]))
        .fails(7, &["error[name-taken]", "/a.gguf", "--update"]);
    assert_eq!(ran(home.pull(&[&first.url("/a.gguf"), "--as", "me/mine"])).output(), pulled);
    let updated = ran(home.pull(&[&second.url("/b.gguf"), "--as", "me/mine", "--update"])).output();
    assert_ne!(updated, pulled);
    assert_eq!(fs::read(home.blob(&sha256(&new))).unwrap(), *new);
}

#[test]
fn programs_get_events_and_one_object() {
    let (home, bytes) = (Home::new(), content(1 << 20));
    let server = file_server(&bytes);
    let ran = ran(home.pull(&[&server.url("/a.gguf"), "--json"]));
    let events: Vec<serde_json::Value> =
        ran.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&events[0]["event"], &events[0]["bytes"]), (&"planned".into(), &bytes.len().into()));
    assert!(events[0]["free_bytes"].as_u64() > Some(1 << 20));
    assert_eq!((&events[1]["event"], &events[1]["host"]), (&"started".into(), &server.host().into()));
    assert_eq!(events.last().unwrap()["event"], "finished");
    let report = ran.json();
    assert_eq!((&report["name"], &report["changed"]), (&format!("{}/a", server.host()).into(), &true.into()));
}

#[test]
fn several_models_come_one_after_the_other() {
    let (home, one, two) = (Home::new(), content(1000), content(2000));
    let (first, second) = (file_server(&one), file_server(&two));
    let (first, second) = (first.url("/one.gguf"), second.url("/two.gguf"));
    let output = ran(home.pull(&[&first, &second])).output();
    let names: Vec<_> = output.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert!(names.len() == 2 && names[0].ends_with("/one") && names[1].ends_with("/two"), "{output}");
    ran(home.pull(&[&first, &second, "--as", "m"])).fails(2, &["--as", "one at a time"]);
}

#[test]
fn a_dry_run_fetches_nothing() {
    let (home, bytes) = (Home::new(), content(1000));
    let server = file_server(&bytes);
    let output = ran(home.pull(&[&server.url("/a.gguf"), "--dry-run"])).output();
    assert!(output.contains("a.gguf  1000 B"), "{output}");
    assert_eq!(server.bytes_sent(), 0);
    assert!(!home.path().join("store").exists());
}

#[test]
fn a_rate_is_kept() {
    let (home, bytes) = (Home::new(), content(1 << 20));
    let server = file_server(&bytes);
    let started = std::time::Instant::now();
    ran(home.pull(&[&server.url("/a.gguf"), "--limit-rate", "1MiB"])).output();
    assert!(started.elapsed().as_secs_f64() > 0.6, "{:?}", started.elapsed());
}

/// What could lead a test elsewhere.
const ENVIRONMENT: [&str; 15] = [
    "STACK_HOME",
    "STACK_OFFLINE",
    "STACK_PRIVACY",
    "HF_HUB_OFFLINE",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HF_ENDPOINT",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "HTTP_PROXY",
    "http_proxy",
];
