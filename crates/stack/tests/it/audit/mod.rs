//! What commands write down, and what the log is worth afterwards.

mod acts;
mod exports;
mod limits;
mod sharing;
mod tampering;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::stack::{Ran, command};
use crate::tiny_model;

/// A home with its log, and files beside it.
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

    fn log(&self) -> PathBuf {
        self.home().join("audit")
    }

    /// A path beside the home.
    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command.env("STACK_HOME", self.home());
        for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "STACK_PRIVACY", "STACK_OFFLINE", "HF_HUB_OFFLINE"]
        {
            command.env_remove(name);
        }
        command
    }

    fn stack(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    fn configure(&self, text: &str) {
        std::fs::create_dir_all(self.home()).unwrap();
        std::fs::write(self.home().join("stack.toml"), text).unwrap();
    }

    /// All entries, the log's own included; none where there is no log yet.
    fn entries(&self) -> Vec<Value> {
        let listed = self.stack(&["audit", "list", "--limit", "1000", "--json"]);
        if listed.stderr.contains("no-audit-log") {
            return Vec::new();
        }
        listed.json()["entries"].as_array().unwrap().clone()
    }

    /// What was done: each entry's kind, and its outcome or phase.
    fn acts(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let act = |entry: &Value| {
            let end = text(&entry["outcome"]).or_else(|| text(&entry["phase"])).unwrap();
            (text(&entry["kind"]).unwrap(), end)
        };
        let acts = self.entries().iter().map(act).collect::<Vec<_>>();
        acts.into_iter().filter(|(kind, _)| !kind.starts_with("log.")).collect()
    }

    /// Asserts that what was done last is this, begun and ended.
    #[track_caller]
    fn did(&self, kind: &str, outcome: &str) {
        let acts = self.acts();
        let last = acts.iter().rev().take(2).rev().map(|(kind, end)| (&**kind, &**end)).collect::<Vec<_>>();
        assert_eq!(last, [(kind, "intent"), (kind, outcome)]);
    }

    #[track_caller]
    fn verifies(&self) -> Value {
        self.stack(&["audit", "verify", "--json"]).json()
    }
}

/// Five events in a log: two acts, and that the log was opened.
fn five_events() -> Site {
    let site = Site::new();
    site.stack(&["adopt", &site.path("tiny.gguf"), "--copy", "--as", "tiny"]).output();
    site.stack(&["cp", "tiny", "second"]).output();
    assert_eq!(site.entries().len(), 5);
    site
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let target = to.join(file.file_name());
        if file.path().is_dir() {
            copy_folder(&file.path(), &target);
        } else {
            std::fs::copy(file.path(), target).unwrap();
        }
    }
}
