//! Files that a pass will read.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use stack_seal::age::UnlockedFile;
use stack_seal::digest::LeafList;
use stack_seal::statement::SignedFile;
use stack_seal::verified::{Expected, Pass};

use super::{ModelFiles, PassOpener};
use crate::keyring::Opener;
use crate::sealed::SealedError;
use crate::target::{Target, plain_form};

/// Returns the files at a path, to look at them and for nothing else: of sealed ones, whatever they hold is taken.
///
/// # Errors
///
/// When sealed files do not open.
pub fn files_to_look_at(path: &Path, opener: &Opener<'_>, workers: usize) -> Result<ModelFiles, SealedError> {
    let target = if path.is_dir() { Target::Folder(path.to_owned()) } else { Target::File(path.to_owned()) };
    let sealed = target.sealed_parts();
    if sealed.is_empty() {
        return Ok(ModelFiles::At(path.to_owned()));
    }
    let mut files = BTreeMap::new();
    for part in sealed {
        let (unlocked, _) = opener.unlock_file(&part.path)?;
        let hashed = unlocked.hash(workers, &|_| Ok(()));
        let hashed = hashed.map_err(SealedError::opening(part.path.display()))?;
        let expected = Expected::pinned(hashed.root, hashed.length);
        files.insert(part.name, opener_of_unlocked(unlocked, expected, None));
    }
    Ok(ModelFiles::Opened { path: plain_form(path), files })
}

/// Reads a sealed file that is open already.
pub(super) fn opener_of_unlocked(
    unlocked: UnlockedFile,
    expected: Expected,
    leaves: Option<LeafList>,
) -> PassOpener {
    let unlocked = Mutex::new(Some(unlocked));
    Box::new(move || {
        let unlocked = unlocked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let unlocked = unlocked.expect("each file of a model is opened once");
        Pass::open_sealed(unlocked, expected.clone(), leaves.clone())
    })
}

/// The name by which the engine knows a file. One that is a model by itself is told by its content, whatever it is called.
pub(super) fn engine_name(target: &Target, name: &str) -> String {
    let extension = Path::new(name).extension();
    match target {
        Target::File(_) if !extension.is_some_and(|extension| extension.eq_ignore_ascii_case("gguf")) => {
            format!("{name}.gguf")
        }
        _ => name.to_owned(),
    }
}

pub(super) fn leaves_of(signed: Option<&SignedFile>) -> Option<LeafList> {
    signed.and_then(|signed| signed.leaves.clone())
}
