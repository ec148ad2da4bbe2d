//! Whether the files are the ones that were signed.

mod error;

use std::collections::BTreeSet;
use std::path::PathBuf;

use stack_registry::model::{FileBytes, ModelFile, StoredModel};
use stack_registry::store::Blob;
use stack_seal::age::UnlockedFile;
use stack_seal::bundle::Signed;
use stack_seal::digest::{Algorithm, Digest, HashedFile, LeafList, Root};
use stack_seal::statement::{SealedFile, SignedFile, Statement};

pub use error::VerificationError;

use crate::policy::Policy;
use crate::sealed::SealedError;
use crate::target::{HasherOptions, Target, TargetFile, UnlockError};

/// Which digests are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// BLAKE3, wherever it was signed.
    Blake3,
    /// SHA-256, too.
    Both,
}

/// What happens to files that nobody signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsignedFiles {
    /// They are an error.
    Refused,
    /// They may lie there.
    Ignored,
}

/// What is compared, and how.
#[derive(Clone, Copy)]
pub struct VerifyOptions<'a> {
    /// Which digests are computed.
    pub depth: Depth,
    /// What happens to files that nobody signed.
    pub unsigned: UnsignedFiles,
    /// Files that may lie in the folder without being signed themselves: signatures.
    pub signatures: &'a [PathBuf],
    /// Whether sealed files are opened.
    pub sealed: OpenSealed<'a>,
    /// How files are hashed.
    pub hashing: HasherOptions<'a>,
}

/// Whether sealed files are opened. Where the sealed form itself was signed, it can be checked without a key.
#[derive(Clone, Copy)]
pub enum OpenSealed<'a> {
    /// They stay closed.
    Never,
    /// They are opened where their sealed form was not signed.
    IfNeeded(&'a Unlock<'a>),
    /// What they hold is what counts.
    Always(&'a Unlock<'a>),
}

/// Unlocks the sealed file of a name; `None` where there is none.
pub type Unlock<'a> = dyn Fn(&str) -> Result<Option<UnlockedFile>, UnlockError> + 'a;

/// A check of files, by the name under which it is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileCheck {
    /// The files are those that were signed.
    Files,
    /// A file is as long as it was.
    Length,
    /// A file has the digest that it had.
    Digest,
}

/// What a check found, where it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// So many files, as signed.
    Files(usize),
    /// The length of a file.
    Length {
        /// The file.
        name: String,
        /// Its bytes.
        bytes: u64,
    },
    /// The digests of a file.
    Digests {
        /// The file.
        name: String,
        /// Whether they are those of its sealed form.
        sealed: bool,
        /// Those that were compared.
        digests: Vec<Digest>,
    },
    /// The root of what a sealed file holds.
    Opened {
        /// The file.
        name: String,
        /// The root.
        root: Root,
    },
}

/// Hears of each check; an error ends them.
pub type Record<'a, E> = dyn FnMut(FileCheck, Result<Finding, VerificationError>) -> Result<(), E> + 'a;

/// What a file must turn out to be, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedRoot {
    /// The root.
    pub root: Root,
    /// Who says so.
    pub by: String,
}

impl FileCheck {
    /// The name that is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Length => "length",
            Self::Digest => "digest",
        }
    }
}

impl VerifyOptions<'_> {
    /// Returns what opens a file, if it is to be opened.
    fn unlock(&self, file: &TargetFile, statement: &Statement) -> Option<&Unlock<'_>> {
        match self.sealed {
            _ if !file.sealed => None,
            OpenSealed::Always(unlock) => Some(unlock),
            OpenSealed::IfNeeded(unlock) if sealed_form(file, statement).is_err() => Some(unlock),
            OpenSealed::IfNeeded(_) | OpenSealed::Never => None,
        }
    }
}

