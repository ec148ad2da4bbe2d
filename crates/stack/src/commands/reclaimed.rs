//! What is freed when a name gets other layers, and what is not.

use std::path::PathBuf;

use serde::Serialize;
use stack_registry::gc;
use stack_registry::manifest::{Descriptor, Manifest};
use stack_registry::store::{Store, StoreError};

use crate::terminal::units;

/// What became of the files that a name needed before.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Reclaimed {
    /// Bytes that the store has no longer.
    #[serde(rename = "freed_bytes")]
    bytes: u64,
    /// What stays in the store, because something else needs it.
    kept: Vec<Kept>,
    /// Files of other programs, which the store only pointed to.
    elsewhere: Vec<PathBuf>,
}

/// A file that stays.
#[derive(Debug, Serialize)]
struct Kept {
    digest: String,
    reason: String,
}

impl Reclaimed {
    /// Frees what the manifest of `old` needed and `new` does not, as far as nothing else needs it.
    pub(crate) fn of(store: &Store, old: &Descriptor, new: &Manifest) -> Result<Self, StoreError> {
        let before = store.manifest(&old.digest)?;
        let dropped =
            before.layers.iter().filter(|layer| !new.layers.iter().any(|now| now.digest == layer.digest));
        let mut freed = Self::default();
        let mut own = Vec::new();
        for layer in dropped {
            let blob = store.blob(&layer.digest)?;
            if blob.own {
                own.push(layer.digest);
            } else {
                freed.elsewhere.push(blob.path);
            }
        }
        for item in gc::release(store, old)?.into_iter().filter(|item| own.contains(&item.digest)) {
            if item.reason.frees() {
                freed.bytes += item.bytes;
            } else {
                freed.kept.push(Kept { digest: item.digest.to_string(), reason: item.reason.to_string() });
            }
        }
        Ok(freed)
    }

    /// Says it to people. `what` is what the old layers were, such as `plain weights`.
    pub(crate) fn lines(&self, what: &str) -> Vec<String> {
        let mut lines = Vec::new();
        if self.bytes > 0 {
            let bytes = units::bytes(self.bytes);
            lines.push(format!(
                "deleted {bytes} of {what}; deleted, not shredded: the disk may still hold the bytes"
            ));
        }
        for kept in &self.kept {
            lines.push(format!("kept {} with {what}: {}", kept.digest, kept.reason));
        }
        for path in &self.elsewhere {
            lines.push(format!("left {} ({what}) in place: it belongs to another program", path.display()));
        }
        lines
    }
}
