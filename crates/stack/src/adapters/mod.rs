//! The adapters of the home: specs in `adapters/`, the recordings that they name in `adapters/recordings/`.
//!
//! What is there takes the place of what is part of the program, as a whole set or not at all. A set that is bad changes
//! nothing and is reported; the last good one is kept in a file, for a server that starts while the folder is bad.

mod folder;
mod keeper;

use stack_gateway::{AdapterEntry, AdapterFault, AdapterSet};
use stack_seal::digest::Sha256Hasher;
use stack_trust::home::Home;

pub(crate) use self::folder::{AdapterFolder, SPEC_BYTES_MAX, read_file};
pub(crate) use self::keeper::AdapterKeeper;

use crate::error::{CommandError, Kind};

/// Reads the set that the folder of a home makes; without one, that of the program.
///
/// # Errors
///
/// What is wrong with it: all faults of all files.
pub(crate) fn read(home: &Home) -> Result<AdapterSet, CommandError> {
    let Some(folder) = AdapterFolder::of(home) else { return Ok(AdapterSet::clone(&AdapterSet::shipped())) };
    AdapterSet::load(&folder.read()?).map_err(|faults| bad(&folder.shown(), &faults))
}

/// Returns the digest of an adapter's file.
pub(crate) fn digest(entry: &AdapterEntry) -> String {
    let mut hasher = Sha256Hasher::new();
    hasher.update(entry.text.as_bytes());
    hasher.finish().to_string()
}

/// Makes the error of a bad set.
pub(crate) fn bad(folder: &str, faults: &[AdapterFault]) -> CommandError {
    let told: Vec<_> = faults.iter().take(FAULTS_SHOWN).map(ToString::to_string).collect();
    let more = faults.len().saturating_sub(FAULTS_SHOWN);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    CommandError::new(
        Kind::Malformed,
        format!("the adapters in {folder} cannot be used: {}{more}", told.join("; ")),
    )
    .reason("bad-adapter")
    .hint("check a file with `stack adapters check FILE`")
}

const FAULTS_SHOWN: usize = 8;
