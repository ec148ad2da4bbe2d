//! `$STACK_HOME/trust`: what the operator trusts, what was accepted, what was revoked.

pub(crate) mod admission;
mod edit;
mod file;
mod question;
mod refusal;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use stack_registry::trust::{Marks, Policy, Verdict};
use stack_seal::bundle::{Bundle, Signed};
use stack_seal::digest::{Digest, Root};
use stack_seal::revocation::Revocation;
use stack_seal::statement::Claim;

use crate::error::{CommandError, Kind};
use crate::home::Home;
use crate::home::private_file::{self, Existing, Readers};

pub(crate) use edit::{Document, RuleChange};
pub(crate) use question::Question;
pub(crate) use refusal::refused;

/// The folder, of which nothing need exist: then nobody is trusted, and everything is audited. The same holds where no
/// home is known: nobody can have written a policy there.
#[derive(Clone, Debug)]
pub(crate) struct TrustFolder {
    home: Home,
}

/// All that judging needs to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    /// What the operator wrote.
    pub(crate) policy: Policy,
    /// What was accepted before.
    pub(crate) marks: Marks,
    /// Signed revocations; the policy decides which of them bind.
    pub(crate) revocations: Vec<Signed<Revocation>>,
}

impl TrustFolder {
    /// The folder of a home.
    pub(crate) fn new(home: &Home) -> Self {
        Self { home: home.clone() }
    }

    /// Reads everything.
    pub(crate) fn read(&self) -> Result<Trust, CommandError> {
        Ok(Trust { policy: self.policy()?, marks: self.marks()?, revocations: self.revocations()? })
    }

    /// Reads `trust.toml`.
    pub(crate) fn policy(&self) -> Result<Policy, CommandError> {
        match self.text()? {
            Some(text) => file::parse(&text).map_err(|error| self.bad_file(&error)),
            None => Ok(Policy::default()),
        }
    }

    /// Opens `trust.toml` to change it.
    pub(crate) fn document(&self) -> Result<Document, CommandError> {
        Document::parse(&self.text()?.unwrap_or_default()).map_err(|error| self.bad_file(&error))
    }

    /// Replaces `trust.toml`, if it still makes sense, and returns what it says now.
    pub(crate) fn write(&self, document: &Document) -> Result<Policy, CommandError> {
        let text = document.to_string();
        let policy = file::parse(&text).map_err(|error| {
            CommandError::new(Kind::Usage, "the change would make trust.toml invalid").caused(error)
        })?;
        self.replace(&self.home.trust()?.join(FILE), text.as_bytes())?;
        Ok(policy)
    }

    /// The path of `trust.toml`, if it is known where the home is.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        self.place(FILE)
    }

    /// Remembers what was accepted, so that nothing older comes back.
    pub(crate) fn accept(&self, verdict: &Verdict, claim: &Claim) -> Result<(), CommandError> {
        let before = self.marks()?;
        let mut marks = before.clone();
        for key in &verdict.keys {
            marks.accept(key, claim);
        }
        if marks == before { Ok(()) } else { self.replace(&self.home.trust()?.join(MARKS), &marks.to_json()) }
    }

    /// Keeps a signed revocation, and says where. It takes effect wherever its signer is trusted.
    pub(crate) fn keep_revocation(&self, bundle: &Bundle) -> Result<PathBuf, CommandError> {
        let bytes = bundle.to_json();
        let folder = self.home.trust()?.join(REVOKED);
        self.home.make(&folder)?;
        let path = folder.join(format!("{}.json", &Digest::from(Root::of(&bytes)).hex()[..NAME_DIGITS]));
        self.replace(&path, &bytes)?;
        Ok(path)
    }

    fn text(&self) -> Result<Option<String>, CommandError> {
        let Some(bytes) = self.file().map(|path| read(&path)).transpose()?.flatten() else { return Ok(None) };
        let text = String::from_utf8(bytes);
        text.map(Some).map_err(|_| self.bad_file(&file::BadTrustFile::new("it is not UTF-8")))
    }

    fn marks(&self) -> Result<Marks, CommandError> {
        let Some(path) = self.place(MARKS) else { return Ok(Marks::default()) };
        let Some(bytes) = read(&path)? else { return Ok(Marks::default()) };
        Marks::parse(&bytes).map_err(|error| {
            CommandError::new(Kind::Malformed, format!("{} is damaged", path.display()))
                .reason("bad-marks")
                .caused(error)
                .hint("restore it from a backup; without it, outdated signatures would count again")
        })
    }

    /// Reads the signed revocations. A damaged one stops everything: it may be the one that matters.
    fn revocations(&self) -> Result<Vec<Signed<Revocation>>, CommandError> {
        let Some(folder) = self.place(REVOKED) else { return Ok(Vec::new()) };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries.collect::<io::Result<Vec<_>>>(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let entries = entries.map_err(|error| CommandError::reading(folder.display(), error))?;
        entries.iter().map(|entry| revocation(&entry.path())).collect()
    }

    /// Where a file of the folder lies, or would lie, if it is known where the home is.
    fn place(&self, name: &str) -> Option<PathBuf> {
        Some(self.home.trust().ok()?.join(name))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
        self.home.make(&self.home.trust()?)?;
        private_file::write(path, bytes, Readers::Owner, Existing::Replace).map_err(|error| {
            CommandError::new(Kind::Machine, format!("{} cannot be written", path.display()))
                .reason("io")
                .caused(error)
        })
    }

    fn bad_file(&self, error: &file::BadTrustFile) -> CommandError {
        CommandError::new(
            Kind::Malformed,
            format!("{} is invalid", self.file().unwrap_or_default().display()),
        )
        .reason("bad-trust-file")
        .caused(error.clone())
        .hint("fix it; until then no model is trusted")
    }
}

fn revocation(path: &Path) -> Result<Signed<Revocation>, CommandError> {
    let damaged = |error: Box<dyn std::error::Error + Send + Sync>| {
        CommandError::new(Kind::Malformed, format!("the revocation {} is damaged", path.display()))
            .reason("bad-bundle")
            .caused(error)
            .hint("restore it, or move it away if you know what it revoked")
    };
    let bytes = read(path)?.unwrap_or_default();
    let bundle = Bundle::parse(&bytes).map_err(|error| damaged(error.into()))?;
    bundle.open(&[]).map_err(|error| damaged(error.into()))
}

/// Reads a file that may be missing.
fn read(path: &Path) -> Result<Option<Vec<u8>>, CommandError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CommandError::reading(path.display(), error)),
    };
    let mut bytes = Vec::new();
    file.take(BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(|error| CommandError::reading(path.display(), error))?;
    Ok(Some(bytes))
}

const FILE: &str = "trust.toml";
const MARKS: &str = "marks.json";
const REVOKED: &str = "revoked";
/// No file of trust is longer; a longer one fails to parse.
const BYTES_MAX: u64 = 16 << 20;
/// Digits of a revocation's digest in its file's name.
const NAME_DIGITS: usize = 16;
