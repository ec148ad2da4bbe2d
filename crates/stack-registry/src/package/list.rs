//! The list at the head of a package: every member, its length and its digests.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use stack_seal::digest::{Algorithm, Digest};

use super::PackageError;
use super::ustar::{BLOCK, padding};
use crate::json;
use crate::manifest::SIZE_MAX;

/// The members of a package, in the order in which they follow the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageList {
    members: Vec<Member>,
}

/// A member of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// What it is.
    pub kind: MemberKind,
    /// Bytes.
    pub size: u64,
    /// Its SHA-256 digest.
    pub sha256: Digest,
    /// Its BLAKE3 root.
    pub blake3: Digest,
}

/// What a member of a package is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// `oci-layout`.
    Layout,
    /// `index.json`.
    Index,
    /// `blobs/sha256/…`, the blob of the member's digest.
    Blob,
}

/// The list as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    version: u32,
    members: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    path: String,
    size: u64,
    sha256: String,
    blake3: String,
}

impl PackageList {
    /// Lists members. The layout and the index come first, each once.
    pub(super) fn new(members: Vec<Member>) -> Self {
        Self { members }
    }

    /// Reads a list.
    ///
    /// # Errors
    ///
    /// When it is no list, or lists what no package has.
    pub fn parse(bytes: &[u8]) -> Result<Self, PackageError> {
        let bad = |fault: String| PackageError::Bad { what: format!("its list {fault}") };
        if bytes.len() > LIST_BYTES_MAX {
            return Err(bad(format!("is longer than {LIST_BYTES_MAX} bytes")));
        }
        let document: Document =
            serde_json::from_slice(bytes).map_err(|error| bad(format!("is malformed: {error}")))?;
        if document.format != FORMAT || document.version != 1 {
            return Err(bad(format!("is version {} of {:?}", document.version, document.format)));
        }
        if document.members.len() > MEMBERS_MAX {
            return Err(bad(format!("has more than {MEMBERS_MAX} members")));
        }
        let mut known = BTreeSet::new();
        let mut members = Vec::with_capacity(document.members.len());
        for (position, line) in document.members.iter().enumerate() {
            let member = line.member(position).ok_or_else(|| {
                let path: String = line.path.chars().take(80).collect();
                bad(format!("has an unexpected member {path:?}"))
            })?;
            if member.kind == MemberKind::Blob && !known.insert(member.sha256) {
                return Err(bad(format!("has {} twice", line.path)));
            }
            members.push(member);
        }
        if members.len() < FIRST.len() {
            return Err(bad("lacks the layout or the index".to_owned()));
        }
        Ok(Self { members })
    }

    /// Writes the list.
    pub fn to_bytes(&self) -> Vec<u8> {
        let members = self.members.iter().map(|member| Line {
            path: member.path(),
            size: member.size,
            sha256: member.sha256.to_string(),
            blake3: member.blake3.to_string(),
        });
        let document = Document { format: FORMAT.to_owned(), version: 1, members: members.collect() };
        json::to_bytes(&document)
    }

    /// The members, in order.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Bytes of the whole package, or `None` where no file is that long.
    pub(super) fn package_bytes(&self, list_bytes: u64) -> Option<u64> {
        let block = BLOCK as u64;
        let sizes = std::iter::once(list_bytes).chain(self.members.iter().map(|member| member.size));
        let total = sizes.map(|size| block + size + padding(size)).try_fold(2 * block, u64::checked_add)?;
        (total <= SIZE_MAX).then_some(total)
    }
}

impl Member {
    /// Its path in the package.
    pub fn path(&self) -> String {
        match self.kind {
            MemberKind::Layout | MemberKind::Index => FIRST[self.kind as usize].to_owned(),
            MemberKind::Blob => format!("{BLOBS}{}", self.sha256.hex()),
        }
    }
}

impl Line {
    /// Reads the member at a position of the list.
    fn member(&self, position: usize) -> Option<Member> {
        let digest = |text: &str, algorithm| {
            text.parse::<Digest>().ok().filter(|digest| digest.algorithm == algorithm)
        };
        let kind = match position {
            0 => MemberKind::Layout,
            1 => MemberKind::Index,
            _ => MemberKind::Blob,
        };
        let member = Member {
            kind,
            size: Some(self.size).filter(|&size| size <= SIZE_MAX)?,
            sha256: digest(&self.sha256, Algorithm::Sha256)?,
            blake3: digest(&self.blake3, Algorithm::Blake3)?,
        };
        (member.path() == self.path).then_some(member)
    }
}

/// The first member of every package, which is the list itself.
pub(super) const LIST: &str = "stackpkg.json";
/// Bytes that the list may have.
pub(super) const LIST_BYTES_MAX: usize = 4 << 20;

const FORMAT: &str = "stackpkg";
const FIRST: [&str; 2] = ["oci-layout", "index.json"];
const BLOBS: &str = "blobs/sha256/";
const MEMBERS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use stack_seal::digest::Root;

    use super::*;
    use crate::manifest::Descriptor;

    fn member(kind: MemberKind, bytes: &[u8]) -> Member {
        Member {
            kind,
            size: bytes.len() as u64,
            sha256: Descriptor::of("", bytes).digest,
            blake3: Root::of(bytes).into(),
        }
    }

    fn list() -> PackageList {
        let kinds = [
            (MemberKind::Layout, "l"),
            (MemberKind::Index, "i"),
            (MemberKind::Blob, "a"),
            (MemberKind::Blob, "b"),
        ];
        PackageList::new(kinds.map(|(kind, bytes)| member(kind, bytes.as_bytes())).to_vec())
    }

    #[test]
    fn a_list_returns_from_its_bytes() {
        assert_eq!(PackageList::parse(&list().to_bytes()).unwrap(), list());
        assert_eq!(list().package_bytes(10), Some(5 * 1024 + 1024));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let text = String::from_utf8(list().to_bytes()).unwrap();
        let a = member(MemberKind::Blob, b"a");
        let b = member(MemberKind::Blob, b"b");
        for wrong in [
            String::new(),
            text.clone() + " x",
            text.replace("\"version\":1", "\"version\":2"),
            text.replace("\"stackpkg\"", "\"zip\""),
            text.replace("\"size\":1", "\"size\":9007199254740992"),
            text.replace("\"size\":1", "\"size\":-1"),
            text.replace("\"size\":1", "\"size\":1,\"mode\":511"),
            text.replace("oci-layout", "index.json"),
            text.replace("oci-layout", "../oci-layout"),
            text.replace("blobs/sha256/", "blobs/sha256/../"),
            text.replace("blobs/sha256/", "/blobs/sha256/"),
            text.replace(&a.sha256.hex(), &b.sha256.hex()),
            text.replace(
                &format!("blobs/sha256/{}", a.sha256.hex()),
                &format!("blobs/sha256/{}", b.sha256.hex()),
            ),
            text.replace(&a.blake3.to_string(), &a.sha256.to_string()),
            r#"{"format":"stackpkg","version":1,"members":[]}"#.to_owned(),
        ] {
            let error = PackageList::parse(wrong.as_bytes()).unwrap_err();
            assert_eq!(error.code(), "bad-package", "{wrong}");
        }
    }
}
