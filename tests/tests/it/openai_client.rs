//! The server as the official `openai` client for Python sees it: runs the suite in `tests/python/`.

use std::env;
use std::io::{self, Write};
use std::process::{Command, Output};

use crate::server::{Server, binary, home};
use crate::tree::workspace_root;

#[test]
#[expect(clippy::disallowed_methods, reason = "CI says which interpreter has the client")]
fn official_python_client_is_served() {
    let python = env::var("STACK_E2E_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    if let Err(reason) = has_client(&python) {
        assert!(!in_ci(), "CI runs the client suite, but {reason}");
        let suite = "pip install -r tests/python/requirements.txt";
        // Not `eprintln!`: the harness hides what a passing test prints, and a skipped one should be seen.
        writeln!(io::stderr(), "SKIPPED: the openai client suite: {reason} (try `{suite}`)")
            .expect("stderr is open");
        return;
    }
    let server = Server::start(&[]);
    let output = Command::new(&python)
        .args(["-B", "-m", "pytest", "--color=no", "-p", "no:cacheprovider"])
        .current_dir(workspace_root().join("tests/python"))
        .env("STACK_BASE_URL", server.url())
        .env("STACK_BINARY", binary())
        .env("STACK_HOME", home())
        .env("STACK_PID", server.pid().to_string())
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "the client suite failed:\n{}", text(&output));
    println!("{}", text(&output));
}

/// Returns why the suite cannot run with this interpreter, if it cannot.
fn has_client(python: &str) -> Result<(), String> {
    match Command::new(python).args(["-c", "import openai, pytest"]).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{python} lacks a package: {}", text(&output).trim())),
        Err(error) => Err(format!("{python} does not start: {error}")),
    }
}

#[expect(clippy::disallowed_methods, reason = "CI says that it is CI")]
fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
