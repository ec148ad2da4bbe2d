//! Where words go: data to stdout, everything else to stderr.

use std::io::{self, IsTerminal, StdoutLock, Write};

use serde::Serialize;

use crate::error::CommandError;
use crate::terminal;
use crate::terminal::word_wrap::wrapped;

/// Standard output, whose errors are the command's.
pub(crate) struct Data {
    out: StdoutLock<'static>,
    terminal: bool,
}

impl Data {
    /// Takes standard output for the rest of the command.
    pub(crate) fn new() -> Self {
        Self { out: io::stdout().lock(), terminal: io::stdout().is_terminal() }
    }

    /// Writes text as it is.
    pub(crate) fn write(&mut self, text: &str) -> Result<(), CommandError> {
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).map_err(CommandError::writing)
    }

    /// Writes what a model or a file says. On a terminal, nothing in it can move the cursor or worse.
    pub(crate) fn write_foreign(&mut self, text: &str) -> Result<(), CommandError> {
        if self.terminal { self.write(&without_controls(text)) } else { self.write(text) }
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), CommandError> {
        writeln!(self.out, "{line}").map_err(CommandError::writing)
    }

    /// Writes one JSON object on a line of its own.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), CommandError> {
        let mut text =
            serde_json::to_string(value).map_err(io::Error::from).map_err(CommandError::writing)?;
        text.push('\n');
        self.write(&text)
    }
}

/// Says something on stderr, on a terminal with its lines broken between words.
pub(crate) fn stderr(line: impl AsRef<str>) {
    match terminal::columns(io::stderr()) {
        Some(columns) => stderr_exactly(wrapped(line.as_ref(), columns)),
        None => stderr_exactly(line),
    }
}

/// Says something on stderr as it is, such as what a program reads. Nobody may be listening, which is no reason to fail.
pub(crate) fn stderr_exactly(line: impl AsRef<str>) {
    let _unheard = writeln!(io::stderr(), "{}", line.as_ref());
}

/// Makes names and messages harmless: what terminals obey is removed, and what shows letters in another order than they
/// have, so that a name looks like another one, is written out. Newlines and tabs stay.
pub(crate) fn sanitize(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for character in without_controls(text).chars() {
        if reorders(character) {
            harmless.extend(character.escape_unicode());
        } else {
            harmless.push(character);
        }
    }
    harmless
}

/// Whether a character changes the order in which those after it are shown (Unicode Standard Annex 9).
pub(crate) fn reorders(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Removes what terminals obey; newlines and tabs stay. Texts of right-to-left scripts stay as they are.
fn without_controls(text: &str) -> String {
    text.chars().filter(|&character| !character.is_control() || matches!(character, '\n' | '\t')).collect()
}

/// Shows bytes that are mostly text: what is not UTF-8 becomes `\xNN`.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_escaped() {
        assert_eq!(escaped("Zürich".as_bytes()), "Zürich");
        assert_eq!(escaped(b"a\xE4\xBDb"), "a\\xE4\\xBDb");
    }

    #[test]
    fn terminals_are_not_steered() {
        assert_eq!(sanitize("a\x1b[2Jb\r\n\tc\u{9b}1m"), "a[2Jb\n\tc1m");
        assert_eq!(sanitize("model-\u{202e}fugg.4q"), "model-\\u{202e}fugg.4q");
        assert_eq!(without_controls("\u{2067}שלום\u{2069}\x07"), "\u{2067}שלום\u{2069}");
    }
}
