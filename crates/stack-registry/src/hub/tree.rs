//! One page of the list of files.

use std::fmt;

use serde::Deserialize;
use stack_seal::digest::{Algorithm, Digest};

use crate::manifest::{FilePath, SIZE_MAX};

/// A file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryFile {
    /// Its path.
    pub path: FilePath,
    /// Bytes.
    pub size: u64,
    /// What the hub says about its content.
    pub content: ContentDigest,
}

/// What identifies a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentDigest {
    /// The SHA-256 digest of a large file.
    Sha256(Digest),
    /// The git blob id of a small one, in hex: it shows a broken transfer, and proves nothing.
    GitBlob(String),
}

/// A page that is no list of files.
#[derive(Debug)]
pub struct ListingError(String);

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    oid: String,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

/// Parses one page. Folders are left out.
///
/// # Errors
///
/// When it is not JSON of that form, a path is unsafe, or a size or id impossible.
pub fn parse_tree(bytes: &[u8]) -> Result<Vec<RepositoryFile>, ListingError> {
    let rows: Vec<Row> = serde_json::from_slice(bytes)
        .map_err(|error| ListingError(format!("the file list cannot be parsed: {error}")))?;
    rows.into_iter().filter(|row| row.kind == "file").map(Row::read).collect()
}

impl Row {
    fn read(self) -> Result<RepositoryFile, ListingError> {
        let fail = |problem: &str| ListingError(format!("{:?} in the file list {problem}", self.path));
        let path = FilePath::parse(&self.path).map_err(|_| fail("is not a safe path"))?;
        let (size, content) = match &self.lfs {
            Some(lfs) => {
                let digest: Digest =
                    format!("sha256:{}", lfs.oid).parse().map_err(|_| fail("has no valid SHA-256"))?;
                debug_assert_eq!(digest.algorithm, Algorithm::Sha256);
                (lfs.size, ContentDigest::Sha256(digest))
            }
            None if is_hex_40(&self.oid) => (self.size, ContentDigest::GitBlob(self.oid.clone())),
            None => return Err(fail("has no id")),
        };
        if size > SIZE_MAX {
            return Err(fail("has an impossible size"));
        }
        Ok(RepositoryFile { path, size, content })
    }
}

fn is_hex_40(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for ListingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ListingError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_files_have_a_digest_and_small_ones_a_git_id() {
        let (sha, git) = ("ab".repeat(32), "cd".repeat(20));
        let page = format!(
            r#"[{{"type":"directory","path":"sub","oid":"x"}},
               {{"type":"file","path":"a.gguf","size":9,"oid":"{git}",
                 "lfs":{{"oid":"{sha}","size":9,"pointerSize":134}},"xetHash":"e"}},
               {{"type":"file","path":"sub/config.json","size":2,"oid":"{git}"}}]"#
        );
        let files = parse_tree(page.as_bytes()).unwrap();
        let digest = format!("sha256:{sha}").parse().unwrap();
        assert_eq!((files[0].size, &files[0].content), (9, &ContentDigest::Sha256(digest)));
        assert_eq!(files[1].path.as_str(), "sub/config.json");
        assert_eq!(files[1].content, ContentDigest::GitBlob(git));
    }

    #[test]
    fn hostile_lists_are_refused() {
        let (sha, git) = ("ab".repeat(32), "cd".repeat(20));
        let row = |path: &str, oid: &str, lfs: &str| {
            format!(r#"[{{"type":"file","path":"{path}","size":2,"oid":"{oid}"{lfs}}}]"#)
        };
        for page in [
            String::new(),
            "{}".into(),
            "[".repeat(100_000),
            row("../x", &git, ""),
            row("/x", &git, ""),
            row("a//b", &git, ""),
            row("x", "", ""),
            row("x", &git.to_uppercase(), ""),
            row("x", &git, r#","lfs":{"oid":"ab","size":2}"#),
            row("x", &git, &format!(r#","lfs":{{"oid":"{sha}","size":-1}}"#)),
            row("x", &git, &format!(r#","lfs":{{"oid":"{sha}","size":1152921504606846976}}"#)),
        ] {
            assert!(parse_tree(page.as_bytes()).is_err(), "{page:.200}");
        }
    }
}
