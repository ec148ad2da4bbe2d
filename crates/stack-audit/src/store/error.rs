//! Why a log cannot be opened, read or written.

use std::error::Error;
use std::path::PathBuf;
use std::{fmt, io};

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use stack_seal::key::PublicKey;

/// A failed operation on the folder of a log.
#[derive(Debug)]
pub enum StoreError {
    /// The database refused.
    Database {
        /// What was attempted.
        attempt: &'static str,
        /// Why it failed.
        source: rusqlite::Error,
    },
    /// A file could not be read or written.
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process writes to the log.
    Locked {
        /// What it holds.
        path: PathBuf,
    },
    /// Readers kept the log busy for too long.
    Busy,
    /// A folder on a network file system, where locks and shared memory do not do what SQLite needs.
    NetworkFileSystem {
        /// The folder.
        path: PathBuf,
    },
    /// No log is there.
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A database that is no log, or one of a newer version.
    NotALog {
        /// The database.
        path: PathBuf,
        /// What it has that a log does not have.
        found: String,
    },
    /// A SQLite whose WAL may be corrupted.
    OldSqlite,
    /// The key is not the one that signs for this log.
    WrongKey {
        /// The key of the log.
        expected: PublicKey,
        /// The key at hand.
        found: PublicKey,
    },
    /// A key file that is none.
    KeyFile {
        /// Which one.
        path: PathBuf,
    },
    /// What the log says of itself does not hold.
    Damaged {
        /// Where.
        what: String,
    },
}

impl StoreError {
    /// Returns whether what is there is no log, or no longer one.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Database { source, .. } => source.sqlite_error().is_some_and(|error| {
                matches!(error.code, ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
            }),
            Self::NotALog { .. } | Self::KeyFile { .. } | Self::Damaged { .. } => true,
            _ => false,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database { attempt, .. } => write!(f, "{attempt} in the audit log failed"),
            Self::Io { path, .. } => write!(f, "{} cannot be used", path.display()),
            Self::Locked { path } => write!(
                f,
                "another process writes to the audit log ({} is locked); ask it, or end it first",
                path.display()
            ),
            Self::Busy => f.write_str("the audit log is being read; try again when that has ended"),
            Self::NetworkFileSystem { path } => {
                write!(f, "{} is on a network file system; put the audit log on a local disk", path.display())
            }
            Self::Missing { path } => write!(f, "there is no audit log at {}", path.display()),
            Self::NotALog { path, found } => {
                write!(f, "{} is not an audit log that this version reads: {found}", path.display())
            }
            Self::OldSqlite => f.write_str("SQLite is older than 3.51.3, whose WAL may be corrupted"),
            Self::WrongKey { expected, found } => {
                write!(f, "the audit log is signed by {expected}, not by {found}; give its own key")
            }
            Self::KeyFile { path } => write!(f, "{} is not a key of an audit log", path.display()),
            Self::Damaged { what } => write!(
                f,
                "the audit log is damaged ({what}); `stack audit verify` says more, and nothing is written to it"
            ),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Database { source, .. } => Some(source),
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Says what was attempted when the database refused.
pub(crate) fn doing(attempt: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |source| StoreError::Database { attempt, source }
}

/// Returns whether nothing but room on the disk was lacking.
pub(crate) fn is_full(error: &StoreError) -> bool {
    match error {
        StoreError::Database { source, .. } => source.sqlite_error().is_some_and(|error| {
            error.code == ErrorCode::DiskFull || error.extended_code == SQLITE_IOERR_SHMSIZE
        }),
        StoreError::Io { source, .. } => {
            matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        }
        _ => false,
    }
}
