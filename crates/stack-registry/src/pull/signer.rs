//! Who signed what a source offers, as far as a pull needs to know.

use stack_seal::bundle::Bundle;
use stack_seal::statement::Statement;

use super::{Reason, TransferError};
use crate::manifest::{Descriptor, Manifest};

/// Returns the keys that have signed the files, sorted. Bundles that do not hold, or that are about other files, count
/// for nothing: whether a signer is trusted is decided when the model is loaded.
pub(super) fn signers(bundles: &[Vec<u8>], manifest: &Manifest) -> Option<String> {
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
    let Some(before) = before else { return Ok(()) };
    let known = |key: &str| before.split(' ').any(|known| known == key);
    if now.is_some_and(|now| now.split(' ').any(known)) {
        return Ok(());
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_with_its_signer() {
        let refused = |before, now| refuse_changed("m", before, now).is_err();
        assert!(!refused(None, None) && !refused(None, Some("a")));
        assert!(!refused(Some("a b"), Some("b c")));
        assert!(refused(Some("a"), Some("b")) && refused(Some("a"), None));
        assert!(refused(Some("a"), Some("ab")));
    }
}