/// Compares the files of a target with a statement. Each check is given to `record`, which may end them.
///
/// # Errors
///
/// The one with which `record` ends them.
pub fn check_files<E>(
    target: &Target,
    statement: &Statement,
    options: &VerifyOptions<'_>,
    record: &mut Record<'_, E>,
) -> Result<(), E> {
    let pairs = match pair(target, statement, options) {
        Ok(pairs) => pairs,
        Err(error) => return record(FileCheck::Files, Err(error)),
    };
    record(FileCheck::Files, Ok(Finding::Files(pairs.len())))?;
    for (file, signed) in pairs.iter().filter(|(file, _)| options.unlock(file, statement).is_none()) {
        record(FileCheck::Length, check_length(file, signed, statement))?;
    }
    for (file, signed) in &pairs {
        let found = match options.unlock(file, statement) {
            Some(unlock) => check_opened(file, signed, unlock, options.hashing.workers),
            None => check_digest(file, signed, statement, options),
        };
        record(FileCheck::Digest, found)?;
    }
    Ok(())
}

/// Compares a file, a folder or a stored model with a digest that somebody gave, and returns it.
///
/// # Errors
///
/// When it has another one, or none of its own of this kind.
pub fn compare_digest(
    target: &Target,
    digest: &Digest,
    hashing: &HasherOptions<'_>,
) -> Result<Digest, VerificationError> {
    let found = match target {
        Target::Stored(stored) if digest.algorithm == Algorithm::Sha256 => stored.model.entry.manifest.digest,
        Target::File(_) => {
            let files = target.files(&[])?;
            match digest.algorithm {
                Algorithm::Sha256 => hashing.both(&files[0])?.sha256,
                Algorithm::Blake3 => hashing.blake3(&files[0])?.root.into(),
            }
        }
        Target::Folder(_) | Target::Stored(_) => {
            return Err(VerificationError::NoDigest { name: target.title(), algorithm: digest.algorithm });
        }
    };
    if found == *digest {
        Ok(found)
    } else {
        Err(VerificationError::OtherDigest { name: target.title(), found })
    }
}

/// Checks that the blobs of a model still have the digests that they were stored under and, those of plain bytes, the
/// roots that the manifest gives them. Signatures are not asked for: who may be trusted changes, bytes do not.
///
/// # Errors
///
/// When one cannot be read, or was modified.
pub fn check_stored(model: &StoredModel, hashing: &HasherOptions<'_>) -> Result<(), VerificationError> {
    model.files.iter().try_for_each(|file| match &file.bytes {
        FileBytes::Plain(blob) => check_blob(model, file, blob, file.blake3, hashing),
        FileBytes::Sealed { header, payload } => {
            check_blob(model, file, header, None, hashing)?;
            check_blob(model, file, payload, None, hashing)
        }
    })
}

fn check_blob(
    model: &StoredModel,
    file: &ModelFile,
    blob: &Blob,
    plain_root: Option<Digest>,
    hashing: &HasherOptions<'_>,
) -> Result<(), VerificationError> {
    let path = file.path.as_str();
    let hashed =
        hashing.both(&TargetFile { name: path.to_owned(), path: blob.path.clone(), sealed: false })?;
    let root_differs = plain_root.is_some_and(|root| root != hashed.file.root.into());
    if hashed.sha256 == blob.digest && !root_differs {
        return Ok(());
    }
    Err(VerificationError::ModifiedBlob { path: path.to_owned(), model: model.entry.name.short() })
}

/// Finds the roots that those whose keys are trusted signed for a file.
pub fn signed_roots(policy: &Policy, signatures: &[Signed<Statement>], file: &str) -> Vec<ExpectedRoot> {
    let trusted = policy.keys();
    let known = |signed: &Signed<Statement>| {
        let entry = signed.payload().file_or_only(file)?;
        Some(ExpectedRoot { root: entry.blake3?, by: signed.key().to_string() })
    };
    signatures.iter().filter(|signed| trusted.contains(signed.key())).filter_map(known).collect()
}

/// Compares what a sealed file holds with every root that is known for it.
///
/// # Errors
///
/// When it has another one.
pub fn compare_known(
    what: &str,
    found: &HashedFile,
    known: &[ExpectedRoot],
) -> Result<(), VerificationError> {
    match known.iter().find(|known| known.root != found.root) {
        None => Ok(()),
        Some(known) => Err(VerificationError::OtherContents {
            what: what.to_owned(),
            found: found.root,
            known: known.clone(),
        }),
    }
}

