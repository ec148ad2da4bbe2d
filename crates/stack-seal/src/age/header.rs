//! The header: its grammar, of which every header has exactly one text, and its MAC.

use std::error::Error;
use std::fmt;

use super::stanza::{self, COLUMNS, Stanza};
use super::{FileKey, OpenError, passphrase};

/// Tells from the first bytes of a file whether it is meant to be an age file, of whatever version.
pub fn is_sealed(start: &[u8]) -> bool {
    start.starts_with(b"age-encryption.org/")
}

/// The header of an age file: stanzas and their MAC, which is not checked until a file key is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub(super) stanzas: Vec<Stanza>,
    mac: [u8; 32],
}

impl Header {
    /// Makes the header that wraps a file key in the given ways.
    pub(super) fn new(stanzas: Vec<Stanza>, file_key: &FileKey) -> Self {
        let mut header = Self { stanzas, mac: [0; 32] };
        header.mac = file_key.header_mac(header.before_mac().as_bytes());
        header
    }

    /// Reads the header at the start of `bytes` and returns it with its length.
    ///
    /// # Errors
    ///
    /// [`HeaderError::Truncated`] when more bytes might make it one; anything else when nothing could.
    pub fn parse(bytes: &[u8]) -> Result<(Self, usize), HeaderError> {
        let mut reader = Lines { bytes, at: 0 };
        if reader.line()? != VERSION {
            return Err(HeaderError::Version);
        }
        let mut stanzas = Vec::new();
        loop {
            let line = reader.line()?;
            if let Some(mac) = line.strip_prefix(MAC) {
                if stanzas.is_empty() {
                    return Err(HeaderError::Line);
                }
                let mac = mac.strip_prefix(' ').and_then(stanza::decode).and_then(|mac| mac.try_into().ok());
                return Ok((Self { stanzas, mac: mac.ok_or(HeaderError::Mac)? }, reader.at));
            }
            if stanzas.len() == STANZAS_MAX {
                return Err(HeaderError::TooLarge);
            }
            let args = line.strip_prefix("-> ").ok_or(HeaderError::Line)?;
            stanzas.push(Stanza { args: arguments(args)?, body: reader.body()? });
        }
    }

    /// Writes the header.
    pub fn to_bytes(&self) -> Vec<u8> {
        format!("{} {}\n", self.before_mac(), stanza::encode(&self.mac)).into_bytes()
    }

    /// Whether it was sealed with a passphrase, so that no identity opens it.
    pub fn wants_passphrase(&self) -> bool {
        self.stanzas.iter().any(|stanza| stanza.args.first().is_some_and(|kind| kind == passphrase::KIND))
    }

    /// Checks the MAC under the file key that was found.
    pub(super) fn confirm(&self, file_key: FileKey) -> Result<FileKey, OpenError> {
        // The text is unique, so writing it again gives the bytes that were read.
        if file_key.accepts(self.before_mac().as_bytes(), &self.mac) {
            Ok(file_key)
        } else {
            Err(OpenError::HeaderMac)
        }
    }

    /// Returns what the MAC covers: everything up to the dashes in front of it.
    fn before_mac(&self) -> String {
        let mut text = format!("{VERSION}\n");
        for stanza in &self.stanzas {
            stanza.write(&mut text);
        }
        text + MAC
    }
}

fn arguments(line: &str) -> Result<Vec<String>, HeaderError> {
    let visible = |arg: &str| !arg.is_empty() && arg.bytes().all(|byte| (33..=126).contains(&byte));
    line.split(' ').map(|arg| visible(arg).then(|| arg.to_owned()).ok_or(HeaderError::Line)).collect()
}

struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    fn line(&mut self) -> Result<&'a str, HeaderError> {
        let rest = &self.bytes[self.at..];
        let visible = &rest[..rest.len().min(HEADER_MAX.saturating_sub(self.at))];
        let Some(end) = visible.iter().position(|&byte| byte == b'\n') else {
            // A file that is something else altogether is told so at once.
            let strange = self.at == 0 && !VERSION.as_bytes().starts_with(visible);
            return Err(match (strange, visible.len() < rest.len()) {
                (true, _) => HeaderError::Version,
                (false, true) => HeaderError::TooLarge,
                (false, false) => HeaderError::Truncated,
            });
        };
        self.at += end + 1;
        std::str::from_utf8(&visible[..end]).map_err(|_| HeaderError::Line)
    }

    /// Reads lines of base64 up to and including one that is not full, which may be empty.
    fn body(&mut self) -> Result<Vec<u8>, HeaderError> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            if line.len() > COLUMNS {
                return Err(HeaderError::Line);
            }
            body.extend(stanza::decode(line).ok_or(HeaderError::Line)?);
            if line.len() < COLUMNS {
                return Ok(body);
            }
        }
    }
}

