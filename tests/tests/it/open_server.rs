//! A server that is open to others, as the official clients see it: on every address, over TLS, with API keys.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::server::binary;
use crate::tree::workspace_root;

/// Ends the server with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "CI says which interpreter has the client")]
fn official_clients_are_served_over_tls_with_keys() {
    let python = env::var("STACK_E2E_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_client = Command::new(&python).args(["-c", "import openai"]).output();
    if !has_client.is_ok_and(|output| output.status.success()) {
        assert!(!env::var("CI").is_ok_and(|value| value == "true"), "CI has the client");
        // Not `eprintln!`: the harness hides what a passing test prints, and a skipped one should be seen.
        writeln!(io::stderr(), "SKIPPED: {python} has no openai client").expect("stderr is open");
        return;
    }
    let home = tempfile::tempdir().expect("there is room for a home");
    let vector = |name: &str| workspace_root().join("tests/vectors/tls").join(name);
    let stack = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        command.args(arguments).env("STACK_HOME", home.path()).stdin(Stdio::null());
        command
    };
    let key = |options: &[&str]| {
        let create = stack(&[&["auth", "token", "create"], options].concat()).output().expect("it runs");
        assert!(create.status.success(), "{}", String::from_utf8_lossy(&create.stderr));
        String::from_utf8(create.stdout).expect("a key is text").trim().to_owned()
    };
    let asking = key(&["--name", "asking", "--model", "default", "--requests-per-minute", "3"]);
    let reading = key(&["--name", "reading", "--scope", "read"]);
    let mut serve = stack(&["serve", "--host", "0.0.0.0", "--port", "0"]);
    serve.arg("--tls-certificate").arg(vector("server.pem")).arg("--tls-key").arg(vector("server.key"));
    let mut running = Running(serve.stderr(Stdio::piped()).spawn().expect("the binary starts"));
    let mut lines = BufReader::new(running.0.stderr.take().expect("stderr is piped")).lines();
    let mut next = |wanted: &str| {
        let line = lines.by_ref().map_while(Result::ok).find(|line| line.contains(wanted));
        line.unwrap_or_else(|| panic!("the server never said {wanted:?}"))
    };
    let port = next("listening on https://").rsplit_once(':').expect("an address has a port").1.to_owned();
    next("is ready");
    // A full pipe would stop the server.
    thread::spawn(move || lines.for_each(drop));
    let checked = Command::new(&python)
        .args(["-B", "open_server.py"])
        .current_dir(workspace_root().join("tests/python"))
        .env("STACK_BASE_URL", format!("https://localhost:{port}"))
        .env("STACK_CA", vector("authority.pem"))
        .env("STACK_KEY", asking)
        .env("STACK_READ_KEY", reading)
        .env("STACK_BINARY", binary())
        .env("STACK_HOME", home.path())
        .output()
        .expect("Python runs");
    let said =
        String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
    println!("{said}");
}
