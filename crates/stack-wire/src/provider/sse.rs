//! Server-sent events, taken apart as their bytes arrive.
//!
//! The rules are WHATWG's: a byte order mark is skipped, LF, CR and CRLF end lines, lines of `data` are joined, a blank
//! line ends an event, and an event without its blank line never happened. Identifiers and reconnection times mean
//! nothing here: a reply is never resumed. Two things differ. Bytes that are no UTF-8 are a failure, because replacing
//! them would change an answer silently, and a field `error` is an event of that name, as older llama.cpp servers
//! write it.

use stack_chat::{Failure, FailureKind};

use super::lines::{LineEnd, Lines, RECORD_BYTES_MAX, too_large};
use super::records::Record;

/// What the lines so far add up to.
#[derive(Debug)]
pub(super) struct SseReader {
    lines: Lines,
    is_first: bool,
    name: String,
    data: Option<String>,
}

impl SseReader {
    pub(super) fn new() -> Self {
        Self { lines: Lines::new(LineEnd::Any), is_first: true, name: String::new(), data: None }
    }

    /// Returns the next record and takes its bytes off `bytes`; `None` waits for more.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Record>, Failure> {
        while let Some(line) = self.lines.next(bytes)? {
            let line = match line.strip_prefix(BYTE_ORDER_MARK) {
                Some(rest) if self.is_first => rest,
                _ => &line,
            };
            self.is_first = false;
            let line = std::str::from_utf8(line).map_err(|_| not_text())?;
            if line.is_empty() {
                let name = std::mem::take(&mut self.name);
                if let Some(data) = self.data.take() {
                    return Ok(Some(Record::Data { name, data }));
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" => return Ok(Some(Record::Comment)),
                "event" => value.clone_into(&mut self.name),
                "data" => self.append(value)?,
                "error" => {
                    "error".clone_into(&mut self.name);
                    self.append(value)?;
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn append(&mut self, value: &str) -> Result<(), Failure> {
        let Some(data) = &mut self.data else {
            self.data = Some(value.to_owned());
            return Ok(());
        };
        if data.len() + value.len() >= RECORD_BYTES_MAX {
            return Err(too_large());
        }
        data.push('\n');
        data.push_str(value);
        Ok(())
    }
}

/// Makes the failure of a record that is no UTF-8.
pub(super) fn not_text() -> Failure {
    Failure::new(FailureKind::StreamMalformed, "the provider sent bytes that are no UTF-8")
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &[u8], step: usize) -> Vec<Record> {
        let (mut reader, mut found) = (SseReader::new(), Vec::new());
        for mut bytes in text.chunks(step) {
            while let Some(record) = reader.next(&mut bytes).unwrap() {
                found.push(record);
            }
        }
        found
    }

    fn data(name: &str, data: &str) -> Record {
        Record::Data { name: name.into(), data: data.into() }
    }

    #[test]
    fn events_are_those_of_the_standard_however_they_are_cut() {
        let text = "\u{feff}data: first\n\n: comment\rid: 7\rretry: 1\revent: add\rdata: a\rdata:b\rdata\r\r\
            event: lost\n\nxyz: 1\ndata:  two spaces: é\r\n\r\nerror: {\"code\":500}\n\ndata: never ended\n";
        for step in 1..=text.len() {
            assert_eq!(
                records(text.as_bytes(), step),
                [
                    data("", "first"),
                    Record::Comment,
                    data("add", "a\nb\n"),
                    data("", " two spaces: é"),
                    data("error", "{\"code\":500}"),
                ],
                "{step}"
            );
        }
    }

    #[test]
    fn what_is_no_text_or_too_long_is_a_failure() {
        assert!(SseReader::new().next(&mut &b"data: \xff\n\n"[..]).is_err());
        let line = [b"data: ".to_vec(), vec![b'x'; RECORD_BYTES_MAX / 2], b"\n".to_vec()].concat();
        let twice = [line.clone(), line].concat();
        assert!(SseReader::new().next(&mut &twice[..]).is_err());
    }
}
