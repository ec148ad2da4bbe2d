//! Which models may be loaded.
//!
//! The policy decides before a byte is used: [`Applicant::new`] collects signatures, [`Applicant::files`] says what
//! each file must turn out to be, and [`Applicant::admit`] asks the policy once the header is there. The bytes decide
//! while they are read, in the engine. [`Admission::confirm`] reads on which basis they were the right ones, and
//! remembers what was accepted.

mod error;
mod opener;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use stack_registry::model::{FileBytes, ModelFile, StoredModel};
use stack_registry::store::Blob;
use stack_registry::store::Lease;
use stack_seal::bundle::Signed;
use stack_seal::digest::{LeafList, Root};
use stack_seal::statement::{Claim, SignedFile, Statement, Tier};
use stack_seal::time::UnixTime;
use stack_seal::verified::{Attested, Basis, Breach, Expected, Pass};

pub use error::AdmissionError;
pub use opener::files_to_look_at;
use opener::{engine_name, leaves_of, opener_of_unlocked};

use crate::keyring::Opener;
use crate::policy::{Enforcement, Reason, Verdict};
use crate::sealed::SealedError;
use crate::signatures::PassedOver;
use crate::target::{
    HasherOptions, ModelFacts, SealedModelFile, StoredTarget, Target, TargetFile, plain_form,
};
use crate::trust_file::{TargetCase, Trust, TrustFolder};

/// A model that somebody wants to load.
pub struct Applicant<'a> {
    target: Target,
    options: AdmissionOptions<'a>,
    folder: TrustFolder,
    trust: Trust,
    signatures: Vec<Signed<Statement>>,
}

/// How a model is admitted.
#[derive(Clone, Copy)]
pub struct AdmissionOptions<'a> {
    /// Opens what is sealed.
    pub opener: Opener<'a>,
    /// Under which tier the model is about to answer.
    pub tier: Tier,
    /// What the clock says.
    pub now: UnixTime,
    /// How files are hashed of which SHA-256 alone was signed.
    pub hashing: HasherOptions<'a>,
}

/// A model that the policy lets pass. One of the store is in use as long as it lives.
pub struct Admission {
    folder: TrustFolder,
    accepted: Option<Accepted>,
    /// The rule by which it was judged, in words.
    rule: String,
    model: Option<StoredModel>,
    now: UnixTime,
}

/// A signature that was accepted for a model.
struct Accepted {
    verdict: Verdict,
    claim: Claim,
}

/// The files of a model, each with what it must turn out to be.
pub enum ModelFiles {
    /// Whatever lies at the path.
    At(PathBuf),
    /// What lies at the path, except for these files of it, which are sealed there.
    Opened {
        /// Where the model would lie in the clear.
        path: PathBuf,
        /// The files, by the names of their plain forms.
        files: BTreeMap<String, PassOpener>,
    },
    /// These and no others.
    Listed {
        /// What people call the model.
        title: String,
        /// The files, by their names in the model.
        files: BTreeMap<String, PassOpener>,
    },
}

/// Begins to read a file that is checked against what it must turn out to be.
pub type PassOpener = Box<dyn Fn() -> Result<Pass, Breach> + Send + Sync>;

impl<'a> Applicant<'a> {
    /// Collects what is signed about a target, and what the operator says.
    ///
    /// # Errors
    ///
    /// When what the operator says, or what is signed, is damaged.
    pub fn new(
        target: Target,
        options: AdmissionOptions<'a>,
        passed_over: &mut PassedOver<'_>,
    ) -> Result<Self, AdmissionError> {
        let folder = TrustFolder::new(options.opener.home);
        let trust = folder.read()?;
        let signatures = target.signatures(&trust.policy.keys(), passed_over)?;
        Ok(Self { target, options, folder, trust, signatures })
    }

    /// Returns the files, each with what it must turn out to be: what was signed by somebody who is trusted for this
    /// model, else what the store recorded, else whatever it is.
    ///
    /// Of a model that was signed or lies in the store, there are no other files than those listed.
    ///
    /// # Errors
    ///
    /// When sealed files do not open, or nothing says what they hold; when files cannot be listed.
    pub fn files(&self) -> Result<ModelFiles, AdmissionError> {
        let verdict = self.judged(None);
        let statement = self.trusted_statement(&verdict);
        let attested = Attested { signers: verdict.identities };
        match (&self.target, statement) {
            (Target::Stored(stored), statement) => {
                let files = stored.model.files.iter().map(|file| {
                    let signed = statement.and_then(|statement| statement.file(file.path.as_str()));
                    Ok((file.path.as_str().to_owned(), self.stored(stored, file, signed, &attested)?))
                });
                let files = files.collect::<Result<_, AdmissionError>>()?;
                Ok(ModelFiles::Listed { title: self.target.title(), files })
            }
            (Target::File(path) | Target::Folder(path), None) => {
                let sealed = self.target.sealed_parts();
                if sealed.is_empty() {
                    return Ok(ModelFiles::At(path.clone()));
                }
                let openers = sealed.into_iter().map(|part| {
                    let opener = self.opener_of_sealed(&part.path, None, &attested)?;
                    Ok((part.name, opener))
                });
                let files = openers.collect::<Result<_, AdmissionError>>()?;
                Ok(ModelFiles::Opened { path: plain_form(path), files })
            }
            (Target::File(_) | Target::Folder(_), Some(statement)) => {
                let files = self.signed_files(statement, &attested)?;
                Ok(ModelFiles::Listed { title: self.target.title(), files })
            }
        }
    }

