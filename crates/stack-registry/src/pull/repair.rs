//! Finding the bytes that are wrong, so that only they are fetched again.

use stack_seal::bundle::Bundle;
use stack_seal::digest::LeafList;
use stack_seal::statement::Statement;

use super::UpstreamFile;
use crate::store::{PartialBlob, Ranges, StoreError};

/// Finds the list of span values that a statement beside the model gives for a file.
///
/// Whoever signed it need not be trusted: the list only says where to look. What comes of it must have the promised
/// digest all the same.
pub(super) fn leaves(bundles: &[Vec<u8>], file: &UpstreamFile<'_>) -> Option<LeafList> {
    bundles.iter().find_map(|bundle| {
        let statement = Statement::parse(Bundle::parse(bundle).ok()?.payload()).ok()?;
        let signed = statement.files().iter().find(|signed| Some(&signed.digest()) == file.sha256())?;
        signed.leaves.clone().filter(|leaves| leaves.tree().length() == file.size)
    })
}

/// Returns what of a part is right, or nothing if the list does not say where it is wrong.
pub(super) fn sound(part: &PartialBlob, leaves: &LeafList) -> Result<Option<Ranges>, StoreError> {
    let tree = leaves.tree();
    let (mut sound, mut buffer) = (Ranges::default(), Vec::new());
    for index in 0..tree.spans() {
        let range = tree.range(index);
        buffer.resize(tree.span_len(index), 0);
        part.read_at(&mut buffer, range.start)?;
        if Some(&tree.span_value(index, &buffer)) == leaves.value(index) {
            sound.insert(range);
        }
    }
    let broken = tree.length() - sound.bytes();
    Ok((broken > 0 && sound.bytes() > 0).then_some(sound))
}
