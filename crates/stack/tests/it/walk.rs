//! The whole way of a model: fetched, signed, verified, run, tampered with, sealed, carried over the gap, and run there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use stack_seal::digest::{Digest, Sha256Hasher};
use stack_testkit::{HttpReply, HttpServer};
use tempfile::TempDir;

use crate::pull::registry::Registry;
use crate::stack::{Ran, Running, command};

#[test]
fn a_model_is_fetched_signed_verified_run_sealed_and_carried_over_the_gap() {
    let here = Site::new();
    here.run(&["keygen", "--identity", "alice", "--no-passphrase"]).output();
    here.trust(&here.key("alice"));

    // Strict from the first minute: what nobody signed does not run.
    let server = serve(MODEL.to_vec());
    here.run(&["pull", &server.url("/stories.gguf"), "--as", "med/stories", "--allow-host", "127.0.0.1"])
        .output();
    here.ask("med/stories").fails(3, &["error[no-signature]", "the rule for ** is strict"]);
    here.run(&["sign", "med/stories", "--identity", "alice"]).output();
    here.run(&["verify", "med/stories"]).output();
    let answer = here.ask("med/stories").output();
    assert!(answer.contains("dog"), "{answer}");

    // One byte, anywhere, and nothing answers.
    let blob = here.blob(MODEL);
    for at in [100, MODEL.len() / 2, MODEL.len() - 1] {
        overwrite(&blob, at, MODEL[at] ^ 1);
        let verified = here.run(&["verify", "med/stories"]);
        assert_eq!(verified.code, 5, "{}", verified.stdout);
        assert!(verified.stdout.contains(&format!("span {}", at / SPAN)), "{}", verified.stdout);
        here.ask("med/stories").fails(5, &["error[digest-mismatch]"]);
        overwrite(&blob, at, MODEL[at]);
    }
    here.ask("med/stories").output();

    // Sealed, it answers as before, and nothing on disk can be read.
    here.run(&["encrypt", "med/stories", "--recipient", "alice"]).output();
    assert_eq!(here.ask("med/stories").output(), answer);
    here.run(&["verify", "med/stories"]).output();
    let readable = here.files_with(&MODEL[MODEL.len() / 2..][..32]);
    assert!(readable.is_empty(), "{readable:?}");

    // Over the gap, to people who know alice's key and have one of their own.
    let there = Site::new();
    there.run(&["keygen", "--identity", "bob", "--no-passphrase"]).output();
    there.trust(&here.key("alice"));
    here.run(&["rekey", "med/stories", "--add", &there.recipient("bob")]).output();
    let package = here.folder.path().join("models.stackpkg");
    let package = package.to_str().unwrap();
    here.run(&["export", "med/stories", "-o", package]).output();
    there.run(&["import", package]).output();
    there.run(&["verify", "med/stories"]).output();
    assert_eq!(there.ask("med/stories").output(), answer);
}

#[test]
fn a_signed_model_goes_through_a_registry_to_people_who_believe_its_signer_alone() {
    let folder = tempfile::tempdir().unwrap();
    let Some(registry) = Registry::start(folder.path()) else { return };
    let reference = format!("oci://{}/med/stories:v1", registry.host);
    let [here, there, elsewhere] = [Site::new(), Site::new(), Site::new()];

    // Ctrl-C in the middle of the download; the same command goes on from there.
    let server = serve_slowly(MODEL);
    let url = server.url("/stories.gguf");
    let pull = ["pull", &url, "--as", "med/stories", "--allow-host", "127.0.0.1"];
    let interrupted = here.interrupt(&pull, || server.bytes_sent() > MODEL.len() as u64 / 2);
    assert_eq!(interrupted.code, 130, "{}", interrupted.stderr);
    assert!(interrupted.stderr.contains("goes on from there"), "{}", interrupted.stderr);
    let before = server.bytes_sent();
    here.run(&pull).output();
    assert!(server.bytes_sent() - before < MODEL.len() as u64, "nothing was kept");

    // Signed and pushed; whoever trusts alice pulls, verifies and runs it, and nothing else.
    here.run(&["keygen", "--identity", "alice", "--no-passphrase"]).output();
    here.run(&["sign", "med/stories", "--identity", "alice"]).output();
    here.run(&["push", "med/stories", &reference, "--allow-host", "127.0.0.1"]).output();
    there.trust(&here.key("alice"));
    let fetch = ["pull", &reference, "--as", "med/stories", "--allow-host", "127.0.0.1"];
    there.run(&fetch).output();
    let verified = there.run(&["verify", "med/stories"]).output();
    assert!(verified.contains("alice"), "{verified}");
    assert!(there.ask("med/stories").output().contains("dog"));
    // She signed it under this name and no other.
    let own_name = ["pull", &reference, "--allow-host", "127.0.0.1", "-q"];
    let named = there.run(&own_name).output();
    let named = named.split(' ').next().unwrap();
    there.ask(named).fails(6, &["error[wrong-name]"]);

    // Somebody with a key of his own takes the tag over; the name stays with its signer.
    elsewhere.run(&["keygen", "--identity", "mallory", "--no-passphrase"]).output();
    let mut forged = MODEL.to_vec();
    forged[MODEL.len() / 2] ^= 1;
    let forger = serve(forged);
    let forgery = forger.url("/stories.gguf");
    elsewhere.run(&["pull", &forgery, "--as", "fake", "--allow-host", "127.0.0.1"]).output();
    elsewhere.run(&["sign", "fake", "--identity", "mallory"]).output();
    elsewhere.run(&["push", "fake", &reference, "--allow-host", "127.0.0.1"]).output();
    let update = [&fetch[..], &["--update"]].concat();
    there.run(&update).fails(6, &["error[signer-changed]"]);
    assert!(there.ask("med/stories").output().contains("dog"), "what was there is still there");

    // Without its names it is gone to the last byte.
    there.run(&["rm", "med/stories", named]).output();
    assert!(there.files_with(&MODEL[MODEL.len() / 2..][..32]).is_empty());
    there.ask("med/stories").fails(3, &["error[not-in-store]"]);
}

