//! Signatures of a target: beside it on disk, or attached to it in the store.

use std::error::Error;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use stack_registry::manifest::{Descriptor, kind};
use stack_registry::store::StoreError;
use stack_seal::bundle::{Bundle, BundleError, Signed, Unsigned};
use stack_seal::key::PublicKey;
use stack_seal::statement::{self, Statement};

use crate::target::{StoredTarget, Target, plain_form};

/// A signature bundle, and what people call it.
#[derive(Clone, Debug)]
pub struct FoundBundle {
    /// The file that it lies in, or its digest in the store.
    pub name: String,
    /// The bundle.
    pub bundle: Bundle,
}

/// Why there is no signature that can be used.
#[derive(Debug)]
pub enum SignatureError {
    /// A file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder of the target cannot be listed.
    List {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// More files than are looked at are named like signatures of the target.
    TooMany(PathBuf),
    /// Bytes are no bundle.
    Malformed {
        /// What they are called.
        name: String,
        /// Why.
        source: BundleError,
    },
    /// A bundle does not open.
    Unusable {
        /// What it is called.
        name: String,
        /// Why.
        source: Unsigned,
    },
    /// The store failed.
    Store(StoreError),
}

/// Hears of signatures that are passed over, because another one can be used.
pub type PassedOver<'a> = dyn FnMut(SignatureError) + 'a;

impl Target {
    /// Finds the signatures that belong to it: `X.sig`, `X.<8 hex>.sig` of further signers, or what the store has.
    ///
    /// # Errors
    ///
    /// When there are some and none is a bundle, or the disk refuses.
    pub fn bundles(&self, passed_over: &mut PassedOver<'_>) -> Result<Vec<FoundBundle>, SignatureError> {
        match self {
            Self::Stored(stored) => stored.bundles(passed_over),
            Self::File(path) | Self::Folder(path) => {
                let mut paths = beside(path)?;
                // A file is signed before it is sealed, and its signature is named after its plain form.
                let plain = plain_form(path);
                if plain != *path {
                    paths.extend(beside(&plain)?);
                }
                usable(paths.iter().map(|path| read(path)), passed_over)
            }
        }
    }

    /// Finds its signatures and opens them. One that nobody here knows the key of says nothing; a wrong one ends it,
    /// unless there is a right one.
    ///
    /// # Errors
    ///
    /// Those of [`Self::bundles`]; and when signatures do not hold, and none does.
    pub fn signatures(
        &self,
        known: &[PublicKey],
        passed_over: &mut PassedOver<'_>,
    ) -> Result<Vec<Signed<Statement>>, SignatureError> {
        let bundles = self.bundles(passed_over)?;
        let opened = bundles.into_iter().filter_map(|named| match named.open(known) {
            Err(SignatureError::Unusable { source: Unsigned::NoKey, .. }) => None,
            opened => Some(opened),
        });
        usable(opened, passed_over)
    }
}

impl StoredTarget {
    /// Finds the signatures that are attached to it in the store.
    ///
    /// # Errors
    ///
    /// When there are some and none is a bundle, or the disk refuses.
    pub fn bundles(&self, passed_over: &mut PassedOver<'_>) -> Result<Vec<FoundBundle>, SignatureError> {
        let Self { store, model } = self;
        let referrers = store.each_referrer(&model.entry.manifest.digest, kind::BUNDLE);
        let mut layers = Vec::new();
        for referrer in referrers.map_err(SignatureError::Store)? {
            match referrer {
                Ok(referrer) => layers.extend(referrer.manifest.layers.into_iter().map(Ok)),
                Err(error) => layers.push(Err(SignatureError::Store(error))),
            }
        }
        let read = |layer: &Descriptor| {
            let bytes = store.read(&layer.digest, statement::BYTES_MAX).map_err(SignatureError::Store)?;
            parse(format!("the signature {}", layer.digest), &bytes)
        };
        usable(layers.into_iter().map(|layer| layer.and_then(|layer| read(&layer))), passed_over)
    }
}

impl FoundBundle {
    /// Checks the signature, and reads what was signed.
    ///
    /// # Errors
    ///
    /// When nobody's key made it, or it is not over a statement.
    pub fn open(&self, known: &[PublicKey]) -> Result<Signed<Statement>, SignatureError> {
        self.bundle.open(known).map_err(|source| SignatureError::Unusable { name: self.name.clone(), source })
    }
}

/// Passes over signatures that cannot be used, as long as one can: anybody may put a wrong one beside a right one.
/// Alone, it is a sign of tampering.
fn usable<T>(
    found: impl IntoIterator<Item = Result<T, SignatureError>>,
    passed_over: &mut PassedOver<'_>,
) -> Result<Vec<T>, SignatureError> {
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
    failures.into_iter().for_each(passed_over);
    Ok(good)
}

/// Reads a signature from a file.
///
/// # Errors
///
/// When it cannot be read, or is no bundle.
pub fn read(path: &Path) -> Result<FoundBundle, SignatureError> {
    let mut bytes = Vec::new();
    let limit = statement::BYTES_MAX as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|source| SignatureError::Read { path: path.to_owned(), source })?;
    parse(path.display().to_string(), &bytes)
}

