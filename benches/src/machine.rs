//! Where the figures come from.

use std::fs;
use std::process::Command;
use std::thread;

use serde_json::{Value, json};

/// The machine and the source that were measured.
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Threads that run at once.
    pub threads: usize,
    /// The operating system and its version.
    pub system: String,
    /// The commit of the working tree, with a mark if it was changed.
    pub commit: String,
}

impl Machine {
    /// Asks the system; what it does not say is "unknown".
    pub fn read() -> Self {
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = processors
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned());
        Self {
            processor,
            threads: thread::available_parallelism().map_or(1, usize::from),
            system: output("uname", &["-srm"]),
            commit: output("git", &["describe", "--always", "--dirty", "--abbrev=12"]),
        }
    }

    /// Returns everything but the commit.
    pub fn to_json(&self) -> Value {
        json!({ "processor": self.processor, "threads": self.threads, "system": self.system })
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}
