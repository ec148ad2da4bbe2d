//! Lines of a stream, however its bytes are cut.

use stack_chat::{Failure, FailureKind};

/// Which bytes end a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// LF, CR, or both together, as server-sent events have it.
    Any,
    /// LF alone; a CR before it is white space of JSON.
    Lf,
}

/// Cuts bytes into lines. It holds at most one record, and never looks at a byte twice.
#[derive(Debug)]
pub(super) struct Lines {
    end: LineEnd,
    line: Vec<u8>,
    /// The last line ended with a CR, so an LF that comes next belongs to it.
    after_cr: bool,
}

impl Lines {
    pub(super) fn new(end: LineEnd) -> Self {
        Self { end, line: Vec::new(), after_cr: false }
    }

    /// Returns the next whole line and takes its bytes off `bytes`; `None` waits for more.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        if bytes.is_empty() {
            return Ok(None);
        }
        if std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
            *bytes = &bytes[1..];
        }
        let ends = |byte: &u8| *byte == b'\n' || (*byte == b'\r' && self.end == LineEnd::Any);
        let place = bytes.iter().position(ends);
        let taken = &bytes[..place.unwrap_or(bytes.len())];
        if self.line.len() + taken.len() > RECORD_BYTES_MAX {
            return Err(too_large());
        }
        self.line.extend_from_slice(taken);
        let Some(place) = place else {
            *bytes = &[];
            return Ok(None);
        };
        self.after_cr = bytes[place] == b'\r';
        *bytes = &bytes[place + 1..];
        Ok(Some(std::mem::take(&mut self.line)))
    }

    /// Returns what no line end followed.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.line)
    }
}

/// Makes the failure of a record beyond the limit.
pub(super) fn too_large() -> Failure {
    let message = format!("the provider sent a record of more than {} MiB", RECORD_BYTES_MAX >> 20);
    Failure::new(FailureKind::StreamMalformed, message)
}

/// The most bytes that one record may have.
pub(super) const RECORD_BYTES_MAX: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts `text` into lines, `step` bytes at a time; what is left comes last.
    fn cut(end: LineEnd, text: &[u8], step: usize) -> Vec<String> {
        let (mut lines, mut found) = (Lines::new(end), Vec::new());
        for mut bytes in text.chunks(step) {
            while let Some(line) = lines.next(&mut bytes).unwrap() {
                found.push(String::from_utf8(line).unwrap());
            }
        }
        found.push(String::from_utf8(lines.rest()).unwrap());
        found
    }

    #[test]
    fn any_cut_gives_the_same_lines() {
        let text = b"a\r\nb\rc\n\n\r\r\n\nd\n\rrest";
        for step in 1..=text.len() {
            let any = cut(LineEnd::Any, text, step);
            assert_eq!(any, ["a", "b", "c", "", "", "", "", "d", "", "rest"], "{step}");
            assert_eq!(cut(LineEnd::Lf, b"a\r\nb\n", step), ["a\r", "b", ""], "{step}");
        }
    }

    #[test]
    fn a_line_has_a_limit() {
        let mut lines = Lines::new(LineEnd::Any);
        let block = vec![b'x'; RECORD_BYTES_MAX];
        assert_eq!(lines.next(&mut &block[..]), Ok(None));
        assert_eq!(lines.next(&mut &b"x"[..]).unwrap_err().kind, FailureKind::StreamMalformed);
    }
}