    /// Says on which basis the model's bytes would be the right ones, as far as signatures and records tell.
    pub fn basis(&self) -> Basis {
        let verdict = self.judged(None);
        if self.trusted_statement(&verdict).is_some() {
            return Basis::Signed(Attested { signers: verdict.identities });
        }
        let is_recorded = match &self.target {
            Target::Stored(stored) => stored.model.files.iter().all(|file| file.blake3.is_some()),
            // Without a record or a signature, a sealed one is refused.
            Target::File(_) | Target::Folder(_) => self.target.is_sealed(),
        };
        if is_recorded { Basis::Pinned } else { Basis::FirstSeen }
    }

    /// Asks the policy about a model whose header was read.
    ///
    /// # Errors
    ///
    /// When it is refused; names the rule.
    pub fn admit(self, facts: &ModelFacts) -> Result<Admission, AdmissionError> {
        let verdict = self.judged(Some(facts));
        let level = verdict.level.name();
        let rule = match &verdict.rule {
            Some(rule) => format!("the rule for {rule} is {level}"),
            None => format!("no rule matches {}; the default level is {level}", self.target.policy_name()),
        };
        let claim = self.trusted_statement(&verdict).and_then(Statement::claim).cloned();
        let now = self.options.now;
        if let Some((check, reason)) = verdict.refusal() {
            if let Some(claim) = &claim {
                self.folder.refuse(&verdict, claim, now);
            }
            let (title, detail) = (self.target.title(), check.detail.clone());
            return Err(AdmissionError::Refused { title, reason, detail, rule });
        }
        let model = match self.target {
            Target::Stored(stored) => Some(stored.model),
            Target::File(_) | Target::Folder(_) => None,
        };
        let accepted = claim.map(|claim| Accepted { verdict, claim });
        Ok(Admission { folder: self.folder, accepted, rule, model, now })
    }

    /// What is signed by somebody whom the policy trusts for this model.
    fn trusted_statement(&self, verdict: &Verdict) -> Option<&Statement> {
        let index = verdict.statement.filter(|_| !verdict.identities.is_empty())?;
        Some(self.signatures[index].payload())
    }

    /// Asks the policy: once before the header is read, for what the files must be, and once more with what it says.
    fn judged(&self, facts: Option<&ModelFacts>) -> Verdict {
        let AdmissionOptions { tier, now, .. } = self.options;
        let sealed = self.target.is_sealed();
        let case = TargetCase { facts, sealed, tier: Some(tier), level: None, now };
        self.trust.judge(&self.target, &self.signatures, &case)
    }

    /// Says what the files of a path must turn out to be of which somebody trusted signed a list. What nobody signed is
    /// not there for the engine.
    fn signed_files(
        &self,
        statement: &Statement,
        attested: &Attested,
    ) -> Result<BTreeMap<String, PassOpener>, AdmissionError> {
        let signed = |file: &TargetFile| match &self.target {
            Target::File(_) => statement.file_or_only(&file.name),
            Target::Folder(_) | Target::Stored(_) => statement.file(&file.name),
        };
        let mut files = BTreeMap::new();
        for file in self.target.files(statement.ignored())? {
            if let Some(signed) = signed(&file).filter(|_| !file.sealed) {
                let name = engine_name(&self.target, &file.name);
                files.insert(name, self.opener_of_path(file, signed, attested)?);
            } else if let Some(part) = file.into_sealed_form()
                && !files.contains_key(&part.name)
                && let Some(signed) = signed(&part)
            {
                let opener = self.opener_of_sealed(&part.path, Some(signed), attested)?;
                files.insert(engine_name(&self.target, &part.name), opener);
            }
        }
        Ok(files)
    }

