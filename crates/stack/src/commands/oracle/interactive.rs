//! Questions one after the other.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use clap::Command;

use super::{Format, Seer, names};
use crate::error::CommandError;
use crate::terminal::output::{Data, stderr};

/// Reads lines until `exit` or the end of the input. What is wrong with one is told, and the next one is read.
pub(super) fn run(seer: &Seer, root: &Command, data: &mut Data) -> Result<(), CommandError> {
    let mut input = io::stdin().lock();
    let is_terminal = input.is_terminal();
    loop {
        if is_terminal {
            // Nobody may be looking, which is no reason to fail.
            let _unseen = write!(io::stderr(), "oracle> ").and_then(|()| io::stderr().flush());
        }
        let mut line = Vec::new();
        let read = input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        if read.map_err(|error| CommandError::reading("the standard input", error))? == 0 {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim();
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let told = match (word, rest.trim()) {
            ("", _) => Ok(()),
            ("exit" | "quit", "") => return Ok(()),
            ("help", "") => data.line(HELP),
            ("list", "") => names::list(Format::Text, data),
            ("show", name) if is_name(name) => names::show(name, root, Format::Text, data),
            ("caps", name) if is_name(name) => names::capabilities(name, root, Format::Text, data),
            _ => seer.tell(line, Format::Text, data),
        };
        match told {
            Err(error) if error.is_silent() => return Err(error),
            Err(error) => stderr(error.to_string()),
            Ok(()) => data.write("")?,
        }
    }
}

/// A name has few words; "show me what is loaded" is a question.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.split(' ').count() <= NAME_WORDS_MAX
}

const HELP: &str = "list           what there is\nshow NAME      what it is\ncaps NAME      what it can do\nexit           leave\n\
                    anything else  a question";
const NAME_WORDS_MAX: usize = 3;
const LINE_BYTES_MAX: u64 = 16 << 10;
