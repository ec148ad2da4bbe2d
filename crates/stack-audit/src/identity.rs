//! What logs and streams are called.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use stack_seal::hex;

use crate::hash::{Hash, sha256};

/// The name of a log: 16 random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogId(pub [u8; 16]);

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

/// The name of a stream: a short word for a subsystem, 16 random bytes for a session.
///
/// ```
/// use stack_audit::StreamId;
///
/// assert_eq!(StreamId::named("registry").to_string(), "registry");
/// let session: StreamId = "101112131415161718191a1b1c1d1e1f".parse()?;
/// assert_eq!(session.0[0], 0x10);
/// # Ok::<(), stack_audit::BadStream>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub [u8; 16]);

impl StreamId {
    /// The stream of the log itself.
    pub const LOG: Self = Self::named("log");

    /// Names the stream of a subsystem.
    ///
    /// # Panics
    ///
    /// When the name is not 1 to 15 of `a-z 0-9 -` with a letter first: names are constants.
    pub const fn named(name: &str) -> Self {
        let name = name.as_bytes();
        assert!(is_name(name), "a stream is named by 1 to 15 lower-case letters, digits and hyphens");
        let mut bytes = [0; 16];
        let mut at = 0;
        while at < name.len() {
            bytes[at] = name[at];
            at += 1;
        }
        Self(bytes)
    }

    /// Returns what the first entry names as its predecessor.
    pub fn origin(self, log: LogId) -> Hash {
        sha256(&[b"stack/stream/v1\0", &log.0, &self.0])
    }

    /// Returns the name, where it is a subsystem's.
    fn name(&self) -> Option<&str> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        let (name, padding) = self.0.split_at(end);
        (is_name(name) && padding.iter().all(|&byte| byte == 0)).then(|| std::str::from_utf8(name).ok())?
    }
}

const fn is_name(name: &[u8]) -> bool {
    if name.is_empty() || name.len() > 15 || !name[0].is_ascii_lowercase() {
        return false;
    }
    let mut at = 1;
    while at < name.len() {
        if !(name[at].is_ascii_lowercase() || name[at].is_ascii_digit() || name[at] == b'-') {
            return false;
        }
        at += 1;
    }
    true
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => f.write_str(&hex::encode(&self.0)),
        }
    }
}

/// The error for a text that names no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadStream;

impl fmt::Display for BadStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a session is named by 32 hex digits, a subsystem by a word such as `registry`")
    }
}

impl Error for BadStream {}

impl FromStr for StreamId {
    type Err = BadStream;

    fn from_str(text: &str) -> Result<Self, BadStream> {
        if is_name(text.as_bytes()) {
            return Ok(Self::named(text));
        }
        hex::decode(text).map(Self).ok_or(BadStream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_have_one_spelling() {
        for text in ["log", "a", "a-2", "fifteen-letters", "ff112131415161718191a1b1c1d1e1f1"] {
            assert_eq!(text.parse::<StreamId>().unwrap().to_string(), text);
        }
        for text in ["", "A", "2a", "sixteen-letters-", "a b", "f_", "FF112131415161718191a1b1c1d1e1f1"] {
            assert_eq!(text.parse::<StreamId>(), Err(BadStream), "{text}");
        }
        let almost = StreamId(*b"log\0x\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(almost.to_string().len(), 32);
    }
}
