//! `$STACK_HOME/trust`: what the operator trusts, what was accepted, what was revoked.

mod case;
mod document;
mod error;
mod wire;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use stack_seal::bundle::{Bundle, Signed};
use stack_seal::digest::{Digest, Root};
use stack_seal::revocation::Revocation;
use stack_seal::statement::Claim;
use stack_seal::time::UnixTime;

pub use case::TargetCase;
pub use document::{Document, RuleRequest};
pub use error::TrustError;
pub use wire::{BadTrustFile, parse_policy};

use crate::home::Home;
use crate::policy::{Policy, RollbackMarks, Verdict};
use crate::private_file::{self, Exposure, FileMode};

/// The folder, of which nothing need exist: then nobody is trusted, and everything is audited. The same holds where no
/// home is known: nobody can have written a policy there.
#[derive(Clone, Debug)]
pub struct TrustFolder {
    home: Home,
}

/// All that judging needs to know.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// What the operator wrote.
    pub policy: Policy,
    /// What was accepted before.
    pub marks: RollbackMarks,
    /// Signed revocations; the policy decides which of them bind.
    pub revocations: Vec<Signed<Revocation>>,
}

impl TrustFolder {
    /// The folder of a home.
    pub fn new(home: &Home) -> Self {
        Self { home: home.clone() }
    }

    /// Reads everything.
    ///
    /// # Errors
    ///
    /// When something is there and damaged. Without it, nobody may say what is trusted.
    pub fn read(&self) -> Result<Trust, TrustError> {
        Ok(Trust { policy: self.policy()?, marks: self.marks()?, revocations: self.revocations()? })
    }

    /// Reads `trust.toml`.
    ///
    /// # Errors
    ///
    /// When it makes no sense.
    pub fn policy(&self) -> Result<Policy, TrustError> {
        match self.text()? {
            Some(text) => parse_policy(&text).map_err(|source| self.bad_file(source)),
            None => Ok(Policy::default()),
        }
    }

    /// Opens `trust.toml` to change it.
    ///
    /// # Errors
    ///
    /// When it is not TOML.
    pub fn document(&self) -> Result<Document, TrustError> {
        Document::parse(&self.text()?.unwrap_or_default()).map_err(|source| self.bad_file(source))
    }

    /// Replaces `trust.toml`, if it still makes sense, and returns what it says now.
    ///
    /// # Errors
    ///
    /// When it would make no sense any more, or the disk refuses.
    pub fn write(&self, document: &Document) -> Result<Policy, TrustError> {
        let text = document.to_string();
        let policy = parse_policy(&text).map_err(TrustError::BadChange)?;
        self.replace(&self.home.trust()?.join(FILE), text.as_bytes())?;
        Ok(policy)
    }

    /// The path of `trust.toml`, if it is known where the home is.
    pub fn file(&self) -> Option<PathBuf> {
        self.place(FILE)
    }

    /// Finds what others on this machine may do about `trust.toml`.
    pub fn tamperings(&self) -> Vec<Exposure> {
        self.file().map_or_else(Vec::new, |path| private_file::tamperings(&path))
    }

    /// Remembers what was accepted and when, so that nothing older comes back. Where nothing can be written, nothing is
    /// remembered: nothing older can be put there either.
    ///
    /// # Errors
    ///
    /// When what was remembered before is damaged, or the disk refuses.
    pub fn accept(&self, verdict: &Verdict, claim: &Claim, now: UnixTime) -> Result<(), TrustError> {
        let before = self.marks()?;
        let mut marks = before.clone();
        for key in &verdict.keys {
            marks.accept(key, claim);
        }
        let is_newer = marks != before;
        marks.see(claim, now, verdict.expired());
        if marks == before {
            return Ok(());
        }
        match self.replace(&self.home.trust()?.join(MARKS), &marks.to_json()) {
            // That time went on is no reason to refuse a model on a disk that is full.
            Err(error) if !is_newer || error.is_read_only() => Ok(()),
            written => written,
        }
    }

    /// Remembers when a claim was found expired, so that a clock that is set back does not revive it. Whoever refuses
    /// has that to tell: what cannot be written down is passed over.
    pub fn refuse(&self, verdict: &Verdict, claim: &Claim, now: UnixTime) {
        let (Ok(before), Ok(folder)) = (self.marks(), self.home.trust()) else { return };
        let mut marks = before.clone();
        marks.see(claim, now, verdict.expired());
        if marks != before {
            let _forgotten = self.replace(&folder.join(MARKS), &marks.to_json());
        }
    }

    /// Keeps a signed revocation, and says where. It takes effect wherever its signer is trusted.
    ///
    /// # Errors
    ///
    /// When it is not known where the home is, or the disk refuses.
    pub fn keep_revocation(&self, bundle: &Bundle) -> Result<PathBuf, TrustError> {
        let bytes = bundle.to_json();
        let folder = self.home.trust()?.join(REVOKED);
        self.home.make(&folder)?;
        let path = folder.join(format!("{}.json", &Digest::from(Root::of(&bytes)).hex()[..NAME_DIGITS]));
        self.replace(&path, &bytes)?;
        Ok(path)
    }

    fn text(&self) -> Result<Option<String>, TrustError> {
        let Some(bytes) = self.file().map(|path| read(&path)).transpose()?.flatten() else { return Ok(None) };
        let text = String::from_utf8(bytes);
        text.map(Some).map_err(|_| self.bad_file(BadTrustFile::new("it is not UTF-8")))
    }

