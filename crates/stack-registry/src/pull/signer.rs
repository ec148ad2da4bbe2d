//! Who signed what a source offers, as far as a pull needs to know.

use super::{TransferError, TransferErrorKind};
use crate::attached::signing_key;
use crate::manifest::Manifest;
use crate::store::keeps_signer;

/// Returns the keys that have signed the files, sorted. Bundles that do not hold, or that are about other files, count
/// for nothing: whether a signer is trusted is decided when the model is loaded.
pub(crate) fn signers(bundles: &[Vec<u8>], manifest: &Manifest) -> Option<String> {
    let keys = bundles.iter().filter_map(|bundle| signing_key(bundle, manifest));
    let mut keys: Vec<String> = keys.map(|key| key.to_string()).collect();
    keys.sort();
    keys.dedup();
    (!keys.is_empty()).then(|| keys.join(" "))
}

/// Refuses a model whose name was signed by others before.
pub(super) fn refuse_changed(
    name: &str,
    before: Option<&str>,
    now: Option<&str>,
) -> Result<(), TransferError> {
    if keeps_signer(before, now) {
        return Ok(());
    }
    let before = before.unwrap_or_default();
    let message = match now {
        Some(now) => format!("{name} was signed by {before}, and upstream now has it signed by {now}"),
        None => format!("{name} was signed by {before}, and upstream now has it unsigned"),
    };
    Err(TransferError::new(TransferErrorKind::SignerChanged, message))
}
