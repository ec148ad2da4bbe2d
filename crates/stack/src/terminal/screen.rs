//! An answer on its way to whoever reads it: people get whole words, programs get each byte.

use std::io;

use crate::error::CommandError;
use crate::terminal;
use crate::terminal::output::{Data, sanitize};
use crate::terminal::word_wrap::WordWrap;

/// Standard output while an answer is written to it.
pub(crate) struct Screen {
    data: Data,
    wrap: WordWrap,
    wraps: bool,
}

impl Screen {
    /// Takes standard output. Lines are wrapped on a terminal and nowhere else, and there only if that is wanted.
    pub(crate) fn new(wraps: bool) -> Self {
        Self { data: Data::new(), wrap: WordWrap::default(), wraps }
    }

    /// Shows a piece of the answer.
    pub(crate) fn show(&mut self, text: &str) -> Result<(), CommandError> {
        match self.columns() {
            Some(columns) => {
                let shown = self.wrap.push(&sanitize(text), columns);
                self.data.write(&shown)
            }
            None => self.data.write_foreign(text),
        }
    }

    /// Writes one JSON object on a line of its own.
    pub(crate) fn line(&mut self, object: &serde_json::Value) -> Result<(), CommandError> {
        self.data.json(object)
    }

    /// Shows what is left of it, and gives standard output back.
    pub(crate) fn end(mut self) -> Result<Data, CommandError> {
        if let Some(columns) = self.columns() {
            let shown = self.wrap.finish(columns);
            self.data.write(&shown)?;
        }
        Ok(self.data)
    }

    /// The width of the terminal now, if lines are to be wrapped: it may change while an answer comes.
    fn columns(&self) -> Option<usize> {
        terminal::columns(io::stdout()).filter(|_| self.wraps)
    }
}