/// The path of a signature beside a target: the first, or one of a further signer, whose key has this hint.
pub fn path_of(target: &Path, further: Option<&str>) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    if let Some(hint) = further {
        name.push(format!(".{}", &hint[..HINT_DIGITS]));
    }
    name.push(EXTENSION);
    PathBuf::from(name)
}

/// Lists the signatures beside a path.
fn beside(path: &Path) -> Result<Vec<PathBuf>, SignatureError> {
    let first = path_of(path, None);
    let (Some(folder), Some(stem)) = (first.parent(), path.file_name()) else { return Ok(Vec::new()) };
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    let failed = |source| SignatureError::List { folder: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        // Names need not be UTF-8, and a signature beside such a file counts all the same.
        let rest = name.as_encoded_bytes().strip_prefix(stem.as_encoded_bytes());
        let between = rest.and_then(|rest| rest.strip_suffix(EXTENSION.as_bytes()));
        if between.is_some_and(|between| between.is_empty() || is_hint(between)) {
            found.push(path.with_file_name(name));
        }
    }
    // The first signer has the shortest name.
    found.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    if found.len() > BUNDLES_MAX { Err(SignatureError::TooMany(path.to_owned())) } else { Ok(found) }
}

fn is_hint(between: &[u8]) -> bool {
    let digits = between.strip_prefix(b".").unwrap_or_default();
    digits.len() == HINT_DIGITS && digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn parse(name: String, bytes: &[u8]) -> Result<FoundBundle, SignatureError> {
    match Bundle::parse(bytes) {
        Ok(bundle) => Ok(FoundBundle { name, bundle }),
        Err(source) => Err(SignatureError::Malformed { name, source }),
    }
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, .. } | Self::List { folder: path, .. } => {
                write!(f, "{} cannot be read", path.display())
            }
            Self::TooMany(path) => write!(f, "{} has too many signatures", path.display()),
            Self::Malformed { name, .. } => write!(f, "{name} cannot be used"),
            Self::Unusable { name, .. } => write!(f, "{name} is not a usable signature"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Error for SignatureError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read { source, .. } | Self::List { source, .. } => Some(source),
            Self::Malformed { source, .. } => Some(source),
            Self::Unusable { source, .. } => Some(source),
            // Its text is this error's text.
            Self::Store(error) => error.source(),
            Self::TooMany(_) => None,
        }
    }
}

