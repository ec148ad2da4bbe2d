//! Paths that models name: read once, and opened only beneath the workspace.

use std::error::Error;
use std::fmt;

/// A path below the workspace: parts without `.`, `..` or links to be believed; no parts is the workspace itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelativePath(Vec<String>);

impl RelativePath {
    /// The workspace itself.
    pub const WORKSPACE: Self = Self(Vec::new());

    /// Reads a path. Nothing in it is decoded: `~`, `%2e` and `\` are ordinary characters.
    ///
    /// # Errors
    ///
    /// When it is empty, too long, absolute, holds NUL, or leads upwards.
    pub fn parse(text: &str) -> Result<Self, BadPath> {
        let bad = |problem| Err(BadPath { path: text.chars().take(200).collect(), problem });
        if text.is_empty() {
            return bad(PathProblem::Empty);
        }
        if text.len() > PATH_BYTES {
            return bad(PathProblem::TooLong);
        }
        if text.contains('\0') {
            return bad(PathProblem::Nul);
        }
        if text.starts_with('/') {
            return bad(PathProblem::Absolute);
        }
        let mut parts = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => return bad(PathProblem::Upwards),
                part => parts.push(part.to_owned()),
            }
        }
        Ok(Self(parts))
    }

    /// Returns its parts.
    pub fn parts(&self) -> &[String] {
        &self.0
    }

    /// Returns the folder that it lies in, and its last part; nothing for the workspace itself.
    pub fn split(&self) -> Option<(Self, &str)> {
        let (last, folder) = self.0.split_last()?;
        Some((Self(folder.to_vec()), last))
    }

    /// Returns what lies in it under a name.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        Self(self.0.iter().cloned().chain([name.to_owned()]).collect())
    }

    /// Returns whether it is a path or lies below it, part by part.
    pub fn is_beneath(&self, folder: &Self) -> bool {
        self.0.starts_with(&folder.0)
    }

    /// Returns whether nobody writes there, in any spelling: what programs obey when they find it in a folder.
    pub fn is_protected(&self) -> bool {
        let lower: Vec<String> = self.0.iter().map(|part| part.to_lowercase()).collect();
        let inside = |sequence: &[&str]| lower.windows(sequence.len()).any(|window| window == sequence);
        PROTECTED.iter().any(|sequence| inside(sequence))
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str(".") } else { f.write_str(&self.0.join("/")) }
    }
}

/// The error for a text that is no path below the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPath {
    /// How it begins.
    pub path: String,
    /// What is wrong with it.
    pub problem: PathProblem,
}

/// What is wrong with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathProblem {
    /// It is empty.
    Empty,
    /// It has more than 4096 bytes.
    TooLong,
    /// It holds a NUL.
    Nul,
    /// It begins at the root of the system.
    Absolute,
    /// It leads out of a folder.
    Upwards,
}

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.problem {
            PathProblem::Empty => "is empty; the workspace itself is `.`",
            PathProblem::TooLong => "has more than 4096 bytes",
            PathProblem::Nul => "holds a NUL",
            PathProblem::Absolute => "is absolute; paths are relative to the workspace",
            PathProblem::Upwards => "leads upwards; paths stay below the workspace",
        };
        write!(f, "the path {:?} {problem}", self.path)
    }
}

impl Error for BadPath {}

const PATH_BYTES: usize = 4096;
/// What shells, editors, version control and other agents run or obey without being told to.
const PROTECTED: &[&[&str]] = &[
    &[".git", "hooks"],
    &[".git", "config"],
    &[".git", "info"],
    &[".gitmodules"],
    &[".bashrc"],
    &[".bash_profile"],
    &[".bash_login"],
    &[".bash_logout"],
    &[".profile"],
    &[".zshrc"],
    &[".zshenv"],
    &[".zprofile"],
    &[".zlogin"],
    &[".envrc"],
    &[".mcp.json"],
    &[".vscode"],
    &[".idea"],
    &[".ssh"],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_of_the_workspace_is_no_path() {
        for (path, problem) in [
            ("", PathProblem::Empty),
            ("../../../etc/passwd", PathProblem::Upwards),
            ("a/../../b", PathProblem::Upwards),
            ("a/..", PathProblem::Upwards),
            ("/etc/shadow", PathProblem::Absolute),
            ("/", PathProblem::Absolute),
            ("a\0b", PathProblem::Nul),
            (&"a/".repeat(3000), PathProblem::TooLong),
        ] {
            assert_eq!(RelativePath::parse(path).unwrap_err().problem, problem, "{path:?}");
        }
        for (path, read) in
            [(".", "."), ("./a//b/", "a/b"), ("~/x", "~/x"), ("%2e%2e/x", "%2e%2e/x"), ("..a", "..a")]
        {
            assert_eq!(RelativePath::parse(path).unwrap().to_string(), read);
        }
    }

    #[test]
    fn a_folder_beside_is_not_beneath() {
        let path = |text| RelativePath::parse(text).unwrap();
        assert!(path("ws/a").is_beneath(&path("ws")) && path("ws").is_beneath(&path("ws")));
        assert!(path("ws").is_beneath(&path(".")));
        assert!(!path("ws-evil/a").is_beneath(&path("ws")));
    }

    #[test]
    fn what_programs_obey_is_protected_in_any_spelling() {
        for path in [
            ".git/hooks/pre-commit",
            "sub/.GIT/Hooks/x",
            ".git/config",
            ".gitModules",
            ".BASHRC",
            ".vscode/tasks.json",
        ] {
            assert!(RelativePath::parse(path).unwrap().is_protected(), "{path}");
        }
        for path in [".github/x", "git/hooks/x", ".git/x", "vscode"] {
            assert!(!RelativePath::parse(path).unwrap().is_protected(), "{path}");
        }
    }
}
