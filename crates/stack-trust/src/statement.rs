//! What is signed about a target.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use stack_registry::manifest::{Role, kind};
use stack_registry::name::{BadName, Name};
use stack_registry::sealing::recipients_of;
use stack_registry::store::{Store, StoreError};
use stack_seal::age::X25519Recipient;
use stack_seal::bundle::Bundle;
use stack_seal::digest::Digest;
use stack_seal::statement::{self, Parent, Relation, SealedFile, SignedFile, Statement};

use crate::target::{HasherOptions, SealedModelFile, StoredTarget, Target, TargetError, TargetFile};

/// A model that another one was made from, as people write it: `quantized=qwen3-4b`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentReference {
    /// How it was made.
    pub relation: Relation,
    /// What it is called in the store.
    pub name: Name,
}

/// Why a text names no parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadParent {
    /// It has no `=`.
    Malformed,
    /// Nobody knows the relation.
    Relation,
    /// The name is none.
    Name(BadName),
}

/// Why a parent cannot be named in a statement.
#[derive(Debug)]
pub enum ParentError {
    /// The store does not have it signed.
    NotSigned(Name),
    /// The store failed.
    Store(StoreError),
}

/// Names that stay out of a statement about this target: of a folder, what OMS leaves out.
pub fn ignored_names(target: &Target) -> Vec<String> {
    match target {
        Target::Folder(_) => IGNORED.map(str::to_owned).to_vec(),
        Target::File(_) | Target::Stored(_) => Vec::new(),
    }
}

/// Hashes the files of a target, as a statement lists them.
///
/// # Errors
///
/// When the files cannot be listed or read.
pub fn sign_files(
    target: &Target,
    ignored: &[String],
    hashing: &HasherOptions<'_>,
) -> Result<Vec<SignedFile>, TargetError> {
    let files = target.files(ignored)?;
    let files = files.iter().map(|file| signed_file(file, hashing)).collect::<Result<Vec<_>, _>>()?;
    Ok(without_leaves_of_giants(files))
}

/// Describes the sealed files of a model as they lie in the store.
///
/// # Errors
///
/// When one cannot be read.
pub fn describe_sealed(
    stored: &StoredTarget,
    hashing: &HasherOptions<'_>,
) -> Result<Vec<SealedFile>, TargetError> {
    let model = &stored.model;
    let headers = model.manifest.layers.iter().filter(|layer| layer.role() == Role::SealedHeader);
    let recipients: BTreeMap<Digest, Vec<X25519Recipient>> =
        headers.filter_map(|layer| Some((layer.digest, recipients_of(layer)?))).collect();
    let mut sealed: Vec<_> = model.files.iter().filter_map(SealedModelFile::of).collect();
    sealed.sort_by(|a, b| a.file.path.cmp(&b.file.path));
    let describe = |SealedModelFile { file, header, payload }: SealedModelFile<'_>| {
        let name = file.path.as_str().to_owned();
        let hashed =
            hashing.both(&TargetFile { name: name.clone(), path: payload.path.clone(), sealed: true })?;
        let keys = recipients.get(&header.digest).into_iter().flatten();
        Ok(SealedFile {
            name,
            sha256: hashed.sha256.bytes,
            blake3: hashed.file.root,
            size: hashed.file.length,
            recipients: keys.map(ToString::to_string).collect(),
        })
    };
    sealed.into_iter().map(describe).collect()
}

impl ParentReference {
    /// Reads `RELATION=NAME`.
    ///
    /// # Errors
    ///
    /// When it is not that.
    pub fn parse(text: &str) -> Result<Self, BadParent> {
        let (relation, name) = text.split_once('=').ok_or(BadParent::Malformed)?;
        let relation = Relation::from_name(relation).ok_or(BadParent::Relation)?;
        Ok(Self { relation, name: Name::parse(name).map_err(BadParent::Name)? })
    }

    /// Finds the parent in the store, with the root that was signed for it.
    ///
    /// # Errors
    ///
    /// When there is no such model, or nobody signed it.
    pub fn find(&self, store: Option<&Store>) -> Result<Parent, ParentError> {
        let Self { relation, name } = self;
        let not_signed = || ParentError::NotSigned(name.clone());
        let store = store.ok_or_else(not_signed)?;
        let entry = store.resolve(name).map_err(ParentError::Store)?;
        let referrers = store.referrers(&entry.manifest.digest, kind::BUNDLE).map_err(ParentError::Store)?;
        let layer =
            referrers.first().and_then(|found| found.manifest.layers.first()).ok_or_else(not_signed)?;
        let bytes = store.read(&layer.digest, statement::BYTES_MAX).map_err(ParentError::Store)?;
        // An edge says which statement is meant; whether that is to be trusted is asked where the parent is verified.
        let bundle = Bundle::parse(&bytes).map_err(|_| not_signed())?;
        let statement = Statement::parse(bundle.payload()).map_err(|_| not_signed())?;
        Ok(Parent { relation: *relation, name: name.to_string(), root: statement.root() })
    }
}

fn signed_file(file: &TargetFile, hashing: &HasherOptions<'_>) -> Result<SignedFile, TargetError> {
    let hashed = hashing.both(file)?;
    Ok(SignedFile {
        name: file.name.clone(),
        sha256: hashed.sha256.bytes,
        blake3: Some(hashed.file.root),
        size: Some(hashed.file.length),
        leaves: hashed.file.leaves,
    })
}

/// Leaves are a help, which must not make a statement too long to be read.
fn without_leaves_of_giants(mut files: Vec<SignedFile>) -> Vec<SignedFile> {
    let spans: usize =
        files.iter().filter_map(|file| file.leaves.as_ref()).map(|leaves| leaves.tree().spans()).sum();
    if spans > SPANS_MAX {
        files.iter_mut().for_each(|file| file.leaves = None);
    }
    files
}

impl fmt::Display for ParentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSigned(name) => write!(f, "the parent {name} is not signed"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Error for ParentError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotSigned(_) => None,
            // Its text is this error's text.
            Self::Store(error) => error.source(),
        }
    }
}

/// What OMS leaves out of a folder.
const IGNORED: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];
/// 4 MiB of leaves, for 32 GiB of files.
const SPANS_MAX: usize = (4 << 20) / 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_named_with_their_relation() {
        let parent = ParentReference::parse("quantized=qwen3-4b").unwrap();
        assert_eq!(parent.relation, Relation::Quantized);
        assert_eq!(parent.name, Name::parse("qwen3-4b").unwrap());
        assert_eq!(ParentReference::parse("qwen3-4b"), Err(BadParent::Malformed));
        assert_eq!(ParentReference::parse("stolen=qwen3-4b"), Err(BadParent::Relation));
        assert!(matches!(ParentReference::parse("quantized=a b"), Err(BadParent::Name(_))));
        assert!(matches!(parent.find(None), Err(ParentError::NotSigned(_))));
    }
}
