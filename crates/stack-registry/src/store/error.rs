//! What may go wrong with a store.

use std::error::Error;
use std::path::PathBuf;
use std::{fmt, io};

use stack_seal::digest::Digest;

use crate::manifest::{BadDocument, Index};
use crate::name::{Name, near_names};

/// A failed operation on a store.
#[derive(Debug)]
pub enum StoreError {
    /// The disk failed, is full, or may not be read or written.
    Io {
        /// What was attempted.
        attempt: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The disk has no room for a file.
    NoRoom {
        /// How many bytes more it takes.
        needed: u64,
        /// How many are free.
        free: u64,
    },
    /// A name or a digest that the store does not have.
    NotInStore {
        /// The name or digest.
        what: String,
        /// Names that it has, of which one may be meant.
        near: Vec<String>,
    },
    /// An adopted file that is no longer where it was.
    Vanished {
        /// Where it was.
        path: PathBuf,
    },
    /// An adopted file that was changed since.
    Changed {
        /// Where it lies.
        path: PathBuf,
        /// How many bytes it had.
        expected: u64,
        /// How many it has.
        found: u64,
    },
    /// A document of the store that is malformed.
    Malformed {
        /// Which one.
        what: String,
        /// What is wrong with it.
        source: BadDocument,
    },
    /// Bytes that are not the ones that were promised.
    Differs {
        /// Which bytes.
        what: String,
        /// The digest that was promised.
        expected: Digest,
        /// The digest that they have.
        found: Digest,
    },
    /// More or fewer bytes than were promised.
    Length {
        /// Which bytes.
        what: String,
        /// How many were promised.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// Somebody else holds a lock for longer than anybody should.
    Locked {
        /// What is locked.
        what: &'static str,
        /// The process, if it said so.
        pid: Option<u32>,
    },
    /// What was to be removed is in use.
    InUse {
        /// The model.
        name: Name,
        /// By which process.
        pid: u32,
    },
    /// The index is gone, though there are blobs.
    NoIndex {
        /// How many.
        blobs: usize,
    },
    /// The name means a model that others signed.
    SignerChanged {
        /// The name.
        name: Name,
        /// The keys that signed what it means.
        before: String,
        /// The keys that signed what it would mean.
        now: Option<String>,
    },
    /// The name means another model already.
    NameTaken {
        /// The name.
        name: Name,
        /// What it means.
        digest: Digest,
    },
}

impl StoreError {
    /// Says what was attempted when the disk failed.
    pub(crate) fn io(attempt: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let attempt = attempt.into();
        move |source| Self::Io { attempt, source }
    }

    /// Says what the store lacks.
    pub fn missing(what: impl fmt::Display) -> Self {
        Self::NotInStore { what: what.to_string(), near: Vec::new() }
    }

    /// Says that the store does not have a name, and which of those that it has may be meant.
    pub(crate) fn unknown(name: &Name, index: &Index) -> Self {
        let names: Vec<Name> = index.named().map(|(name, _)| name).collect();
        let what = name.short();
        Self::NotInStore { near: near_names(&what, &names), what }
    }

    /// Whether something is not there or not what was promised, while the disk serves.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::NotInStore { .. }
            | Self::Vanished { .. }
            | Self::Changed { .. }
            | Self::Malformed { .. }
            | Self::Differs { .. }
            | Self::Length { .. } => true,
            Self::Io { .. }
            | Self::NoRoom { .. }
            | Self::Locked { .. }
            | Self::InUse { .. }
            | Self::NoIndex { .. }
            | Self::SignerChanged { .. }
            | Self::NameTaken { .. } => false,
        }
    }

    /// The reason code, which is part of the command line's contract.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoRoom { .. } => "disk-full",
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => "disk-full",
            Self::Io { .. } => "io",
            Self::NotInStore { .. } => "not-in-store",
            Self::Vanished { .. } => "no-such-file",
            Self::Malformed { .. } => "bad-document",
            Self::Differs { .. } => "digest-mismatch",
            Self::Length { .. } | Self::Changed { .. } => "length-mismatch",
            Self::Locked { .. } => "locked-by",
            Self::InUse { .. } => "in-use",
            Self::NoIndex { .. } => "no-index",
            Self::SignerChanged { .. } => "signer-changed",
            Self::NameTaken { .. } => "name-taken",
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { attempt, .. } => write!(f, "{attempt} failed"),
            Self::NoRoom { needed, free } => {
                write!(f, "the disk of the store has {free} bytes free, and {needed} are needed")
            }
            Self::NotInStore { what, .. } => write!(f, "{what} is not in the store"),
            Self::Vanished { path } => write!(f, "the adopted file {} is gone", path.display()),
            Self::Changed { path, expected, found } => write!(
                f,
                "the adopted file {} was changed: it has {found} bytes, not {expected} as when it was adopted",
                path.display()
            ),
            Self::Malformed { what, .. } => write!(f, "{what} is malformed"),
            Self::Differs { what, expected, found } => {
                write!(f, "{what} does not match its digest: it has {found}, not {expected}")
            }
            Self::Length { what, expected, found } => {
                write!(f, "{what} has {found} bytes, not the {expected} that were promised")
            }
            Self::Locked { what, pid: Some(pid) } => write!(f, "{what} is locked by process {pid}"),
            Self::Locked { what, pid: None } => write!(f, "{what} is locked by another process"),
            Self::InUse { name, pid } => write!(f, "{name} is in use by process {pid}"),
            Self::NoIndex { blobs } => write!(f, "the store has {blobs} blobs, but its index.json is gone"),
            Self::SignerChanged { name, before, now: Some(now) } => {
                write!(f, "{name} was signed by {before}, and the new model is signed by {now}")
            }
            Self::SignerChanged { name, before, now: None } => {
                write!(f, "{name} was signed by {before}, and the new model is not signed")
            }
            Self::NameTaken { name, digest } => write!(f, "{name} already means {digest}"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Malformed { source, .. } => Some(source),
            _ => None,
        }
    }
}