/// Why something is not the header of an age file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// It does not begin as age files of version 1 do.
    Version,
    /// It ends too early.
    Truncated,
    /// A line breaks the grammar.
    Line,
    /// The line of the MAC breaks the grammar.
    Mac,
    /// It has more bytes or stanzas than a header may have.
    TooLarge,
    /// A stanza of a known kind is not made as its kind demands.
    Stanza {
        /// The kind.
        kind: String,
    },
    /// A passphrase's stanza is not the only one, as it must be.
    NotAlone {
        /// The kind.
        kind: String,
    },
    /// A passphrase's stanza asks for more memory or time than anybody is given.
    TooCostly {
        /// The kind.
        kind: String,
    },
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version => f.write_str("this is not an age file of version 1"),
            Self::Truncated => f.write_str("the header is truncated"),
            Self::Line => f.write_str("a header line is malformed"),
            Self::Mac => f.write_str("the last header line is malformed"),
            Self::TooLarge => {
                write!(f, "the header has more than {HEADER_MAX} bytes or {STANZAS_MAX} stanzas")
            }
            Self::Stanza { kind } => write!(f, "a {kind} stanza is malformed"),
            Self::NotAlone { kind } => write!(f, "a {kind} stanza must be the only one in a header"),
            Self::TooCostly { kind } => {
                write!(f, "a {kind} stanza requires too much memory or time")
            }
        }
    }
}

impl Error for HeaderError {}

/// The longest header that is read, in bytes.
pub(super) const HEADER_MAX: usize = 1024 * 1024;

const STANZAS_MAX: usize = 1024;
const VERSION: &str = "age-encryption.org/v1";
const MAC: &str = "---";

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "age-encryption.org/v1\n-> X25519 abc\nAAAA\n-> other\n\n--- \
                          8McE3ix9R34E/vLrQv3yepsHjo/LXhfs22Ab3UyInmg\n";

    #[test]
    fn the_text_returns() {
        let (header, len) = Header::parse(format!("{HEADER}payload").as_bytes()).unwrap();
        assert_eq!(len, HEADER.len());
        assert_eq!(header.stanzas.len(), 2);
        assert_eq!(header.to_bytes(), HEADER.as_bytes());
        assert!(is_sealed(HEADER.as_bytes()) && !is_sealed(b"GGUF"));
    }

    #[test]
    fn a_full_last_line_is_followed_by_an_empty_one() {
        let mut text = String::new();
        Stanza::new(&["x"], &[0; 96]).write(&mut text);
        assert_eq!(text, format!("-> x\n{0}\n{0}\n\n", "A".repeat(64)));
    }

    #[test]
    fn every_truncation_asks_for_more() {
        for len in 0..HEADER.len() {
            assert_eq!(Header::parse(&HEADER.as_bytes()[..len]), Err(HeaderError::Truncated), "{len} bytes");
        }
    }

    #[test]
    fn damage_is_an_error() {
        for (from, to, error) in [
            ("/v1", "/v2", HeaderError::Version),
            ("-> X", "->  X", HeaderError::Line),
            ("-> X", "-> \t", HeaderError::Line),
            ("-> X", "- X", HeaderError::Line),
            ("AAAA\n", "AAAA=\n", HeaderError::Line),
            ("AAAA\n", "AAB\n", HeaderError::Line),
            ("AAAA\n", "AAAA\nAA\n", HeaderError::Line),
            ("--- ", "---", HeaderError::Mac),
            ("--- ", "---  ", HeaderError::Mac),
        ] {
            assert_eq!(Header::parse(HEADER.replacen(from, to, 1).as_bytes()), Err(error), "{from} → {to}");
        }
    }

    #[test]
    fn endless_headers_are_left() {
        let many = format!("{VERSION}\n{}", "-> x\n\n".repeat(STANZAS_MAX + 1));
        assert_eq!(Header::parse(many.as_bytes()), Err(HeaderError::TooLarge));
        let long = format!("{VERSION}\n-> {}", "x".repeat(HEADER_MAX));
        assert_eq!(Header::parse(long.as_bytes()), Err(HeaderError::TooLarge));
        let other = "x".repeat(2 * HEADER_MAX);
        assert_eq!(Header::parse(other.as_bytes()), Err(HeaderError::Version));
    }
}
