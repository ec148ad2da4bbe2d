//! Stanzas: the parts of a header, each of which wraps the file key in one way.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::HeaderError;

/// One way to the file key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stanza {
    /// The kind, and what it needs to know.
    pub(super) args: Vec<String>,
    /// Usually the wrapped file key.
    pub(super) body: Vec<u8>,
}

impl Stanza {
    /// Makes a stanza of a kind and its arguments.
    pub(super) fn new(args: &[&str], body: &[u8]) -> Self {
        Self { args: args.iter().map(|&arg| arg.to_owned()).collect(), body: body.to_vec() }
    }

    /// Returns the kind.
    pub(super) fn kind(&self) -> &str {
        self.args.first().map_or("", String::as_str)
    }

    /// Returns arguments and body where both have the sizes that the kind demands.
    pub(super) fn parts<const ARGS: usize, const BODY: usize>(
        &self,
    ) -> Result<(&[String; ARGS], &[u8; BODY]), HeaderError> {
        let wrong = || HeaderError::Stanza { kind: self.kind().to_owned() };
        let args = self.args.get(1..).and_then(|args| args.try_into().ok()).ok_or_else(wrong)?;
        let body = self.body.as_slice().try_into().map_err(|_| wrong())?;
        Ok((args, body))
    }

    /// Reads an argument that stands for exactly `N` bytes.
    pub(super) fn bytes<const N: usize>(&self, arg: &str) -> Result<[u8; N], HeaderError> {
        decode(arg)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| HeaderError::Stanza { kind: self.kind().to_owned() })
    }

    /// Reads an argument that is a decimal number without sign or leading zeros.
    pub(super) fn number(&self, arg: &str) -> Result<u32, HeaderError> {
        let plain = arg.bytes().all(|byte| byte.is_ascii_digit()) && !arg.starts_with('0');
        let number = if plain { arg.parse().ok() } else { None };
        number.ok_or_else(|| HeaderError::Stanza { kind: self.kind().to_owned() })
    }

    /// Writes the stanza's lines.
    pub(super) fn write(&self, text: &mut String) {
        text.push_str("->");
        for arg in &self.args {
            text.push(' ');
            text.push_str(arg);
        }
        text.push('\n');
        let body = encode(&self.body);
        let mut rest = body.as_str();
        while let Some((line, after)) = rest.split_at_checked(COLUMNS) {
            text.push_str(line);
            text.push('\n');
            rest = after;
        }
        text.push_str(rest);
        text.push('\n');
    }
}

/// Writes bytes as age's headers have them: base64 without padding.
pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

/// Reads base64 without padding in its one spelling.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text).ok()
}

/// The length of a full line of a stanza's body.
pub(super) const COLUMNS: usize = 64;
