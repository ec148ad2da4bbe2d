//! Whether the files are the ones that were signed.

use std::collections::BTreeSet;
use std::path::PathBuf;

use stack_seal::age::UnlockedFile;
use stack_seal::digest::{Algorithm, Digest, HashedFile, LeafList, Root};
use stack_seal::statement::{SealedFile, SignedFile, Statement};

use crate::error::{CommandError, Kind};
use crate::process::threads;
use crate::signing::{Target, TargetFile, hash_plainly, hash_twice};
use crate::terminal::units;

/// Which digests are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// BLAKE3, wherever it was signed.
    Blake3,
    /// SHA-256, too.
    Both,
}

/// What happens to files that nobody signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extra {
    /// They are an error.
    Refused,
    /// They may lie there.
    Ignored,
}

/// What is compared, and how.
pub(crate) struct Manner<'a> {
    /// Which digests are computed.
    pub(crate) depth: Depth,
    /// What happens to files that nobody signed.
    pub(crate) extra: Extra,
    /// Whether sealed files are opened.
    pub(crate) sealed: Opening<'a>,
}

/// Whether sealed files are opened. Where the sealed form itself was signed, it can be checked without a key.
pub(crate) enum Opening<'a> {
    /// They stay closed.
    Never,
    /// They are opened where their sealed form was not signed.
    IfNeeded(&'a Unlock<'a>),
    /// What they hold is what counts.
    Always(&'a Unlock<'a>),
}

/// Unlocks the sealed file of a name.
pub(crate) type Unlock<'a> = dyn Fn(&str) -> Result<UnlockedFile, CommandError> + 'a;

impl Manner<'_> {
    /// Returns what opens a file, if it is to be opened.
    fn unlock(&self, file: &TargetFile, statement: &Statement) -> Option<&Unlock<'_>> {
        match self.sealed {
            _ if !file.sealed => None,
            Opening::Always(unlock) => Some(unlock),
            Opening::IfNeeded(unlock) if sealed(file, statement).is_err() => Some(unlock),
            Opening::IfNeeded(_) | Opening::Never => None,
        }
    }
}

/// Compares files with a statement. Each check is given to `record`, which may end them with an error.
///
/// `signatures` may lie in the folder without being signed themselves.
pub(crate) fn check_files<E>(
    target: &Target,
    statement: &Statement,
    signatures: &[PathBuf],
    manner: &Manner<'_>,
    record: &mut dyn FnMut(&'static str, Result<String, CommandError>) -> Result<(), E>,
) -> Result<(), E> {
    let pairs = match pair(target, statement, signatures, manner.extra) {
        Ok(pairs) => pairs,
        Err(error) => return record("files", Err(error)),
    };
    let count = pairs.len();
    record(
        "files",
        Ok(if count == 1 { "one, as signed".to_owned() } else { format!("{count}, as signed") }),
    )?;
    for (file, signed) in pairs.iter().filter(|(file, _)| manner.unlock(file, statement).is_none()) {
        record("length", check_length(file, signed, statement))?;
    }
    for (file, signed) in &pairs {
        record(
            "digest",
            match manner.unlock(file, statement) {
                Some(unlock) => check_opened(file, signed, unlock),
                None => check_digest(file, signed, statement, manner.depth),
            },
        )?;
    }
    Ok(())
}

/// Compares a file, a folder or a stored model with a digest that somebody gave.
pub(super) fn compare(target: &Target, digest: &Digest) -> Result<String, CommandError> {
    let found = match target {
        Target::Stored(model) if digest.algorithm == Algorithm::Sha256 => model.entry.manifest.digest,
        Target::File(_) => {
            let files = target.files(&[])?;
            match digest.algorithm {
                Algorithm::Sha256 => hash_twice(&files[0])?.sha256,
                Algorithm::Blake3 => hash_plainly(&files[0])?.root.into(),
            }
        }
        Target::Folder(_) | Target::Stored(_) => {
            let message = format!("{} has no {} digest of its own", target.title(), digest.algorithm.name());
            return Err(CommandError::new(Kind::Usage, message).hint("give one of its files"));
        }
    };
    if found == *digest {
        return Ok(format!("{}: {found}", target.title()));
    }
    let message = format!("{} has the digest {found}", target.title());
    Err(CommandError::new(Kind::Differs, message).reason("digest-mismatch").hint("fetch it again"))
}

/// Finds the signed entry of each file.
fn pair<'a>(
    target: &Target,
    statement: &'a Statement,
    signatures: &[PathBuf],
    extra: Extra,
) -> Result<Vec<(TargetFile, &'a SignedFile)>, CommandError> {
    let files = target.files(statement.ignored())?;
    if let (Target::File(_), [file]) = (target, files.as_slice()) {
        let signed = statement.file_or_only(&file.name).ok_or_else(|| unsigned_file(&file.name))?;
        return Ok(vec![(file.clone(), signed)]);
    }
    let plain: BTreeSet<String> = files.iter().map(|file| file.name.clone()).collect();
    let mut names = plain.clone();
    let sealed_forms = files.iter().filter_map(|file| file.clone().into_sealed_form());
    names.extend(sealed_forms.map(|file| file.name));
    if let Some(missing) = statement.files().iter().find(|signed| !names.contains(&signed.name)) {
        return Err(CommandError::new(Kind::Missing, format!("{} is missing", missing.name))
            .reason("no-such-file")
            .hint("it is part of the signed model; get it from the same source"));
    }
    let is_signature = |file: &TargetFile| {
        let same = |path: &PathBuf| {
            path.canonicalize().is_ok_and(|path| Some(path) == file.path.canonicalize().ok())
        };
        signatures.iter().any(same)
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
            None if extra == Extra::Ignored || is_signature(&file) => {}
            None => return Err(unsigned_file(&file.name)),
        }
    }
    Ok(pairs)
}

