//! The armor: an age file as lines of text. Exactly one text armors a file, but for line ends and blank lines around.

use std::error::Error;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Tells whether a file starts as armored ones do.
pub fn is_armored(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(BEGIN.as_bytes())
}

/// Writes a file as text.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = format!("{BEGIN}\n");
    for line in bytes.chunks(COLUMNS / 4 * 3) {
        STANDARD.encode_string(line, &mut text);
        text.push('\n');
    }
    text + END + "\n"
}

/// Reads the file that the text stands for.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, ArmorError> {
    let text = std::str::from_utf8(text).map_err(|_| ArmorError::Character)?;
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let first = lines.by_ref().find(|line| !line.trim_ascii().is_empty());
    if first != Some(BEGIN) {
        return Err(ArmorError::Begin);
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut ended = false;
    loop {
        let line = lines.next().ok_or(ArmorError::End)?;
        if line == END {
            break;
        }
        if ended || line.is_empty() || line.len() > COLUMNS {
            return Err(ArmorError::Line);
        }
        let before = bytes.len();
        STANDARD.decode_vec(line, &mut bytes).map_err(|_| ArmorError::Character)?;
        // Only the last line may be short or padded.
        ended = bytes.len() - before < COLUMNS / 4 * 3;
    }
    if lines.any(|line| !line.trim_ascii().is_empty()) { Err(ArmorError::Trailing) } else { Ok(bytes) }
}

/// Why a text is not an armored file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArmorError {
    /// The first line is not the one that armored files have.
    Begin,
    /// A line is empty, longer than 64 characters, or follows a short one.
    Line,
    /// A line is not base64, or not the one spelling of its bytes.
    Character,
    /// The last line is missing.
    End,
    /// Something follows the last line.
    Trailing,
}

impl fmt::Display for ArmorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin => write!(f, "the armor does not begin with {BEGIN}"),
            Self::Line => write!(f, "a line of the armor does not have {COLUMNS} characters"),
            Self::Character => f.write_str("a line of the armor is not base64"),
            Self::End => write!(f, "the armor does not end with {END}"),
            Self::Trailing => f.write_str("data after the end of the armor"),
        }
    }
}

impl Error for ArmorError {}

const BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const END: &str = "-----END AGE ENCRYPTED FILE-----";
const COLUMNS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_returns() {
        for len in 0..200 {
            let bytes = vec![0xa5; len];
            let text = encode(&bytes);
            assert!(is_armored(text.as_bytes()));
            assert_eq!(decode(text.as_bytes()).as_deref(), Ok(&bytes[..]), "{len} bytes");
            assert_eq!(decode(text.replace('\n', "\r\n").as_bytes()), Ok(bytes));
        }
    }

    #[test]
    fn damage_is_named() {
        let text = encode(&[1; 100]);
        let lines: Vec<&str> = text.lines().collect();
        for (damaged, error) in [
            (lines[1..].join("\n"), ArmorError::Begin),
            (lines[..lines.len() - 1].join("\n"), ArmorError::End),
            (format!("{text}x"), ArmorError::Trailing),
            (text.replacen("AQ", "A!", 1), ArmorError::Character),
            (text.replacen(lines[1], "", 1), ArmorError::Line),
            (text.replacen(lines[1], &lines[1][..60], 1), ArmorError::Line),
            (text.replacen('=', "", 1), ArmorError::Character),
        ] {
            assert_eq!(decode(damaged.as_bytes()), Err(error), "{damaged}");
        }
    }
}
