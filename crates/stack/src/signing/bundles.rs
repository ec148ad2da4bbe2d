//! Signatures on disk and in the store.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use stack_registry::manifest::kind;
use stack_seal::bundle::{Bundle, BundleError, Unsigned};
use stack_seal::statement::{self, StatementError, StatementFault};

use super::{Target, parts};
use crate::error::{CommandError, Kind};
use crate::home::Home;
use crate::terminal::output::talk;

impl Target {
    /// Finds the signatures that belong to it: `X.sig`, `X.<8 hex>.sig` of further signers, or what the store has.
    pub(crate) fn bundles(&self, home: &Home) -> Result<Vec<(String, Bundle)>, CommandError> {
        match self {
            Self::Stored(model) => {
                let Some(store) = home.existing_store()? else { return Ok(Vec::new()) };
                let mut bundles = Vec::new();
                for referrer in store.referrers(&model.entry.manifest.digest, kind::BUNDLE)? {
                    for layer in &referrer.manifest.layers {
                        let what = format!("the signature {}", layer.digest);
                        let bytes =
                            store.read(&layer.digest, statement::BYTES_MAX).map_err(CommandError::from);
                        let bundle = bytes.and_then(|bytes| parse(&what, &bytes));
                        bundles.push(bundle.map(|bundle| (what, bundle)));
                    }
                }
                usable(bundles)
            }
            Self::File(path) | Self::Folder(path) => {
                let mut paths = beside(path)?;
                // A file is signed before it is sealed, and its signature is named after its plain form.
                let plain = parts::plain_form(path);
                if plain != *path {
                    paths.extend(beside(&plain)?);
                }
                let read = |path: &PathBuf| Ok((path.display().to_string(), read_bundle(path)?));
                usable(paths.iter().map(read))
            }
        }
    }
}

/// Passes over signatures that cannot be used, as long as one can: anybody may put a wrong one beside a right one.
/// Alone, it is a sign of tampering.
pub(crate) fn usable<T>(
    found: impl IntoIterator<Item = Result<T, CommandError>>,
) -> Result<Vec<T>, CommandError> {
    let (mut good, mut failures) = (Vec::new(), Vec::new());
    for candidate in found {
        match candidate {
            Ok(candidate) => good.push(candidate),
            Err(error) => failures.push(error),
        }
    }
    if good.is_empty()
        && let Some(error) = failures.pop()
    {
        return Err(error);
    }
    for failure in failures {
        talk(format!("warning: {failure}; it is passed over"));
    }
    Ok(good)
}

/// Reads a signature from a file.
pub(crate) fn read_bundle(path: &Path) -> Result<Bundle, CommandError> {
    let mut bytes = Vec::new();
    let limit = statement::BYTES_MAX as u64 + 1;
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(|error| {
        let code = if error.kind() == io::ErrorKind::NotFound { "no-signature" } else { "io" };
        CommandError::reading(path.display(), error).reason(code)
    })?;
    parse(&path.display().to_string(), &bytes)
}

/// The path of a signature beside a target: the first, or one of a further signer.
pub(crate) fn stored_signature_of(path: &Path, further: Option<&str>) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    if let Some(hint) = further {
        name.push(format!(".{}", &hint[..HINT_DIGITS]));
    }
    name.push(".sig");
    PathBuf::from(name)
}

/// Lists the signatures beside a path.
fn beside(path: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let first = stored_signature_of(path, None);
    let (Some(folder), Some(stem)) = (first.parent(), path.file_name()) else { return Ok(Vec::new()) };
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    let failed = |error| CommandError::reading(folder.display(), error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        // Names need not be UTF-8, and a signature beside such a file counts all the same.
        let ending = name.as_encoded_bytes().strip_prefix(stem.as_encoded_bytes());
        let ending = ending.and_then(|rest| rest.strip_suffix(b".sig"));
        let is_signature = ending.is_some_and(|ending| ending.is_empty() || is_hint(ending));
        if is_signature {
            found.push(path.with_file_name(name));
        }
    }
    // The first signer has the shortest name.
    found.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    if found.len() > BUNDLES_MAX {
        return Err(CommandError::new(
            Kind::Malformed,
            format!("{} has too many signatures", path.display()),
        ));
    }
    Ok(found)
}

fn is_hint(ending: &[u8]) -> bool {
    let digits = ending.strip_prefix(b".").unwrap_or_default();
    digits.len() == HINT_DIGITS && digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn parse(what: &str, bytes: &[u8]) -> Result<Bundle, CommandError> {
    Bundle::parse(bytes).map_err(|error| {
        let code = match error {
            BundleError::Duplicate => "duplicate-field",
            BundleError::Malformed(_) | BundleError::Method(_) => "bad-bundle",
        };
        CommandError::new(Kind::Malformed, format!("{what} cannot be used")).reason(code).caused(error)
    })
}

/// The error for a bundle that does not open.
pub(crate) fn unsigned(what: &str, error: Unsigned) -> CommandError {
    let (kind, code) = match &error {
        Unsigned::NoKey => (Kind::Missing, "no-key"),
        Unsigned::BadSignature(_) | Unsigned::NotASigner(_) => (Kind::Differs, "bad-signature"),
        Unsigned::Payload(error) => (Kind::Malformed, statement_code(error)),
    };
    let hint = match kind {
        Kind::Missing => "give the signer's key with --key KEY",
        Kind::Differs => "request the signature again from the signer",
        _ => "only signatures over files with SHA-256 digests are supported",
    };
    let message = format!("{what} is not a usable signature");
    CommandError::new(kind, message).reason(code).caused(error).hint(hint)
}

fn statement_code(error: &StatementError) -> &'static str {
    match error.fault() {
        StatementFault::Malformed | StatementFault::Predicate => "bad-bundle",
        StatementFault::Duplicate => "duplicate-field",
        StatementFault::Unsupported => "unsupported-serialization",
    }
}

const HINT_DIGITS: usize = 8;
const BUNDLES_MAX: usize = 64;
