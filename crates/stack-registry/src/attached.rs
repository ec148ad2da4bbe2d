//! What is attached to a model, before anybody judged it.

use stack_seal::bundle::Bundle;
use stack_seal::digest::Digest;
use stack_seal::key::PublicKey;
use stack_seal::statement::{self, Claim, Statement};

use crate::manifest::{Descriptor, Index, Manifest, Role, kind};
use crate::store::{Store, StoreError};

/// Reads the signature bundles that an index attaches to a manifest, as they are.
///
/// # Errors
///
/// When one is not there or not what its digest says.
pub fn bundles(store: &Store, index: &Index, manifest: &Digest) -> Result<Vec<Vec<u8>>, StoreError> {
    bundles_among(store, index.referrers(manifest), manifest).into_iter().collect()
}

/// Reads those signature bundles that are whole, among the entries of an index that say that they refer to a manifest.
///
/// # Errors
///
/// When the disk refuses.
pub fn whole_bundles<'a>(
    store: &Store,
    entries: impl Iterator<Item = &'a Descriptor>,
    manifest: &Digest,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let each = bundles_among(store, entries, manifest).into_iter();
    each.filter(|bundle| !bundle.as_ref().is_err_and(StoreError::is_damage)).collect()
}

fn bundles_among<'a>(
    store: &Store,
    entries: impl Iterator<Item = &'a Descriptor>,
    manifest: &Digest,
) -> Vec<Result<Vec<u8>, StoreError>> {
    let mut bundles = Vec::new();
    for referrer in store.referrers_among(entries, manifest, kind::BUNDLE) {
        match referrer {
            Ok(referrer) => {
                let layers = referrer.manifest.layers.iter();
                bundles.extend(layers.map(|layer| store.read(&layer.digest, statement::BYTES_MAX)));
            }
            Err(error) => bundles.push(Err(error)),
        }
    }
    bundles
}

/// Reads what the attached bundles claim. What cannot be read claims nothing.
///
/// # Errors
///
/// When a bundle is not there or not what its digest says.
pub fn unchecked_claims(store: &Store, index: &Index, manifest: &Digest) -> Result<Vec<Claim>, StoreError> {
    Ok(bundles(store, index, manifest)?.iter().filter_map(|bundle| unchecked_claim(bundle)).collect())
}

/// Reads what a bundle claims. No signature is checked: this is for showing, and for refusing.
pub fn unchecked_claim(bundle: &[u8]) -> Option<Claim> {
    let bundle = Bundle::parse(bundle).ok()?;
    Statement::parse(bundle.payload()).ok()?.claim().cloned()
}

/// Returns the key that signed a model, if the bundle holds and is about these files. Whether that key is trusted is
/// decided when the model is loaded.
pub fn signing_key(bundle: &[u8], manifest: &Manifest) -> Option<PublicKey> {
    let signed = Bundle::parse(bundle).ok()?.open::<Statement>(&[]).ok()?;
    let listed: Vec<bool> =
        manifest.layers.iter().filter_map(|layer| lists(signed.payload(), layer)).collect();
    (!listed.is_empty() && listed.iter().all(|&is_same| is_same)).then(|| signed.key().clone())
}

/// Whether a statement lists the very bytes of a layer; `None` where it says nothing about that file.
fn lists(statement: &Statement, layer: &Descriptor) -> Option<bool> {
    let path = layer.file_path()?;
    match layer.role() {
        // Who may open a file changes, and with it the header; the payload stays.
        Role::SealedHeader => None,
        Role::SealedPayload => {
            let sealed = &statement.claim()?.sealed;
            let sealed =
                sealed.iter().find(|file| file.name == path.as_str() || file.name == path.file_name())?;
            Some(sealed.sha256 == layer.digest.bytes)
        }
        _ => {
            // A statement about a single file knows it by its last name.
            let file = statement.file(path.as_str()).or_else(|| statement.file(path.file_name()))?;
            Some(file.digest() == layer.digest)
        }
    }
}
