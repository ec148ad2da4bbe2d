//! Where things lie in the store.

use stack_seal::digest::Digest;

/// A folder of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Folder {
    /// The store itself.
    Root,
    /// `blobs/sha256`.
    Blobs,
    /// `external`.
    External,
    /// `tmp`.
    Tmp,
    /// `leases`.
    Leases,
}

/// A file of the store.
///
/// This is the only way to name one: made of constants, of parsed digests and of numbers, so that no text from outside
/// ever becomes part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreFile {
    /// `oci-layout`.
    Layout,
    /// `index.json`.
    Index,
    /// The index that is being written.
    IndexNew,
    /// An index that could not be read.
    IndexDamaged,
    /// The lock of the index's writers.
    Lock,
    /// The lock between `gc` and whoever takes a lease.
    GcLock,
    /// A whole blob.
    Blob(Digest),
    /// Where an adopted file lies.
    External(Digest),
    /// The same, being written.
    ExternalNew(Digest),
    /// A blob that is being written.
    PartialBlob(Digest),
    /// How far it is.
    PartState(Digest),
    /// The same, being written.
    PartStateNew(Digest),
    /// What a process uses.
    Lease {
        /// The process.
        pid: u32,
        /// Which of its leases.
        number: u64,
    },
}

impl Folder {
    /// The folders, parents first.
    pub(super) const ALL: [Self; 5] = [Self::Root, Self::Blobs, Self::External, Self::Tmp, Self::Leases];

    /// The path beneath the store's root, part by part.
    pub(super) fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Root => &[],
            Self::Blobs => &["blobs", "sha256"],
            Self::External => &["external"],
            Self::Tmp => &["tmp"],
            Self::Leases => &["leases"],
        }
    }
}

impl StoreFile {
    /// The folder that it lies in.
    pub fn folder(&self) -> Folder {
        match self {
            Self::Layout | Self::Index | Self::IndexNew | Self::IndexDamaged | Self::Lock | Self::GcLock => {
                Folder::Root
            }
            Self::Blob(_) => Folder::Blobs,
            Self::External(_) => Folder::External,
            Self::ExternalNew(_) | Self::PartialBlob(_) | Self::PartState(_) | Self::PartStateNew(_) => {
                Folder::Tmp
            }
            Self::Lease { .. } => Folder::Leases,
        }
    }

    /// The name in that folder; never one that holds a slash.
    pub fn file_name(&self) -> String {
        match self {
            Self::Layout => "oci-layout".to_owned(),
            Self::Index => "index.json".to_owned(),
            Self::IndexNew => "index.json.new".to_owned(),
            Self::IndexDamaged => "index.json.damaged".to_owned(),
            Self::Lock => "lock".to_owned(),
            Self::GcLock => "gc.lock".to_owned(),
            Self::Blob(digest) | Self::External(digest) => digest.hex(),
            Self::ExternalNew(digest) => format!("{}.external", digest.hex()),
            Self::PartialBlob(digest) => format!("{}.part", digest.hex()),
            Self::PartState(digest) => format!("{}.json", digest.hex()),
            Self::PartStateNew(digest) => format!("{}.json.new", digest.hex()),
            Self::Lease { pid, number } => format!("{pid}-{number:x}"),
        }
    }

    /// Reads back what [`StoreFile::file_name`] wrote; names of other files of the folder give nothing.
    pub(crate) fn parse(folder: Folder, name: &str) -> Option<Self> {
        let digest = |hex: &str| format!("sha256:{hex}").parse::<Digest>().ok();
        let place = match folder {
            Folder::Root => return None,
            Folder::Blobs => Self::Blob(digest(name)?),
            Folder::External => Self::External(digest(name)?),
            Folder::Tmp => match name.split_once('.')? {
                (hex, "part") => Self::PartialBlob(digest(hex)?),
                (hex, "json") => Self::PartState(digest(hex)?),
                (hex, "json.new") => Self::PartStateNew(digest(hex)?),
                (hex, "external") => Self::ExternalNew(digest(hex)?),
                _ => return None,
            },
            Folder::Leases => {
                let (pid, number) = name.split_once('-')?;
                Self::Lease { pid: pid.parse().ok()?, number: u64::from_str_radix(number, 16).ok()? }
            }
        };
        (place.file_name() == name).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Descriptor;

    #[test]
    fn names_of_files_return() {
        let digest = Descriptor::of("", b"").digest;
        for place in [
            StoreFile::Blob(digest),
            StoreFile::External(digest),
            StoreFile::ExternalNew(digest),
            StoreFile::PartialBlob(digest),
            StoreFile::PartState(digest),
            StoreFile::PartStateNew(digest),
            StoreFile::Lease { pid: 7, number: 255 },
        ] {
            assert_eq!(StoreFile::parse(place.folder(), &place.file_name()), Some(place));
        }
        for name in ["", "..", "+7-1", "7-01", "7", "x.part", "-"] {
            assert_eq!(StoreFile::parse(Folder::Leases, name), None, "{name}");
            assert_eq!(StoreFile::parse(Folder::Tmp, name), None, "{name}");
        }
    }
}
