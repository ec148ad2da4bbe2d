//! Whoever sits at the terminal, and nobody where there is none.

use std::io::{self, BufRead, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use stack_agent::approval::{Answer, Question};
use stack_agent::kernel::AmbiguousEffect;
use stack_agent::policy::Decision;
use stack_agent::session::{Approver, Resolution};

use crate::terminal::output::{sanitize, stderr};

/// Asks on the terminal.
pub(super) struct Person {
    cancel: Arc<AtomicBool>,
    resolution: Option<Resolution>,
    lines: Option<Receiver<String>>,
}

impl Person {
    /// Takes the flag of whoever ends the session, and what was said on the command line about an act whose end is unknown.
    pub(super) fn new(cancel: Arc<AtomicBool>, resolution: Option<Resolution>) -> Self {
        Self { cancel, resolution, lines: None }
    }

    /// Reads a line; nothing where nobody is there, or the session is to end.
    fn line(&mut self) -> Option<String> {
        let lines = self.lines.get_or_insert_with(|| {
            let (send, receive) = sync_channel(1);
            // A read cannot be interrupted, so a thread waits for it, which ends with the program.
            thread::spawn(move || {
                for line in io::stdin().lock().lines().map_while(Result::ok) {
                    if send.send(line).is_err() {
                        return;
                    }
                }
            });
            receive
        });
        while !self.cancel.load(Ordering::Relaxed) {
            match lines.recv_timeout(LOOK) {
                Ok(line) => return Some(line.trim().to_lowercase()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        None
    }
}

fn is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

impl Approver for Person {
    fn decide(&mut self, question: &Question) -> Answer {
        if !is_there() {
            let note = "nobody is there to be asked, and no rule allows it";
            return Answer::Deny { note: note.to_owned() };
        }
        let proposal = &question.proposal;
        stderr(format!("? {} ({})", proposal.tool().name, proposal.tool().rank));
        shown(proposal.arguments()).for_each(|line| stderr(sanitize(&line)));
        if question.verdict.is_tainted {
            stderr("  the model has read text of strangers before it asked for this");
        }
        let may_last = question.verdict.decision == Decision::AskOnce;
        loop {
            stderr(if may_last { "  [y]es, [a]lways in this session, [n]o?" } else { "  [y]es or [n]o?" });
            match self.line().as_deref() {
                Some("y" | "yes") => return Answer::AllowOnce,
                Some("a" | "always") if may_last => return Answer::AllowSession,
                Some("n" | "no") | None => {
                    return Answer::Deny { note: "the person at the terminal".to_owned() };
                }
                Some(_) => {}
            }
        }
    }

    fn resolve(&mut self, effect: &AmbiguousEffect) -> Option<Resolution> {
        if self.resolution.is_some() || !is_there() {
            return self.resolution.take();
        }
        stderr(sanitize(&format!(
            "? the process ended while {} was under way, and nobody knows whether it happened: {}",
            effect.tool, effect.arguments
        )));
        loop {
            stderr("  [h]appened, [d]id not, [r]etry, [f]ail, or [l]ater?");
            match self.line().as_deref() {
                Some("h" | "happened") => return Some(Resolution::Happened),
                Some("d" | "did not" | "did-not") => return Some(Resolution::DidNot),
                Some("r" | "retry") => return Some(Resolution::Retry),
                Some("f" | "fail") => return Some(Resolution::Fail),
                Some("l" | "later") | None => return None,
                Some(_) => {}
            }
        }
    }
}

/// The arguments, each on a line of its own, long ones cut.
fn shown(arguments: &Value) -> impl Iterator<Item = String> {
    arguments.as_object().into_iter().flatten().map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let length = text.chars().count();
        let cut: String = text.chars().take(SHOWN).collect();
        let more = if length > SHOWN { format!(" … ({length} characters)") } else { String::new() };
        format!("  {name}: {cut}{more}")
    })
}

const LOOK: Duration = Duration::from_millis(50);
const SHOWN: usize = 600;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn long_arguments_are_cut_and_say_so() {
        let lines: Vec<_> = shown(&json!({"path": "a", "content": "x".repeat(1000)})).collect();
        assert_eq!(lines[0], "  path: a");
        assert!(lines[1].ends_with(" … (1000 characters)"), "{}", lines[1]);
    }
}