fn unsigned_file(name: &str) -> CommandError {
    CommandError::new(Kind::Differs, format!("{name} is not covered by the signature"))
        .reason("unsigned-file")
        .hint("remove it, or allow unsigned files with --ignore-unsigned")
}

fn check_length(
    file: &TargetFile,
    signed: &SignedFile,
    statement: &Statement,
) -> Result<String, CommandError> {
    let expected = if file.sealed { Some(sealed(file, statement)?.size) } else { signed.size };
    let metadata = file.path.metadata();
    let found =
        metadata.map_err(|error| CommandError::reading(file.path.display(), error).reason("io"))?.len();
    match expected {
        Some(expected) if expected != found => {
            let message = format!("{} has {found} bytes, but {expected} were signed", file.name);
            Err(CommandError::new(Kind::Differs, message).reason("length-mismatch").hint(AGAIN))
        }
        _ => Ok(format!("{}: {}", file.name, units::bytes(found))),
    }
}

fn check_digest(
    file: &TargetFile,
    signed: &SignedFile,
    statement: &Statement,
    depth: Depth,
) -> Result<String, CommandError> {
    let (blake3, sha256) = if file.sealed {
        let sealed = sealed(file, statement)?;
        (Some(sealed.blake3), sealed.sha256)
    } else {
        (signed.blake3, signed.sha256)
    };
    let what = if file.sealed { "encrypted " } else { "" };
    let (found, also) = if blake3.is_some() && depth == Depth::Blake3 {
        (hash_plainly(file)?, None)
    } else {
        let hashed = hash_twice(file)?;
        (hashed.file, Some(hashed.sha256))
    };
    if let Some(root) = blake3
        && root != found.root
    {
        return Err(differs(file, signed, &found));
    }
    if let Some(also) = also
        && also.bytes != sha256
    {
        let message = format!("{}: the SHA-256 digest differs from the signed one", file.name);
        return Err(CommandError::new(Kind::Differs, message).reason("digest-mismatch").hint(AGAIN));
    }
    let digests = [blake3.map(|root: Root| root.to_string()), also.map(|digest| digest.to_string())];
    let digests: Vec<String> = digests.into_iter().flatten().collect();
    Ok(format!("{what}{}: {}", file.name, digests.join(" ")))
}

/// Opens a sealed file, in memory and span by span, and compares what it holds.
fn check_opened(file: &TargetFile, signed: &SignedFile, unlock: &Unlock<'_>) -> Result<String, CommandError> {
    let Some(root) = signed.blake3 else { return Err(unsigned_form(&file.name)) };
    let unlocked = unlock(&file.name)?;
    if let Some(expected) = signed.size.filter(|&size| size != unlocked.len()) {
        let message = format!("{} contains {} bytes, but {expected} were signed", file.name, unlocked.len());
        return Err(CommandError::new(Kind::Differs, message).reason("length-mismatch").hint(AGAIN));
    }
    let found = unlocked
        .hash(threads::usable(), &|_| Ok(()))
        .map_err(|error| crate::sealing::sealed::cannot_open(&file.name, error))?;
    if found.root == root {
        Ok(format!("opened {}: {root}", file.name))
    } else {
        Err(differs(file, signed, &found))
    }
}

/// The error for a file whose root differs; where the leaves were signed, it names the first wrong span.
fn differs(file: &TargetFile, signed: &SignedFile, found: &HashedFile) -> CommandError {
    let same_length = |found: &&LeafList| signed.size == Some(found.tree().length());
    let place = signed.leaves.as_ref().zip(found.leaves.as_ref().filter(same_length)).and_then(
        |(expected, found)| {
            let span =
                (0..expected.tree().spans()).find(|&span| expected.value(span) != found.value(span))?;
            let bytes = expected.tree().range(span);
            Some(format!("span {span} (bytes {}..{}) differs", bytes.start, bytes.end))
        },
    );
    let place = place.unwrap_or_else(|| format!("it has {}", found.root));
    let message = format!("{} does not match the signed statement: {place}", file.name);
    CommandError::new(Kind::Differs, message).reason("digest-mismatch").hint(AGAIN)
}

/// Finds what was signed about the encrypted form of a file.
fn sealed<'a>(file: &TargetFile, statement: &'a Statement) -> Result<&'a SealedFile, CommandError> {
    let sealed = statement.claim().into_iter().flat_map(|claim| &claim.sealed);
    sealed.into_iter().find(|sealed| sealed.name == file.name).ok_or_else(|| unsigned_form(&file.name))
}

fn unsigned_form(name: &str) -> CommandError {
    CommandError::new(
        Kind::Closed,
        format!("{name} is sealed, and the signature does not cover the sealed form"),
    )
    .reason("no-identity")
    .hint("decrypt it with `stack decrypt` and verify the result")
}

const AGAIN: &str = "download it again, for example with `stack pull --update`";
