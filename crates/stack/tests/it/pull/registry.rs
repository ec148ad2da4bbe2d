//! A real OCI registry: Debian's `docker-registry`, if this machine has it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use stack_testkit::{HttpReply, HttpRequest, HttpServer};

use super::{Home, content, file_server, ran, sha256};

/// A running registry; it ends when dropped.
pub(crate) struct Registry {
    child: Child,
    pub(crate) host: String,
}

impl Registry {
    /// Starts one that keeps its files in `folder`, or says that the test is skipped.
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    pub(crate) fn start(folder: &Path) -> Option<Self> {
        let config = folder.join("config.yml");
        let text = format!(
            "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:0\n",
            folder.display()
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let Ok(mut child) = command.spawn() else {
            eprintln!("SKIPPED: needs docker-registry");
            return None;
        };
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let host =
            lines.find_map(|line| Some(line.split_once("listening on ")?.1.split('"').next()?.to_owned()));
        // Its log must be read, or it stops at a full pipe.
        thread::spawn(move || lines.count());
        Some(Self { child, host: host.expect("the registry says where it listens") })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may be gone already, which is what is wanted.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

#[test]
fn a_model_goes_to_a_real_registry_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let Some(registry) = Registry::start(folder.path()) else { return };
    let (home, other, bytes) = (Home::new(), Home::new(), content((40 << 20) + 1));
    let server = file_server(&bytes);
    let pulled = ran(home.pull(&[&server.url("/a.gguf"), "--as", "me/mine"])).output();
    let manifest = pulled.trim_end().rsplit(' ').next().unwrap().to_owned();
    let reference = format!("oci://{}/med/mine:v1", registry.host);
    let pushed = ran(home.push(&["me/mine", &reference])).output();
    assert_eq!(pushed, format!("{reference} {manifest}\n"));
    let again = ran(home.push(&["me/mine", &reference, "--plain-http", "--json"])).json();
    assert_eq!((&again["files_sent"], &again["bytes_sent"]), (&0.into(), &0.into()));
    let fetched = ran(other.pull(&[&reference])).output();
    assert!(fetched.ends_with(&format!("/med/mine:v1 {manifest}\n")), "{fetched}");
    assert_eq!(fs::read(other.blob(&sha256(&bytes))).unwrap(), *bytes);
    let by_digest = format!("oci://{}/med/mine@{manifest}", registry.host);
    assert!(ran(other.pull(&[&by_digest, "--as", "pinned"])).output().contains(&manifest));
    ran(other.pull(&[&format!("oci://{}/med/none", registry.host)])).fails(3, &["error[upstream-404]"]);
}

#[test]
fn a_registry_that_loses_a_byte_is_caught() {
    let folder = tempfile::tempdir().unwrap();
    let Some(registry) = Registry::start(folder.path()) else { return };
    let (home, other, bytes) = (Home::new(), Home::new(), content(1 << 20));
    let server = file_server(&bytes);
    ran(home.pull(&[&server.url("/a.gguf"), "--as", "me/mine"])).output();
    let reference = format!("oci://{}/med/mine:v1", registry.host);
    ran(home.push(&["me/mine", &reference, "--plain-http"])).output();
    let hex = sha256(&bytes).hex();
    let blob = folder.path().join(format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]));
    let mut spoiled = bytes.to_vec();
    spoiled[700_000] ^= 1;
    fs::write(blob, spoiled).unwrap();
    ran(other.pull(&[&reference])).fails(5, &["error[digest-mismatch]"]);
    assert!(!other.blob(&sha256(&bytes)).exists());
}

/// Serves a registry that has nothing, and says so only to those who show a token from `realm`.
fn guarded(realm: impl Fn(&HttpRequest) -> String + Send + Sync + 'static) -> HttpServer {
    HttpServer::start(move |request| match request.header("authorization") {
        _ if request.path() == "/token" => HttpReply::new(200, r#"{"token":"let-me-in"}"#),
        Some("Bearer let-me-in") => HttpReply::new(404, "{}"),
        _ => HttpReply::new(401, "")
            .header("www-authenticate", format!("Bearer realm=\"{}\",service=\"here\"", realm(request))),
    })
}

#[test]
fn a_token_is_fetched_from_the_registry_itself_with_the_login() {
    let home = Home::new();
    let server = guarded(|request| format!("http://{}/token", request.header("host").unwrap()));
    let login = serde_json::json!({"auths": {server.host(): {"auth": "bWU6c2VjcmV0"}}});
    fs::write(home.path().join("config.json"), login.to_string()).unwrap();
    let ran = ran(home.pull(&[&format!("oci://{}/med/mine", server.host())]));
    assert!(!ran.stderr.contains("bWU6c2VjcmV0") && !ran.stderr.contains("let-me-in"), "{}", ran.stderr);
    ran.fails(3, &["error[upstream-404]"]);
    let asked = server.requests();
    let token = asked.iter().find(|request| request.path() == "/token").unwrap();
    assert_eq!(token.header("authorization"), Some("Basic bWU6c2VjcmV0"));
    assert_eq!(token.target, "/token?service=here&scope=repository%3Amed%2Fmine%3Apull");
    assert_eq!(asked.last().unwrap().header("authorization"), Some("Bearer let-me-in"));
}

#[test]
fn a_realm_elsewhere_gets_no_login() {
    let home = Home::new();
    let thief = guarded(|_| String::new());
    let elsewhere = thief.url("/token").replace("127.0.0.1", "localhost");
    let server = guarded(move |_| elsewhere.clone());
    let login = serde_json::json!({"auths": {server.host(): {"auth": "bWU6c2VjcmV0"}}});
    fs::write(home.path().join("config.json"), login.to_string()).unwrap();
    let reference = format!("oci://{}/med/mine", server.host());
    ran(home.pull(&[&reference])).fails(7, &["error[host-not-listed]", "localhost"]);
    assert!(thief.requests().is_empty());
}

#[test]
fn plain_http_stays_on_this_machine() {
    let (home, bytes) = (Home::new(), content(100));
    let server = file_server(&bytes);
    ran(home.pull(&[&server.url("/a.gguf"), "--as", "me/mine"])).output();
    ran(home.push(&["me/mine", "oci://registry.test/a/b", "--plain-http"]))
        .fails(7, &["error[tier-forbids]", "plain http"]);
    ran(home.push(&["me/mine", "hf://a/b"])).fails(2, &["error[bad-name]"]);
    ran(home.push(&["me/none", "oci://registry.test/a/b"])).fails(3, &["error[not-in-store]"]);
}
