//! What a file is expected to be, and who says so.

use crate::digest::Root;

/// What a file must turn out to be.
///
/// Its constructors are called where policy has decided, and nowhere else: each of them names the reason for which a
/// root is taken to be the right one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub(super) root: Option<Root>,
    pub(super) length: Option<u64>,
    pub(super) basis: Basis,
}

impl Expected {
    /// Expects what a signed statement says, checked by policy.
    pub fn signed(root: Root, length: u64, attested: Attested) -> Self {
        Self { root: Some(root), length: Some(length), basis: Basis::Signed(attested) }
    }

    /// Expects what was there at an earlier load, or when the file was sealed here.
    pub fn pinned(root: Root, length: u64) -> Self {
        Self { root: Some(root), length: Some(length), basis: Basis::Pinned }
    }

    /// Expects nothing: the pass computes the root, which its user may pin. Sealed files never load like this.
    pub fn first_seen() -> Self {
        Self { root: None, length: None, basis: Basis::FirstSeen }
    }

    pub(super) fn compiled_in(length: u64) -> Self {
        Self { root: None, length: Some(length), basis: Basis::BuiltIn }
    }

    /// Returns the root, unless it is to be found out.
    pub fn root(&self) -> Option<Root> {
        self.root
    }
}

/// Why a root was taken to be the right one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The bytes are part of this program.
    BuiltIn,
    /// A statement names it, signed by enough signers that are trusted for this name.
    Signed(Attested),
    /// An earlier load had it.
    Pinned,
    /// Nobody said anything; it is what the file happens to be.
    FirstSeen,
}

impl Basis {
    /// Returns how much it means, for comparison alone.
    pub(super) fn strength(&self) -> u8 {
        match self {
            Self::BuiltIn => 3,
            Self::Signed(_) => 2,
            Self::Pinned => 1,
            Self::FirstSeen => 0,
        }
    }
}

/// Who vouches for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attested {
    /// The identities, by the names that the policy gives them.
    pub signers: Vec<String>,
}
