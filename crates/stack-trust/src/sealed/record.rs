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

use super::SealedError;
use crate::home::Home;
use crate::private_file::{self, FileMode};

/// What is known of a payload that was sealed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealRecord {
    /// The root of the plain bytes.
    pub root: Root,
    /// The number of the plain bytes.
    pub length: u64,
    /// Who can open it; empty where it is a passphrase, or not known.
    pub recipients: Vec<X25519Recipient>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    version: u32,
    root: String,
    size: u64,
    recipients: Vec<String>,
}

impl SealRecord {
    /// Makes the record of what was just sealed.
    pub fn of(hashed: &HashedFile, recipients: &[X25519Recipient]) -> Self {
        Self { root: hashed.root, length: hashed.length, recipients: recipients.to_vec() }
    }

    /// Finds what is known of a sealed file. Its payload has a nonce of its own, whatever becomes of its name and header.
    ///
    /// # Errors
    ///
    /// When the file or the record cannot be read, or is not what it should be.
    pub fn find(home: &Home, name: &str, file: &File) -> Result<Option<Self>, SealedError> {
        let Some(path) = place(home, name, file)? else { return Ok(None) };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SealedError::Read { what: path.display().to_string(), source }),
        };
        Self::parse(&text).map(Some).ok_or(SealedError::DamagedRecord(path))
    }

    /// Writes down what a sealed file holds. Without a home there is nowhere to look it up, either.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or the disk refuses.
    pub fn keep(&self, home: &Home, name: &str, file: &File) -> Result<(), SealedError> {
        let Some(path) = place(home, name, file)? else { return Ok(()) };
        home.make(&home.trust()?)?;
        home.make(&home.sealed()?)?;
        private_file::replace(&path, self.to_json().as_bytes(), FileMode::Private)
            .map_err(|source| SealedError::Write { path, source })
    }

    /// Reads the text of a record; `None` where it is none of this version.
    pub fn parse(text: &str) -> Option<Self> {
        let Wire { version, root, size, recipients } = serde_json::from_str(text).ok()?;
        let root = Root::try_from(root.parse::<Digest>().ok()?).ok()?;
        let recipients = recipients.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?;
        (version == VERSION).then_some(Self { root, length: size, recipients })
    }

    /// Writes the text of a record: one line of JSON.
    pub fn to_json(&self) -> String {
        let wire = Wire {
            version: VERSION,
            root: self.root.to_string(),
            size: self.length,
            recipients: self.recipients.iter().map(ToString::to_string).collect(),
        };
        write(&wire)
    }
}

fn write(wire: &Wire) -> String {
    serde_json::to_string(wire).expect("texts and numbers are JSON") + "\n"
}

/// Names the record of a sealed file after the nonce that its payload begins with.
fn place(home: &Home, name: &str, file: &File) -> Result<Option<PathBuf>, SealedError> {
    let Ok(folder) = home.sealed() else { return Ok(None) };
    let (_, at) = Header::read(file).map_err(SealedError::opening(name))?;
    let mut nonce = [0; NONCE];
    file.read_exact_at(&mut nonce, at)
        .map_err(|source| SealedError::Read { what: name.to_owned(), source })?;
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
        let text = record.to_json();
        assert_eq!(SealRecord::parse(&text), Some(record));
        for damaged in [
            text.replace("\"version\":1", "\"version\":2"),
            text.replace("blake3", "sha256"),
            text.replace("[]", "[\"age1x\"]"),
            text.replace('}', ",\"more\":1}"),
            String::new(),
        ] {
            assert_eq!(SealRecord::parse(&damaged), None, "{damaged}");
        }
    }
}