    fn marks(&self) -> Result<RollbackMarks, TrustError> {
        let Some(path) = self.place(MARKS) else { return Ok(RollbackMarks::default()) };
        let Some(bytes) = read(&path)? else { return Ok(RollbackMarks::default()) };
        RollbackMarks::parse(&bytes).map_err(|source| TrustError::BadMarks { path, source })
    }

    /// Reads the signed revocations. A damaged one stops everything: it may be the one that matters.
    fn revocations(&self) -> Result<Vec<Signed<Revocation>>, TrustError> {
        let Some(folder) = self.place(REVOKED) else { return Ok(Vec::new()) };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries.collect::<io::Result<Vec<_>>>(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let entries = entries.map_err(|source| TrustError::Read { path: folder, source })?;
        entries.iter().map(|entry| revocation(&entry.path())).collect()
    }

    /// Where a file of the folder lies, or would lie, if it is known where the home is.
    fn place(&self, name: &str) -> Option<PathBuf> {
        Some(self.home.trust().ok()?.join(name))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), TrustError> {
        self.home.make(&self.home.trust()?)?;
        private_file::replace(path, bytes, FileMode::Private)
            .map_err(|source| TrustError::Write { path: path.to_owned(), source })
    }

    fn bad_file(&self, source: BadTrustFile) -> TrustError {
        TrustError::BadFile { path: self.file().unwrap_or_default(), source }
    }
}

fn revocation(path: &Path) -> Result<Signed<Revocation>, TrustError> {
    let damaged = |source: Box<dyn std::error::Error + Send + Sync>| TrustError::BadRevocation {
        path: path.to_owned(),
        source,
    };
    let bytes = read(path)?.unwrap_or_default();
    let bundle = Bundle::parse(&bytes).map_err(|error| damaged(error.into()))?;
    bundle.open(&[]).map_err(|error| damaged(error.into()))
}

/// Reads a file that may be missing.
fn read(path: &Path) -> Result<Option<Vec<u8>>, TrustError> {
    let failed = |source| TrustError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

const FILE: &str = "trust.toml";
const MARKS: &str = "marks.json";
const REVOKED: &str = "revoked";
/// No file of trust is longer; a longer one fails to parse.
const BYTES_MAX: u64 = 16 << 20;
/// Digits of a revocation's digest in its file's name.
const NAME_DIGITS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::claim;
    use crate::policy::{Check, Enforcement, Outcome, Reason, Step};

    #[test]
    fn nothing_that_is_damaged_is_taken_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let folder = TrustFolder::new(&Home::at(dir.path().to_owned()));
        assert_eq!(folder.read().unwrap().policy, Policy::default());
        let at = dir.path().join("trust");
        fs::create_dir_all(at.join(REVOKED)).unwrap();
        for (name, is_it) in [
            (FILE, (|error| matches!(error, TrustError::BadFile { .. })) as fn(&TrustError) -> bool),
            (MARKS, |error| matches!(error, TrustError::BadMarks { .. })),
            ("revoked/x.json", |error| matches!(error, TrustError::BadRevocation { .. })),
        ] {
            fs::write(at.join(name), b"\xFFdamaged").unwrap();
            let error = folder.read().unwrap_err();
            assert!(is_it(&error), "{name}: {error}");
            fs::remove_file(at.join(name)).unwrap();
        }
        folder.read().unwrap();
    }

    #[test]
    fn a_refusal_is_remembered_with_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let folder = TrustFolder::new(&Home::at(dir.path().to_owned()));
        let (claim, at) = (claim(), UnixTime::from_seconds);
        let known = || folder.read().unwrap().marks.not_before(at(0)).seconds();
        folder.refuse(&verdict(Outcome::Refused(Reason::UnknownSigner)), &claim, at(5000));
        assert_eq!(known(), 5000);
        folder.refuse(&verdict(Outcome::Refused(Reason::Expired)), &claim, at(5001));
        folder.accept(&verdict(Outcome::Passed), &claim, at(5002)).unwrap();
        assert_eq!(known(), 5001, "to the hour, where nothing expired");
        folder.accept(&verdict(Outcome::Recorded(Reason::Expired)), &claim, at(5003)).unwrap();
        assert_eq!(known(), 5003);
    }

    #[test]
    fn where_nothing_can_be_written_nothing_is_remembered() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let folder = TrustFolder::new(&Home::at(dir.path().to_owned()));
        let mut passed = verdict(Outcome::Passed);
        passed.keys = claim().signers;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o555)).unwrap();
        let is_writable = fs::write(dir.path().join("probe"), "").is_ok();
        let accepted = folder.accept(&passed, &claim(), UnixTime::from_seconds(5000));
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        accepted.unwrap();
        if is_writable {
            eprintln!("SKIPPED: the permissions of folders mean nothing to this user");
            return;
        }
        assert_eq!(folder.read().unwrap().marks, RollbackMarks::default());
    }

    fn verdict(outcome: Outcome) -> Verdict {
        Verdict {
            level: Enforcement::Strict,
            rule: None,
            identities: Vec::new(),
            keys: Vec::new(),
            needed: 1,
            statement: Some(0),
            checks: vec![Check { step: Step::Expiry, outcome, detail: String::new() }],
        }
    }
}
