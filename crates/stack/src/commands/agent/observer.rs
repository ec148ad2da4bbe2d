//! What happens in a session, as lines on stderr.

use stack_agent::session::{Observer, Progress};

use crate::terminal::output::{sanitize, stderr};

/// Prints what happens.
pub(super) struct Watcher {
    is_quiet: bool,
    said: String,
}

impl Watcher {
    pub(super) fn new(is_quiet: bool) -> Self {
        Self { is_quiet, said: String::new() }
    }
}

impl Observer for Watcher {
    fn see(&mut self, progress: &Progress<'_>) {
        if self.is_quiet {
            return;
        }
        match progress {
            Progress::Said(text) => self.said.push_str(text),
            Progress::Replied => {
                let said = std::mem::take(&mut self.said);
                said.trim().lines().for_each(|line| stderr(sanitize(&format!("| {line}"))));
            }
            Progress::Begun(proposal) => {
                let arguments: String = proposal.arguments().to_string().chars().take(SHOWN).collect();
                let (call, tool) = (proposal.call(), proposal.tool().name);
                stderr(sanitize(&format!("> {call} {tool} {arguments}")));
            }
            Progress::Ended(_, Ok(output)) => {
                let output: String = output.to_string().chars().take(SHOWN).collect();
                stderr(sanitize(&format!("< {output}")));
            }
            Progress::Ended(_, Err(failure)) => stderr(sanitize(&format!("! {failure}"))),
            Progress::Refused(denied) => {
                let message = denied["error"]["message"].as_str().unwrap_or_default();
                let tool = denied["tool"].as_str().unwrap_or_default();
                stderr(sanitize(&format!("! {tool}: {message}")));
            }
        }
    }
}

const SHOWN: usize = 200;