/// Finds the signed entry of each file.
fn pair<'a>(
    target: &Target,
    statement: &'a Statement,
    options: &VerifyOptions<'_>,
) -> Result<Vec<(TargetFile, &'a SignedFile)>, VerificationError> {
    let files = target.files(statement.ignored())?;
    if let (Target::File(_), [file]) = (target, files.as_slice()) {
        let signed = statement
            .file_or_only(&file.name)
            .ok_or_else(|| VerificationError::NotSigned(file.name.clone()))?;
        return Ok(vec![(file.clone(), signed)]);
    }
    let plain: BTreeSet<String> = files.iter().map(|file| file.name.clone()).collect();
    let mut names = plain.clone();
    let sealed_forms = files.iter().filter_map(|file| file.clone().into_sealed_form());
    names.extend(sealed_forms.map(|file| file.name));
    if let Some(missing) = statement.files().iter().find(|signed| !names.contains(&signed.name)) {
        return Err(VerificationError::Missing(missing.name.clone()));
    }
    let is_signature = |file: &TargetFile| {
        let same = |path: &PathBuf| {
            path.canonicalize().is_ok_and(|path| Some(path) == file.path.canonicalize().ok())
        };
        options.signatures.iter().any(same)
    };
    let mut pairs = Vec::with_capacity(files.len());
    for file in files {
        if let Some(signed) = statement.file(&file.name) {
            pairs.push((file, signed));
            continue;
        }
        let sealed = file.clone().into_sealed_form();
        // Where the plain form lies beside it, that is what was signed.
        let sealed = sealed.filter(|sealed| !plain.contains(&sealed.name));
        match sealed.and_then(|sealed| Some((statement.file(&sealed.name)?, sealed))) {
            Some((signed, sealed)) => pairs.push((sealed, signed)),
            None if options.unsigned == UnsignedFiles::Ignored || is_signature(&file) => {}
            None => return Err(VerificationError::NotSigned(file.name)),
        }
    }
    Ok(pairs)
}

fn check_length(
    file: &TargetFile,
    signed: &SignedFile,
    statement: &Statement,
) -> Result<Finding, VerificationError> {
    let expected = if file.sealed { Some(sealed_form(file, statement)?.size) } else { signed.size };
    let metadata = file.path.metadata();
    let found = metadata.map_err(|source| VerificationError::Read { path: file.path.clone(), source })?.len();
    let name = file.name.clone();
    match expected {
        Some(expected) if expected != found => Err(VerificationError::Length { name, found, expected }),
        _ => Ok(Finding::Length { name, bytes: found }),
    }
}

fn check_digest(
    file: &TargetFile,
    signed: &SignedFile,
    statement: &Statement,
    options: &VerifyOptions<'_>,
) -> Result<Finding, VerificationError> {
    let (blake3, sha256) = if file.sealed {
        let sealed = sealed_form(file, statement)?;
        (Some(sealed.blake3), sealed.sha256)
    } else {
        (signed.blake3, signed.sha256)
    };
    let (found, also) = if blake3.is_some() && options.depth == Depth::Blake3 {
        (options.hashing.blake3(file)?, None)
    } else {
        let hashed = options.hashing.both(file)?;
        (hashed.file, Some(hashed.sha256))
    };
    if blake3.is_some_and(|root| root != found.root) {
        return Err(differs(file, signed, &found));
    }
    if also.is_some_and(|also| also.bytes != sha256) {
        return Err(VerificationError::Sha256(file.name.clone()));
    }
    let digests = blake3.map(Digest::from).into_iter().chain(also).collect();
    Ok(Finding::Digests { name: file.name.clone(), sealed: file.sealed, digests })
}

