//! Which models may be loaded.
//!
//! The policy decides before a byte is used: [`Applicant::find`] collects signatures, [`Applicant::files`] says what
//! each file must turn out to be, and [`Applicant::admit`] asks the policy once the header is there. The bytes decide
//! while they are read, in the engine. [`Admission::confirm`] reads on which basis they were
//! the right ones, and remembers what was accepted.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use stack_engine::weights::{Files, Opener, WeightSource};
use stack_registry::lease::Lease;
use stack_registry::model::{FileBytes, ModelFile, StoredModel};
use stack_registry::trust::{Level, Reason, Verdict};
use stack_seal::age::UnlockedFile;
use stack_seal::bundle::{Signed, Unsigned};
use stack_seal::digest::{LeafList, Root};
use stack_seal::statement::{Claim, SignedFile, Statement};
use stack_seal::verified::{Attested, Basis, Breach, Expected, Pass};

use crate::cli::access::AccessArguments;
use crate::config::Config;
use crate::error::{CommandError, Kind};
use crate::home::Home;
use crate::privacy::{PrivacyArguments, Tier};
use crate::process::threads;
use crate::sealing::sealed;
use crate::signing::{ModelFacts, Target, TargetFile, hash_twice, plain_form, unsigned, usable};
use crate::trust::{Question, Trust, TrustFolder, refused};

/// A model that somebody wants to load.
pub(crate) struct Applicant<'a> {
    target: Target,
    access: &'a AccessArguments,
    folder: TrustFolder,
    trust: Trust,
    signatures: Vec<Signed<Statement>>,
    tier: Tier,
}

/// A model that the policy lets pass. One of the store is in use as long as it lives.
pub(crate) struct Admission {
    folder: TrustFolder,
    accepted: Option<(Verdict, Claim)>,
    model: Option<StoredModel>,
}

impl<'a> Applicant<'a> {
    /// Collects what is signed about a target, and what the operator says.
    pub(crate) fn find(target: Target, access: &'a AccessArguments) -> Result<Self, CommandError> {
        let home = access.home()?;
        let folder = TrustFolder::new(&home);
        let trust = folder.read()?;
        let signatures = signatures(&target, &home, &trust)?;
        let tier = PrivacyArguments::default().settings(&Config::read(&home)?)?.tier;
        Ok(Self { target, access, folder, trust, signatures, tier })
    }

    /// Returns the files, each with what it must turn out to be: what was signed by somebody who is trusted for this
    /// model, else what the store recorded, else whatever it is.
    ///
    /// Of a model that was signed or lies in the store, there are no other files than those listed.
    pub(crate) fn files(&self) -> Result<Files, CommandError> {
        let verdict = self.judged(None);
        let trusted = verdict.statement.filter(|_| !verdict.identities.is_empty());
        let statement = trusted.map(|index| self.signatures[index].payload());
        let attested = Attested { signers: verdict.identities };
        match (&self.target, statement) {
            (Target::Stored(model), statement) => {
                let files = model.files.iter().map(|file| {
                    let signed = statement.and_then(|statement| statement.file(file.path.as_str()));
                    Ok((file.path.as_str().to_owned(), self.stored(file, signed, &attested)?))
                });
                let files = files.collect::<Result<BTreeMap<_, _>, CommandError>>()?;
                Ok(Files::listed(&self.target.title(), files))
            }
            (Target::File(path) | Target::Folder(path), None) => {
                let sealed = self.target.sealed_parts();
                if sealed.is_empty() {
                    return Ok(Files::at(path)?);
                }
                let openers = sealed.into_iter().map(|part| {
                    let opener = self.opener_of_sealed(&part.path, None, &attested)?;
                    Ok((part.name, opener))
                });
                Ok(Files::opened(&plain_form(path), openers.collect::<Result<_, CommandError>>()?))
            }
            (Target::File(_) | Target::Folder(_), Some(statement)) => {
                let mut files = BTreeMap::new();
                for file in self.target.files(statement.ignored())? {
                    let signed = |file: &TargetFile| match &self.target {
                        Target::File(_) => statement.file_or_only(&file.name),
                        Target::Folder(_) | Target::Stored(_) => statement.file(&file.name),
                    };
                    // What nobody signed is not there for the engine.
                    if let Some(signed) = signed(&file).filter(|_| !file.sealed) {
                        files.insert(
                            engine_name(&self.target, &file.name),
                            opener_of_path(file, signed, &attested)?,
                        );
                    } else if let Some(part) = file.into_sealed_form()
                        && !files.contains_key(&part.name)
                        && let Some(signed) = signed(&part)
                    {
                        let opener = self.opener_of_sealed(&part.path, Some(signed), &attested)?;
                        files.insert(engine_name(&self.target, &part.name), opener);
                    }
                }
                Ok(Files::listed(&self.target.title(), files))
            }
        }
    }

