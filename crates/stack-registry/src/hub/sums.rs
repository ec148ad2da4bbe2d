//! Digests that a repository lists in files of its own: `SHA256SUMS`, or `NAME.sha256` beside `NAME`.
//!
//! Whoever can change a model there can change such a file as well, so it proves nothing. But it is the publisher's word,
//! and where it differs from the hub's something is wrong.

use stack_seal::digest::Digest;

use super::RepositoryFile;
use crate::manifest::FilePath;

/// Whether a file may list the digest of another: it is named after that one, or lists whatever lies in its folder and
/// below.
pub(crate) fn may_list(sums: &RepositoryFile, file: &FilePath) -> bool {
    let name = sums.path.file_name();
    let lists_all = || {
        LISTS.iter().any(|list| name.eq_ignore_ascii_case(list))
            && file.as_str().starts_with(folder(sums.path.as_str()))
    };
    sums.size <= SUMS_BYTES_MAX && (is_named_after(&sums.path, file) || lists_all())
}

/// Finds the digest of a file in the text of a file that may list it, in the form of `sha256sum` or of BSD.
pub(crate) fn listed_sum(text: &str, sums: &FilePath, file: &FilePath) -> Option<Digest> {
    let name = file.as_str().strip_prefix(folder(sums.as_str()))?;
    let lists_it = |listed: &str| listed.strip_prefix("./").unwrap_or(listed) == name;
    let found = text.lines().find_map(|line| {
        let (digits, listed) = gnu(line).or_else(|| bsd(line))?;
        lists_it(listed).then(|| digest(digits)).flatten()
    });
    // A file for one other often holds the digest and no name, or a name from where it was made.
    let alone = || digest(text.split_whitespace().next().filter(|_| is_named_after(sums, file))?);
    found.or_else(alone)
}

/// Whether a sums file is for this file alone.
fn is_named_after(sums: &FilePath, file: &FilePath) -> bool {
    sums.as_str().strip_prefix(file.as_str()).is_some_and(|rest| ALONE.contains(&rest))
}

/// Reads `DIGITS  NAME`; a star before the name says that it was read as it is.
fn gnu(line: &str) -> Option<(&str, &str)> {
    let (digits, name) = line.split_once(' ')?;
    Some((digits, name.strip_prefix([' ', '*'])?))
}

/// Reads `SHA256 (NAME) = DIGITS`.
fn bsd(line: &str) -> Option<(&str, &str)> {
    let (name, digits) = line.strip_prefix("SHA256 (")?.rsplit_once(") = ")?;
    Some((digits, name))
}

fn digest(digits: &str) -> Option<Digest> {
    format!("sha256:{}", digits.to_ascii_lowercase()).parse().ok()
}

/// The folder of a path, with its slash; empty for the topmost.
fn folder(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..=slash])
}

/// A longer one lists more than a model.
pub(crate) const SUMS_BYTES_MAX: u64 = 1 << 20;
const ALONE: [&str; 2] = [".sha256", ".sha256sum"];
const LISTS: [&str; 5] = ["SHA256SUMS", "SHA256SUMS.txt", "sha256sum.txt", "SHA256SUM", "checksums.sha256"];

#[cfg(test)]
mod tests {
    use super::super::ContentDigest;
    use super::*;

    fn path(text: &str) -> FilePath {
        FilePath::parse(text).unwrap()
    }

    #[test]
    fn sums_are_read_in_every_usual_form() {
        let (a, b) = ("ab".repeat(32), "CD".repeat(32));
        let text = format!(
            "# made today\n{a}  m.gguf\n{b} *./sub/n.gguf\nSHA256 (o (1).gguf) = {a}\n{a}x  p.gguf\n{a} q.gguf\n"
        );
        let sum = |file: &str| listed_sum(&text, &path("SHA256SUMS"), &path(file)).map(|digest| digest.hex());
        assert_eq!(sum("m.gguf"), Some(a.clone()));
        assert_eq!(sum("sub/n.gguf"), Some(b.to_lowercase()));
        assert_eq!(sum("o (1).gguf"), Some(a.clone()));
        for missing in ["n.gguf", "p.gguf", "q.gguf", "SHA256SUMS"] {
            assert_eq!(sum(missing), None, "{missing}");
        }
        let alone = |text: &str, sums: &str| listed_sum(text, &path(sums), &path("x/m.gguf"));
        for text in [format!("{a}\n"), format!("{a}  m.gguf"), format!("{a}  /home/me/m.gguf\n")] {
            assert_eq!(alone(&text, "x/m.gguf.sha256").unwrap().hex(), a, "{text}");
        }
        assert_eq!(alone(&a, "x/SHA256SUMS"), None, "no name, and not named after it");
        assert_eq!(alone("", "x/m.gguf.sha256"), None);
        assert_eq!(alone(&format!("{a}  x/m.gguf"), "y/SHA256SUMS"), None, "another folder");
    }

    #[test]
    fn a_list_is_for_its_folder_and_below() {
        let listing = |name: &str, size| RepositoryFile {
            path: path(name),
            size,
            content: ContentDigest::GitBlob("0".repeat(40)),
        };
        for (sums, file, expected) in [
            ("SHA256SUMS", "m.gguf", true),
            ("sha256sums.txt", "x/m.gguf", true),
            ("x/SHA256SUMS", "x/m.gguf", true),
            ("x/SHA256SUMS", "m.gguf", false),
            ("x/SHA256SUMS", "y/m.gguf", false),
            ("m.gguf.sha256", "m.gguf", true),
            ("m.gguf.sha256", "n.gguf", false),
            ("m.gguf.sums", "m.gguf", false),
        ] {
            assert_eq!(may_list(&listing(sums, 100), &path(file)), expected, "{sums} {file}");
        }
        assert!(!may_list(&listing("SHA256SUMS", SUMS_BYTES_MAX + 1), &path("m.gguf")));
    }
}