    /// Says what a file of the store must turn out to be.
    fn stored(
        &self,
        stored: &StoredTarget,
        file: &ModelFile,
        signed: Option<&SignedFile>,
        attested: &Attested,
    ) -> Result<PassOpener, AdmissionError> {
        let recorded = file.blake3.and_then(|digest| Root::try_from(digest).ok());
        let root = signed.and_then(|signed| signed.blake3);
        let sealed = match &file.bytes {
            FileBytes::Plain(blob) => {
                let expected = match (root, recorded) {
                    (Some(root), _) => Expected::signed(root, blob.length, attested.clone()),
                    (None, Some(root)) => Expected::pinned(root, blob.length),
                    (None, None) => Expected::first_seen(),
                };
                return self.opener_of_blob(blob, expected, leaves_of(signed));
            }
            FileBytes::Sealed { header, payload } => SealedModelFile { file, header, payload },
        };
        let unlocked = stored.unlock(&self.options.opener, sealed)?;
        // Only where the store itself sealed the model can its record of the plain bytes be believed.
        let recorded = recorded.filter(|_| stored.model.entry.record.sealed_here);
        let expected = match (root, recorded) {
            (Some(root), _) => Expected::signed(root, unlocked.len(), attested.clone()),
            (None, Some(root)) => Expected::pinned(root, unlocked.len()),
            (None, None) => return Err(SealedError::Unanchored(self.target.title()).into()),
        };
        Ok(opener_of_unlocked(unlocked, expected, leaves_of(signed)))
    }

    fn opener_of_blob(
        &self,
        blob: &Blob,
        expected: Expected,
        leaves: Option<LeafList>,
    ) -> Result<PassOpener, AdmissionError> {
        let what = || self.target.title();
        let file = blob.file.try_clone().map_err(|source| AdmissionError::Read { what: what(), source })?;
        Ok(Box::new(move || {
            let file = file.try_clone().map_err(Breach::Unusable)?;
            Pass::open(file, expected.clone(), leaves.clone())
        }))
    }

    /// Says what a sealed file at a path must turn out to hold: what was signed, else what was sealed here.
    fn opener_of_sealed(
        &self,
        path: &Path,
        signed: Option<&SignedFile>,
        attested: &Attested,
    ) -> Result<PassOpener, AdmissionError> {
        let (unlocked, record) = self.options.opener.unlock_file(path)?;
        let root = signed.and_then(|signed| signed.blake3);
        let expected = match (root, record) {
            (Some(root), _) => Expected::signed(root, unlocked.len(), attested.clone()),
            (None, Some(record)) => Expected::pinned(record.root, record.length),
            (None, None) => return Err(SealedError::Unanchored(path.display().to_string()).into()),
        };
        Ok(opener_of_unlocked(unlocked, expected, leaves_of(signed)))
    }

    /// Says what a signed file of a path must turn out to be.
    fn opener_of_path(
        &self,
        file: TargetFile,
        signed: &SignedFile,
        attested: &Attested,
    ) -> Result<PassOpener, AdmissionError> {
        let (root, length) = if let (Some(root), Some(length)) = (signed.blake3, signed.size) {
            (root, length)
        } else {
            // Other tools sign SHA-256 alone. The root of the bytes that have it is what loading then insists on.
            let hashed = self.options.hashing.both(&file)?;
            if hashed.sha256 != signed.digest() {
                return Err(AdmissionError::Differs(file.name));
            }
            (hashed.file.root, hashed.file.length)
        };
        let expected = Expected::signed(root, length, attested.clone());
        let leaves = leaves_of(Some(signed));
        Ok(Box::new(move || {
            let file = File::open(&file.path).map_err(Breach::Unusable)?;
            Pass::open(file, expected.clone(), leaves.clone())
        }))
    }
}

impl Admission {
    /// Keeps a model of the store there, for those who keep nothing else of it.
    pub fn into_lease(self) -> Option<Lease> {
        self.model.and_then(StoredModel::into_lease)
    }

    /// Returns the rule by which the model was judged, in words.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// Lets the model answer, now that its bytes were verified on this basis, and remembers that it was accepted, so
    /// that nothing older is.
    ///
    /// # Errors
    ///
    /// When the rule asks for signatures, and a file that was read is neither signed nor recorded; when the disk refuses.
    pub fn confirm(&self, basis: &Basis) -> Result<(), AdmissionError> {
        let accepted = self.accepted.as_ref().filter(|accepted| accepted.verdict.level > Enforcement::Skip);
        let Some(Accepted { verdict, claim }) = accepted else { return Ok(()) };
        if verdict.level > Enforcement::Audit && *basis == Basis::FirstSeen {
            return Err(AdmissionError::Refused {
                title: claim.name.clone(),
                reason: Reason::NoSignature,
                detail: "one of its files is neither signed nor recorded".to_owned(),
                rule: self.rule.clone(),
            });
        }
        Ok(self.folder.accept(verdict, claim, self.now)?)
    }
}
