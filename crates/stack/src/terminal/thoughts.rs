//! What a model thinks before it answers, shown beside the answer.

use std::io::{self, IsTerminal, Write};

use stack_chat::{ChatEvent, Delta, Fragment};

use crate::terminal::output::sanitize;

/// Shows thinking on stderr where somebody watches, so that standard output holds the answer alone.
pub(crate) struct Thoughts {
    is_shown: bool,
    is_open: bool,
}

impl Thoughts {
    /// Prepares to show them, if anybody watches.
    pub(crate) fn new() -> Self {
        Self { is_shown: io::stderr().is_terminal(), is_open: false }
    }

    /// Shows what an event adds; the first one that is something else ends them.
    pub(crate) fn see(&mut self, event: &ChatEvent) {
        let ChatEvent::Delta(Delta { fragment, .. }) = event else { return };
        let text = match fragment {
            Fragment::Thinking(text) if self.is_shown => text,
            _ => return self.end(),
        };
        let begin = if self.is_open { "" } else { "(thinks: " };
        self.is_open = true;
        write(&format!("{begin}{}", sanitize(text)));
    }

    /// Ends them, if they were begun.
    pub(crate) fn end(&mut self) {
        if std::mem::take(&mut self.is_open) {
            write(")\n");
        }
    }
}

/// Nobody may be watching any more, which is no reason to fail.
fn write(text: &str) {
    let mut stderr = io::stderr();
    let _unseen = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