    /// Says on which basis the model's bytes would be the right ones, as far as signatures and records tell.
    pub(crate) fn basis(&self) -> Basis {
        let verdict = self.judged(None);
        if verdict.statement.is_some() && !verdict.identities.is_empty() {
            return Basis::Signed(Attested { signers: verdict.identities });
        }
        let is_recorded = match &self.target {
            Target::Stored(model) => model.files.iter().all(|file| file.blake3.is_some()),
            // Without a record or a signature, a sealed one is refused.
            Target::File(_) | Target::Folder(_) => self.target.is_sealed(),
        };
        if is_recorded { Basis::Pinned } else { Basis::FirstSeen }
    }

    /// Asks the policy about a model whose header was read.
    ///
    /// # Errors
    ///
    /// When it is refused; names the rule and how to satisfy it.
    pub(crate) fn admit(self, source: &dyn WeightSource) -> Result<Admission, CommandError> {
        let facts = ModelFacts::of(source);
        let verdict = self.judged(Some(&facts));
        if let Some((check, reason)) = verdict.refusal() {
            let level = verdict.level.name();
            let rule = match &verdict.rule {
                Some(rule) => format!("the rule for {rule} is {level}"),
                None => {
                    format!("no rule matches {}; the default level is {level}", self.target.policy_name())
                }
            };
            return Err(refused(&self.target.title(), reason, &check.detail).caused(rule));
        }
        let claim = verdict.statement.and_then(|index| self.signatures[index].payload().claim().cloned());
        let model = match self.target {
            Target::Stored(model) => Some(*model),
            Target::File(_) | Target::Folder(_) => None,
        };
        let accepted = claim.filter(|_| !verdict.identities.is_empty()).map(|claim| (verdict, claim));
        Ok(Admission { folder: self.folder, accepted, model })
    }

    fn judged(&self, facts: Option<&ModelFacts>) -> Verdict {
        let sealed = self.target.is_sealed();
        let question = Question { facts, sealed, tier: Some(self.tier), level: None };
        self.trust.judge(&self.target, &self.signatures, &question)
    }

    /// Says what a file of the store must turn out to be.
    fn stored(
        &self,
        file: &ModelFile,
        signed: Option<&SignedFile>,
        attested: &Attested,
    ) -> Result<Opener, CommandError> {
        let name = self.target.title();
        let recorded = || file.blake3.and_then(|digest| Root::try_from(digest).ok());
        let root = signed.and_then(|signed| signed.blake3);
        match &file.bytes {
            FileBytes::Plain(blob) => {
                let expected = match (root, recorded()) {
                    (Some(root), _) => Expected::signed(root, blob.length, attested.clone()),
                    (None, Some(root)) => Expected::pinned(root, blob.length),
                    (None, None) => Expected::first_seen(),
                };
                let file = cloned(&blob.file, &name)?;
                let leaves = leaves_of(signed);
                Ok(Box::new(move || {
                    let file = file.try_clone().map_err(Breach::Unusable)?;
                    Pass::open(file, expected.clone(), leaves.clone())
                }))
            }
            FileBytes::Sealed { .. } => {
                let noted = self.target.noted_recipients(file);
                let unlocked = self.access.keys.unlock(&self.access.home()?, &name, &file.bytes, &noted)?;
                let expected = match (root, recorded().filter(|_| self.was_sealed_here())) {
                    (Some(root), _) => Expected::signed(root, unlocked.len(), attested.clone()),
                    (None, Some(root)) => Expected::pinned(root, unlocked.len()),
                    (None, None) => return Err(unanchored(&name)),
                };
                Ok(opener_of_unlocked(unlocked, expected, leaves_of(signed)))
            }
        }
    }

    /// Says what a sealed file at a path must turn out to hold: what was signed, else what was sealed here.
    fn opener_of_sealed(
        &self,
        path: &Path,
        signed: Option<&SignedFile>,
        attested: &Attested,
    ) -> Result<Opener, CommandError> {
        let (unlocked, record) = self.access.keys.unlock_file(&self.access.home()?, path)?;
        let root = signed.and_then(|signed| signed.blake3);
        let expected = match (root, record) {
            (Some(root), _) => Expected::signed(root, unlocked.len(), attested.clone()),
            (None, Some(record)) => Expected::pinned(record.root, record.length),
            (None, None) => return Err(unanchored(&path.display().to_string())),
        };
        Ok(opener_of_unlocked(unlocked, expected, leaves_of(signed)))
    }

    /// Whether the store itself sealed the model, so that its record of the plain bytes can be believed.
    fn was_sealed_here(&self) -> bool {
        let Target::Stored(model) = &self.target else { return false };
        model.entry.record.sealed_here
    }
}