/// A home folder, and commands that use it.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// Starts a command and presses Ctrl-C once it is so far.
    fn interrupt(&self, arguments: &[&str], is_so_far: impl Fn() -> bool) -> Ran {
        let running = Running::start(&mut self.command(arguments));
        let started = Instant::now();
        while !is_so_far() {
            assert!(started.elapsed() < Duration::from_mins(1), "it never came so far");
            thread::sleep(Duration::from_millis(10));
        }
        running.signal("INT");
        running.output()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        for name in ["STACK_PRIVACY", "STACK_OFFLINE", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(name);
        }
        // Nobody's logins.
        command.env("STACK_HOME", self.home()).env("DOCKER_CONFIG", self.folder.path());
        command
    }

    fn ask(&self, model: &str) -> Ran {
        let question = "Tell me a story about a dog.";
        self.run(&["run", "-m", model, "--temperature", "0", "--max-tokens", "40", question])
    }

    /// Trusts a key for everything, strictly.
    fn trust(&self, key: &str) {
        self.run(&["trust", "add", "alice", "--key", key, "--for", "**", "--level", "strict"]).output();
    }

    fn key(&self, identity: &str) -> String {
        self.public(identity, 0)
    }

    fn recipient(&self, identity: &str) -> String {
        self.public(identity, 1)
    }

    fn public(&self, identity: &str, line: usize) -> String {
        let public = fs::read_to_string(self.home().join(format!("keys/{identity}.pub"))).unwrap();
        public.lines().nth(line).unwrap().to_owned()
    }

    fn blob(&self, bytes: &[u8]) -> PathBuf {
        let mut hasher = Sha256Hasher::new();
        hasher.update(bytes);
        let digest: Digest = hasher.finish();
        self.home().join("store/blobs/sha256").join(digest.hex())
    }

    /// Lists the files below this folder in which the bytes stand.
    fn files_with(&self, needle: &[u8]) -> Vec<PathBuf> {
        let mut found = Vec::new();
        search(self.folder.path(), needle, &mut found);
        found
    }
}

fn search(folder: &Path, needle: &[u8], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, needle, found);
        } else if fs::read(&path).unwrap().windows(needle.len()).any(|window| window == needle) {
            found.push(path);
        }
    }
}

/// Serves a file in about two seconds.
fn serve_slowly(bytes: &'static [u8]) -> HttpServer {
    let bytes = Arc::new(bytes.to_vec());
    let pause = Duration::from_secs(2) / (bytes.len() / PIECE) as u32;
    HttpServer::start(move |request| HttpReply::file(request, &bytes, "\"one\"").paced(PIECE, pause))
}

fn serve(bytes: Vec<u8>) -> HttpServer {
    let bytes = Arc::new(bytes);
    HttpServer::start(move |request| HttpReply::file(request, &bytes, "\"one\""))
}

/// Changes one byte of a file that nobody should write to.
fn overwrite(path: &Path, at: usize, byte: u8) {
    use std::io::{Seek, SeekFrom, Write};

    let mut permissions = fs::metadata(path).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "the file is this test's own")]
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions).unwrap();
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(&[byte]).unwrap();
}

/// What a slow server sends at once.
const PIECE: usize = 16 << 10;
const MODEL: &[u8] = include_bytes!("../../../../models/default/stories.gguf");
const SPAN: usize = 256 << 10;
