//! What is attached to a model, before anybody judged it.

use stack_seal::bundle::Bundle;
use stack_seal::digest::Digest;
use stack_seal::statement::{self, Claim, Statement};

use crate::manifest::{Index, kind};
use crate::store::{Store, StoreError};

/// Reads the signature bundles that an index attaches to a manifest, as they are.
///
/// # Errors
///
/// When one is not there or not what its digest says.
pub fn bundles(store: &Store, index: &Index, manifest: &Digest) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut bundles = Vec::new();
    for referrer in store.referrers_in(index, manifest, kind::BUNDLE)? {
        for layer in &referrer.manifest.layers {
            bundles.push(store.read(&layer.digest, statement::BYTES_MAX)?);
        }
    }
    Ok(bundles)
}

/// Reads what the attached bundles claim. No signature is checked: this is for showing, and for refusing. What cannot be
/// read claims nothing.
///
/// # Errors
///
/// When a bundle is not there or not what its digest says.
pub fn unchecked_claims(store: &Store, index: &Index, manifest: &Digest) -> Result<Vec<Claim>, StoreError> {
    let claim = |bytes: &Vec<u8>| {
        let bundle = Bundle::parse(bytes).ok()?;
        Statement::parse(bundle.payload()).ok()?.claim().cloned()
    };
    Ok(bundles(store, index, manifest)?.iter().filter_map(claim).collect())
}
