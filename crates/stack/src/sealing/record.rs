//! What was sealed on this machine: `$STACK_HOME/trust/sealed/NONCE` says what a sealed file must turn out to hold.
//!
//! Everybody who can open a sealed file can make another one that opens as well, so a sealed file loads only against a
//! root that is known. Whoever seals a file here knows it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use stack_seal::age::{Header, X25519Recipient};
use stack_seal::digest::{Digest, HashedFile, Root};

use crate::error::{CommandError, Kind};
use crate::home::Home;
use crate::home::private_file::{self, Existing, Readers};
use crate::sealing::sealed;

/// What is known of a payload that was sealed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SealRecord {
    /// The root of the plain bytes.
    pub(crate) root: Root,
    /// The number of the plain bytes.
    pub(crate) length: u64,
    /// Who can open it; empty where it is a passphrase, or not known.
    pub(crate) recipients: Vec<X25519Recipient>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    root: String,
    size: u64,
    recipients: Vec<String>,
}

impl SealRecord {
    /// Makes the record of what was just sealed.
    pub(crate) fn of(hashed: &HashedFile, recipients: &[X25519Recipient]) -> Self {
        Self { root: hashed.root, length: hashed.length, recipients: recipients.to_vec() }
    }

    /// Finds what is known of a sealed file. Its payload has a nonce of its own, whatever becomes of its name and header.
    pub(crate) fn find(home: &Home, name: &str, file: &File) -> Result<Option<Self>, CommandError> {
        let Some(path) = place(home, name, file)? else { return Ok(None) };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CommandError::reading(path.display(), error).reason("io")),
        };
        parse(&text).map(Some).ok_or_else(|| {
            CommandError::new(Kind::Malformed, format!("{} is damaged", path.display()))
                .reason("bad-marks")
                .hint("remove it; what it was about then needs a signature, or to be sealed again")
        })
    }

    /// Writes down what a sealed file holds.
    pub(crate) fn keep(&self, home: &Home, name: &str, file: &File) -> Result<(), CommandError> {
        // Without a home there is nowhere to look it up, either.
        let Some(path) = place(home, name, file)? else { return Ok(()) };
        home.make(&home.trust()?)?;
        home.make(&home.sealed()?)?;
        let written = Written {
            version: VERSION,
            root: self.root.to_string(),
            size: self.length,
            recipients: self.recipients.iter().map(ToString::to_string).collect(),
        };
        let text = serde_json::to_string(&written).expect("texts and numbers are JSON") + "\n";
        private_file::write(&path, text.as_bytes(), Readers::Owner, Existing::Replace)
            .map_err(|error| sealed::cannot_write(&path, error))
    }
}

fn parse(text: &str) -> Option<SealRecord> {
    let Written { version, root, size, recipients } = serde_json::from_str(text).ok()?;
    let root = Root::try_from(root.parse::<Digest>().ok()?).ok()?;
    let recipients = recipients.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?;
    (version == VERSION).then_some(SealRecord { root, length: size, recipients })
}

/// Names the record of a sealed file after the nonce that its payload begins with.
fn place(home: &Home, name: &str, file: &File) -> Result<Option<PathBuf>, CommandError> {
    let Ok(folder) = home.sealed() else { return Ok(None) };
    let (_, at) = Header::read(file).map_err(|error| sealed::cannot_open(name, error))?;
    let mut nonce = [0; NONCE];
    file.read_exact_at(&mut nonce, at).map_err(|error| CommandError::reading(name, error).reason("io"))?;
    Ok(Some(folder.join(format!("{:032x}", u128::from_be_bytes(nonce)))))
}

const VERSION: u32 = 1;
/// The first bytes of an age payload, drawn anew for each.
const NONCE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_returns_and_damage_is_noticed() {
        let record = SealRecord { root: Root([7; 32]), length: 5, recipients: Vec::new() };
        let written = Written { version: 1, root: record.root.to_string(), size: 5, recipients: Vec::new() };
        let text = serde_json::to_string(&written).unwrap();
        assert_eq!(parse(&text), Some(record));
        for damaged in [
            text.replace("\"version\":1", "\"version\":2"),
            text.replace("blake3", "sha256"),
            text.replace("[]", "[\"age1x\"]"),
            text.replace('}', ",\"more\":1}"),
            String::new(),
        ] {
            assert_eq!(parse(&damaged), None, "{damaged}");
        }
    }
}