/// Opens a sealed file, in memory and span by span, and compares what it holds.
fn check_opened(
    file: &TargetFile,
    signed: &SignedFile,
    unlock: &Unlock<'_>,
    workers: usize,
) -> Result<Finding, VerificationError> {
    let name = &file.name;
    let unsigned_form = || VerificationError::SealedFormNotSigned(name.clone());
    let root = signed.blake3.ok_or_else(unsigned_form)?;
    let unlocked = unlock(name)?.ok_or_else(unsigned_form)?;
    let found = unlocked.len();
    if let Some(expected) = signed.size.filter(|&size| size != found) {
        return Err(VerificationError::OpenedLength { name: name.clone(), found, expected });
    }
    let found = unlocked.hash(workers, &|_| Ok(())).map_err(SealedError::opening(name))?;
    if found.root == root {
        Ok(Finding::Opened { name: name.clone(), root })
    } else {
        Err(differs(file, signed, &found))
    }
}

/// The error for a file whose root differs; where the leaves were signed, it names the first wrong span.
fn differs(file: &TargetFile, signed: &SignedFile, found: &HashedFile) -> VerificationError {
    let same_length = |found: &&LeafList| signed.size == Some(found.tree().length());
    let leaves = signed.leaves.as_ref().zip(found.leaves.as_ref().filter(same_length));
    let span = leaves.and_then(|(expected, found)| {
        let span = (0..expected.tree().spans()).find(|&span| expected.value(span) != found.value(span))?;
        Some((span, expected.tree().range(span)))
    });
    VerificationError::Root { name: file.name.clone(), found: found.root, span }
}

/// Finds what was signed about the encrypted form of a file.
fn sealed_form<'a>(file: &TargetFile, statement: &'a Statement) -> Result<&'a SealedFile, VerificationError> {
    let sealed = statement.claim().into_iter().flat_map(|claim| &claim.sealed);
    sealed
        .into_iter()
        .find(|sealed| sealed.name == file.name)
        .ok_or_else(|| VerificationError::SealedFormNotSigned(file.name.clone()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::statement::sign_files;

    const HASHING: HasherOptions<'_> = HasherOptions { workers: 1, progress: &|_, _, _| {} };

    fn checked(
        target: &Target,
        statement: &Statement,
        unsigned: UnsignedFiles,
    ) -> Result<usize, VerificationError> {
        let options = VerifyOptions {
            depth: Depth::Both,
            unsigned,
            signatures: &[],
            sealed: OpenSealed::Never,
            hashing: HASHING,
        };
        let mut count = 0;
        check_files(target, statement, &options, &mut |_, found| {
            count += 1;
            found.map(drop)
        })?;
        Ok(count)
    }

    #[test]
    fn a_folder_is_what_was_signed_or_says_what_differs() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("a"), b"one").unwrap();
        fs::write(path("b"), b"two").unwrap();
        let target = Target::at(dir.path().to_owned()).unwrap();
        let files = sign_files(&target, &[], &HASHING).unwrap();
        let statement = Statement::new("m".to_owned(), files, Vec::new(), None).unwrap();
        assert_eq!(checked(&target, &statement, UnsignedFiles::Refused).unwrap(), 5);
        fs::write(path("b"), b"tow").unwrap();
        let error = checked(&target, &statement, UnsignedFiles::Refused).unwrap_err();
        assert!(matches!(error, VerificationError::Root { name, .. } if name == "b"));
        fs::write(path("b"), b"three").unwrap();
        let error = checked(&target, &statement, UnsignedFiles::Refused).unwrap_err();
        assert!(matches!(error, VerificationError::Length { found: 5, expected: 3, .. }));
        fs::write(path("b"), b"two").unwrap();
        fs::write(path("c"), b"more").unwrap();
        let error = checked(&target, &statement, UnsignedFiles::Refused).unwrap_err();
        assert!(matches!(error, VerificationError::NotSigned(name) if name == "c"));
        assert_eq!(checked(&target, &statement, UnsignedFiles::Ignored).unwrap(), 5);
        fs::remove_file(path("a")).unwrap();
        let error = checked(&target, &statement, UnsignedFiles::Ignored).unwrap_err();
        assert!(matches!(error, VerificationError::Missing(name) if name == "a"));
    }
}
