//! Who signed what a source offers, as far as a pull needs to know.

use stack_seal::bundle::Bundle;
use stack_seal::statement::Statement;

use super::{Reason, TransferError};
use crate::manifest::{Descriptor, Manifest};
use crate::store::keeps_signer;

/// Returns the keys that have signed the files, sorted. Bundles that do not hold, or that are about other files, count
/// for nothing: whether a signer is trusted is decided when the model is loaded.
pub(crate) fn signers(bundles: &[Vec<u8>], manifest: &Manifest) -> Option<String> {
    let mut keys: Vec<String> = bundles.iter().filter_map(|bundle| signer(bundle, manifest)).collect();
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
    Err(TransferError::new(Reason::SignerChanged, message))
}

fn signer(bundle: &[u8], manifest: &Manifest) -> Option<String> {
    let signed = Bundle::parse(bundle).ok()?.open::<Statement>(&[]).ok()?;
    let listed = |layer: &Descriptor| {
        let path = layer.file_path()?;
        // A statement about a single file knows it by its last name.
        let file =
            signed.payload().file(path.as_str()).or_else(|| signed.payload().file(path.file_name()))?;
        Some(file.digest() == layer.digest)
    };
    let about = manifest.layers.iter().any(|layer| listed(layer) == Some(true));
    let against = manifest.layers.iter().any(|layer| listed(layer) == Some(false));
    (about && !against).then(|| signed.key().to_string())
}
