//! The records that a reply is cut into.

use stack_chat::Failure;

use super::lines::{LineEnd, Lines};
use super::sse::SseReader;

/// One record of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// A text, and the name of the event that brought it, where it has one.
    Data { name: String, data: String },
    /// Only a sign of life.
    Comment,
}

/// How a reply is framed, and what has come of the next record.
#[derive(Debug)]
pub(super) enum Records {
    /// Server-sent events.
    Sse(SseReader),
    /// One JSON text per line.
    Ndjson(Lines),
    /// One JSON text, complete when the body is.
    Whole(Vec<u8>),
}

impl Records {
    pub(super) fn sse() -> Self {
        Self::Sse(SseReader::new())
    }

    pub(super) fn ndjson() -> Self {
        Self::Ndjson(Lines::new(LineEnd::Lf))
    }

    /// Returns the next record and takes its bytes off `bytes`; `None` waits for more.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Record>, Failure> {
        match self {
            Self::Sse(reader) => reader.next(bytes),
            Self::Ndjson(lines) => {
                while let Some(line) = lines.next(bytes)? {
                    if !line.trim_ascii().is_empty() {
                        return text(line).map(Some);
                    }
                }
                Ok(None)
            }
            Self::Whole(body) => {
                body.extend_from_slice(bytes);
                *bytes = &[];
                Ok(None)
            }
        }
    }

    /// Returns the record that the end of the body completes. A line of JSON needs no line end, because no beginning of
    /// an object is an object; an event does.
    pub(super) fn end(&mut self) -> Result<Option<Record>, Failure> {
        let rest = match self {
            Self::Sse(_) => return Ok(None),
            Self::Ndjson(lines) => lines.rest(),
            Self::Whole(body) => std::mem::take(body),
        };
        if rest.trim_ascii().is_empty() { Ok(None) } else { text(rest).map(Some) }
    }
}

fn text(bytes: Vec<u8>) -> Result<Record, Failure> {
    match String::from_utf8(bytes) {
        Ok(data) => Ok(Record::Data { name: String::new(), data }),
        Err(_) => Err(super::sse::not_text()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_records_and_blank_ones_are_not() {
        let text = "{\"a\":1}\r\n\n \n{\"b\":2}\n{\"c\":";
        for step in 1..=text.len() {
            let (mut records, mut found) = (Records::ndjson(), Vec::new());
            for mut bytes in text.as_bytes().chunks(step) {
                while let Some(record) = records.next(&mut bytes).unwrap() {
                    found.push(record);
                }
            }
            found.extend(records.end().unwrap());
            let texts: Vec<_> = found
                .iter()
                .map(|record| match record {
                    Record::Data { data, .. } => data.trim(),
                    Record::Comment => "",
                })
                .collect();
            assert_eq!(texts, ["{\"a\":1}", "{\"b\":2}", "{\"c\":"], "{step}");
        }
    }
}