const EXTENSION: &str = ".sig";
const HINT_DIGITS: usize = 8;
const BUNDLES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use stack_registry::manifest::{ConfigFacts, FilePath};
    use stack_registry::model::{StoredModel, describe_file, put_model};
    use stack_registry::name::Name;
    use stack_registry::store::{Entry, Rebind, Record, Store, hash_file};
    use stack_seal::statement::SignedFile;

    use super::*;
    use crate::fixtures::{key, signing_key};

    fn bundle(byte: u8) -> Bundle {
        let file =
            SignedFile { name: "m".to_owned(), sha256: [1; 32], blake3: None, size: None, leaves: None };
        let statement = Statement::new("m".to_owned(), vec![file], Vec::new(), None).unwrap();
        Bundle::sign(statement.to_payload(), &signing_key(byte))
    }

    #[test]
    fn signatures_of_a_file_lie_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("m.gguf"), b"GGUF").unwrap();
        let hint = key(2).hint();
        for (at, byte) in [(path_of(&path("m.gguf"), Some(&hint)), 2), (path_of(&path("m.gguf"), None), 1)] {
            fs::write(at, bundle(byte).to_json()).unwrap();
        }
        for other in ["m.gguf.0123456.sig", "m.gguf.0123456g.sig", "m.ggufx.sig", "m.sig"] {
            fs::write(path(other), b"none of its signatures").unwrap();
        }
        let target = Target::at(path("m.gguf")).unwrap();
        let known = [key(1), key(2)];
        let signed = target.signatures(&known, &mut |error| panic!("{error}")).unwrap();
        assert_eq!(signed.iter().map(|signed| signed.key().clone()).collect::<Vec<_>>(), known);
        assert_eq!(target.signatures(&known[1..], &mut |error| panic!("{error}")).unwrap().len(), 1);
    }

    #[test]
    fn a_wrong_signature_beside_a_right_one_is_passed_over_and_alone_it_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.gguf");
        fs::write(&path, b"GGUF").unwrap();
        fs::write(path_of(&path, None), b"damaged").unwrap();
        let target = Target::at(path.clone()).unwrap();
        let mut passed_over = 0;
        let error = target.bundles(&mut |_| passed_over += 1);
        assert!(matches!(error, Err(SignatureError::Malformed { .. })) && passed_over == 0);
        fs::write(path_of(&path, Some(&key(1).hint())), bundle(1).to_json()).unwrap();
        assert_eq!(target.bundles(&mut |_| passed_over += 1).unwrap().len(), 1);
        assert_eq!(passed_over, 1);
    }

    #[test]
    fn a_signature_that_the_store_has_lost_does_not_silence_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let lease = store.lease().unwrap();
        let weights = store.put(&lease, b"GGUF").unwrap();
        let hashed = hash_file(&store.blob(&weights).unwrap().file, &|_| {}).unwrap();
        let file = describe_file(kind::WEIGHTS, &FilePath::parse("m.gguf").unwrap(), &hashed);
        let manifest = put_model(&store, &lease, &ConfigFacts::default(), vec![file]).unwrap();
        let name = Name::parse("m").unwrap();
        let entry = Entry { name: name.clone(), manifest: manifest.clone(), record: Record::default() };
        store.bind(&lease, &entry, Rebind::Never).unwrap();
        let attach =
            |byte| store.attach(&lease, &manifest, kind::BUNDLE, &bundle(byte).to_json()).unwrap().digest;
        let (lost, kept) = (attach(1), attach(2));
        store.drop_damaged(&lost).unwrap();
        let target = StoredTarget { model: StoredModel::open(&store, &name).unwrap(), store: store.clone() };
        let mut passed_over = Vec::new();
        assert_eq!(target.bundles(&mut |error| passed_over.push(error.to_string())).unwrap().len(), 1);
        assert_eq!(passed_over, [format!("{lost} is not in the store")]);
        store.drop_damaged(&kept).unwrap();
        // Alone, what is lost may be the one that counted.
        assert!(matches!(target.bundles(&mut |_| {}), Err(SignatureError::Store(_))));
    }
}
