//! What a transfer tells while it works.

/// One thing to tell. Files go by their path in the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// So much is to be fetched in all, before anything of it is.
    Planned {
        /// Bytes that the store lacks.
        needed: u64,
        /// Bytes that its disk has free, if it says so.
        free: Option<u64>,
    },
    /// Bytes of a file begin to move; `have` of them are where they should be already.
    Started {
        /// The file.
        file: &'a str,
        /// Bytes in all.
        total: u64,
        /// Bytes that need not move.
        have: u64,
        /// The other end.
        host: &'a str,
    },
    /// So many bytes of the file are where they should be.
    Moved {
        /// The file.
        file: &'a str,
        /// Bytes in all.
        total: u64,
        /// Bytes so far.
        have: u64,
    },
    /// Another process fetches the same file; this one waits for it.
    Waiting {
        /// The file.
        file: &'a str,
        /// Bytes in all.
        total: u64,
        /// Bytes that the other one has.
        have: u64,
    },
    /// The file is being read back and hashed.
    Checking {
        /// The file.
        file: &'a str,
        /// Bytes in all.
        total: u64,
        /// Bytes so far.
        have: u64,
    },
    /// The file is there, and right.
    Finished {
        /// The file.
        file: &'a str,
        /// Bytes in all.
        total: u64,
    },
    /// Something that people should know.
    Note(&'a str),
}

/// Whoever is told. It may be called from several threads.
pub type Watch<'a> = &'a (dyn Fn(Progress<'_>) + Sync);