impl Admission {
    /// Keeps a model of the store there, for those who keep nothing else of it.
    pub(crate) fn into_lease(self) -> Option<Lease> {
        self.model.and_then(StoredModel::into_lease)
    }

    /// Lets the model answer, now that its bytes were verified on this basis, and remembers that it was accepted, so that
    /// nothing older is.
    ///
    /// # Errors
    ///
    /// When the rule asks for signatures, and a file that was read is neither signed nor recorded.
    pub(crate) fn confirm(&self, basis: &Basis) -> Result<(), CommandError> {
        let accepted = self.accepted.as_ref().filter(|(verdict, _)| verdict.level > Level::Skip);
        let Some((verdict, claim)) = accepted else { return Ok(()) };
        if verdict.level > Level::Audit && *basis == Basis::FirstSeen {
            let detail = "one of its files is neither signed nor recorded";
            return Err(refused(&claim.name, Reason::NoSignature, detail));
        }
        self.folder.accept(verdict, claim)
    }
}

/// Returns the files at a path, to look at them and for nothing else: of sealed ones, whatever they hold is taken.
pub(crate) fn files_to_look_at(path: &Path, access: &AccessArguments) -> Result<Files, CommandError> {
    let target = if path.is_dir() { Target::Folder(path.to_owned()) } else { Target::File(path.to_owned()) };
    let sealed = target.sealed_parts();
    if sealed.is_empty() {
        return Ok(Files::at(path)?);
    }
    let home = access.home()?;
    let mut openers = BTreeMap::new();
    for part in sealed {
        let (unlocked, _) = access.keys.unlock_file(&home, &part.path)?;
        let name = part.path.display().to_string();
        let hashed = unlocked.hash(threads::usable(), &|_| Ok(()));
        let hashed = hashed.map_err(|error| sealed::cannot_open(&name, error))?;
        let expected = Expected::pinned(hashed.root, hashed.length);
        openers.insert(part.name, opener_of_unlocked(unlocked, expected, None));
    }
    Ok(Files::opened(&plain_form(path), openers))
}

/// Opens the signatures of a target. One that nobody here knows the key of says nothing; a wrong one ends it, unless
/// there is a right one.
pub(crate) fn signatures(
    target: &Target,
    home: &Home,
    trust: &Trust,
) -> Result<Vec<Signed<Statement>>, CommandError> {
    let known = trust.policy.keys();
    usable(target.bundles(home)?.into_iter().filter_map(|(name, bundle)| match bundle.open(&known) {
        Err(Unsigned::NoKey) => None,
        opened => Some(opened.map_err(|error| unsigned(&name, error))),
    }))
}

/// Says what a signed file of a path must turn out to be.
fn opener_of_path(
    file: TargetFile,
    signed: &SignedFile,
    attested: &Attested,
) -> Result<Opener, CommandError> {
    let (root, length) = if let (Some(root), Some(length)) = (signed.blake3, signed.size) {
        (root, length)
    } else {
        // Other tools sign SHA-256 alone. The root of the bytes that have it is what loading then insists on.
        let hashed = hash_twice(&file)?;
        if hashed.sha256 != signed.digest() {
            let message = format!("{} does not match the signed statement", file.name);
            return Err(CommandError::new(Kind::Differs, message)
                .reason("digest-mismatch")
                .hint("download it again from its source"));
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

/// Reads a sealed file that is open already.
fn opener_of_unlocked(unlocked: UnlockedFile, expected: Expected, leaves: Option<LeafList>) -> Opener {
    let unlocked = Mutex::new(Some(unlocked));
    Box::new(move || {
        let unlocked = unlocked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let unlocked = unlocked.expect("each file of a model is opened once");
        Pass::open_sealed(unlocked, expected.clone(), leaves.clone())
    })
}

/// The name by which the engine knows a file. One that is a model by itself is told by its content, whatever it is called.
fn engine_name(target: &Target, name: &str) -> String {
    let is_gguf = Path::new(name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gguf"));
    match target {
        Target::File(_) if !is_gguf => format!("{name}.gguf"),
        _ => name.to_owned(),
    }
}

fn leaves_of(signed: Option<&SignedFile>) -> Option<LeafList> {
    signed.and_then(|signed| signed.leaves.clone())
}

fn cloned(file: &File, name: &str) -> Result<File, CommandError> {
    file.try_clone().map_err(|error| CommandError::reading(name, error))
}

fn unanchored(name: &str) -> CommandError {
    let message = format!("{name} is sealed, and no trusted signature covers its contents");
    CommandError::new(Kind::Untrusted, message)
        .reason("unknown-signer")
        .hint(
            "everybody who can open it could have made it; trust its signer with `stack trust add`, or look at what \
             `stack decrypt` makes of it",
        )
}
