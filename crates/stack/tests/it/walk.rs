//! The whole way of a model: fetched, signed, verified, run, tampered with, sealed, carried over the gap, and run there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stack_seal::digest::{Digest, Sha256Hasher};
use stack_testkit::{HttpReply, HttpServer};
use tempfile::TempDir;

use crate::stack::{Ran, command};

#[test]
fn a_model_is_fetched_signed_verified_run_sealed_and_carried_over_the_gap() {
    let here = Site::new();
    here.run(&["keygen", "--identity", "alice", "--no-passphrase"]).output();
    here.trust(&here.key("alice"));

    // Strict from the first minute: what nobody signed does not run.
    let server = serve(MODEL);
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
        let mut command = command(arguments);
        for name in ["STACK_PRIVACY", "STACK_OFFLINE", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(name);
        }
        Ran::from(command.env("STACK_HOME", self.home()).output().unwrap())
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

fn serve(bytes: &'static [u8]) -> HttpServer {
    let bytes = Arc::new(bytes.to_vec());
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

const MODEL: &[u8] = include_bytes!("../../../../models/default/stories.gguf");
const SPAN: usize = 256 << 10;
