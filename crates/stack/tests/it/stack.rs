//! The built binary, run with arguments.

use std::fs;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

/// What a command left behind.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command with nothing on stdin.
pub(crate) fn stack(arguments: &[&str]) -> Ran {
    stack_with_stdin(arguments, b"")
}

/// Runs a command with these bytes on stdin.
pub(crate) fn stack_with_stdin(arguments: &[&str], stdin: &[u8]) -> Ran {
    let mut child = command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    // A command that does not read its input may have closed it.
    let _unread = child.stdin.take().unwrap().write_all(stdin);
    Ran::from(child.wait_with_output().unwrap())
}

/// Prepares a command whose output is kept. Unless it is given a home, its home is one without models and audit log, which
/// all tests share.
pub(crate) fn command(arguments: &[&str]) -> Command {
    static HOME: LazyLock<PathBuf> = LazyLock::new(|| {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("home");
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("stack.toml"), "[audit]\nenabled = false\n").unwrap();
        home
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_stack"));
    command.args(arguments).env_remove("STACK_LOG").env("STACK_HOME", &*HOME).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A command that goes on running. A test that fails takes it along: a server that is left behind would keep its memory
/// and its port until somebody finds it.
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(Some(command.spawn().unwrap()))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.as_ref().unwrap().id()
    }

    /// Takes what it says from here on.
    pub(crate) fn stderr(&mut self) -> BufReader<ChildStderr> {
        BufReader::new(self.0.as_mut().unwrap().stderr.take().unwrap())
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn terminate(self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// Waits until it ends.
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.0.take().unwrap().wait().unwrap()
    }

    /// Waits until it ends, and returns what it left behind.
    pub(crate) fn output(mut self) -> Ran {
        Ran::from(self.0.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It may have ended by itself.
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}

impl Ran {
    /// Returns what was printed by a command that succeeded.
    #[track_caller]
    pub(crate) fn output(self) -> String {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stdout
    }

    /// Parses what was printed by a command that succeeded.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let output = self.output();
        assert_eq!(output.lines().count(), 1, "one object on one line");
        serde_json::from_str(&output).unwrap()
    }

    /// Asserts a failure: its code, that nothing was printed as data, and what the message says.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "");
        for text in texts {
            assert!(self.stderr.contains(text), "{text:?} is not in:\n{}", self.stderr);
        }
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
