//! What was read, and proven to be what was expected.
//!
//! A [`Pass`] stands between a file and whoever uses its bytes. Every span of 256 KiB that it hands out was read into
//! private memory and hashed right there: what was checked and what is used are the same bytes, and later changes of
//! the file meet nobody. [`Pass::finish`] reads what nobody asked for, compares the root, and only then turns the
//! result into a [`Verified`].
//!
//! The user pulls: the engine's loader asks for tensors in its own order, and from several threads. Bytes handed out
//! before `finish` are the file's claim about itself, unless a leaf list vouches for each span; parse them as hostile,
//! and let nothing answer before `finish` has returned.
//!
//! ```
//! use stack_seal::verified::Pass;
//!
//! let pass = Pass::compiled_in(b"weights");
//! let mut start = [0; 3];
//! pass.read_exact_at(&mut start, 0)?;
//! let weights = pass.finish(start, 1)?;
//! assert_eq!(weights.value(), b"wei");
//! # Ok::<(), stack_seal::verified::Breach>(())
//! ```

mod borders;
mod breach;
mod expected;
mod pass;
mod source;

pub use breach::Breach;
pub use expected::{Attested, Basis, Expected};
pub use pass::Pass;

use crate::digest::Root;

/// A value made of bytes whose root was checked. Only [`Pass::finish`] makes one.
#[derive(Debug)]
pub struct Verified<T> {
    value: T,
    files: Vec<VerifiedFile>,
}

/// A file that a [`Verified`] value was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedFile {
    /// The BLAKE3 root of its plain bytes.
    pub root: Root,
    /// The number of its plain bytes.
    pub length: u64,
    /// Why this root was the expected one.
    pub basis: Basis,
}

impl<T> Verified<T> {
    /// Joins a value and the file that it came from; the pass calls it at its end.
    fn new(value: T, file: VerifiedFile) -> Self {
        Self { value, files: vec![file] }
    }

    /// Returns the value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Returns the value, to work with: what it remembers may change, what it was made of stays.
    pub fn value_mut(&mut self) -> &mut T {
        &mut self.value
    }

    /// Returns the value alone; that it was verified is forgotten.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Returns the files that the value was made of, in the order in which they were joined; at least one.
    pub fn files(&self) -> &[VerifiedFile] {
        &self.files
    }

    /// Returns the root of the first file, which is the only one unless shards were joined.
    pub fn root(&self) -> Root {
        self.files[0].root
    }

    /// Returns the weakest reason among the files.
    pub fn basis(&self) -> &Basis {
        self.files.iter().map(|file| &file.basis).fold(&self.files[0].basis, |weakest, basis| {
            if basis.strength() < weakest.strength() { basis } else { weakest }
        })
    }

    /// Turns the value into another one that is made of it alone.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Verified<U> {
        Verified { value: change(self.value), files: self.files }
    }

    /// Turns the value into another one that is made of it alone, unless that fails.
    ///
    /// # Errors
    ///
    /// What `change` returns; the value is gone then.
    pub fn try_map<U, E>(self, change: impl FnOnce(T) -> Result<U, E>) -> Result<Verified<U>, E> {
        Ok(Verified { value: change(self.value)?, files: self.files })
    }

    /// Joins two values, such as two shards of a model.
    pub fn zip<U>(self, other: Verified<U>) -> Verified<(T, U)> {
        let files = self.files.into_iter().chain(other.files).collect();
        Verified { value: (self.value, other.value), files }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified<T>(value: T, basis: Basis) -> Verified<T> {
        Verified::new(value, VerifiedFile { root: Root([0; 32]), length: 0, basis })
    }

    #[test]
    fn joined_shards_stand_on_the_weakest_basis() {
        let signed = Basis::Signed(Attested { signers: vec!["alice".to_owned()] });
        let joined = verified(1, signed.clone()).zip(verified("a", Basis::FirstSeen)).map(|(n, s)| (s, n));
        assert_eq!(joined.basis(), &Basis::FirstSeen);
        assert_eq!(joined.files().len(), 2);
        assert_eq!(joined.into_inner(), ("a", 1));
        let joined = verified((), Basis::Pinned).zip(verified((), signed)).zip(verified((), Basis::BuiltIn));
        assert_eq!(joined.basis(), &Basis::Pinned);
    }

    #[test]
    fn what_is_made_of_a_value_keeps_its_files() {
        let mut made = verified(1, Basis::Pinned).try_map(|n| u8::try_from(n + 1)).unwrap();
        *made.value_mut() += 1;
        assert_eq!((made.value(), made.basis()), (&3, &Basis::Pinned));
        assert!(verified(300, Basis::Pinned).try_map(u8::try_from).is_err());
    }
}
