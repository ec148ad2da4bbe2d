//! Paths of files within a model.

use std::error::Error;
use std::fmt;

/// The path of a file within its model: relative, UTF-8, parts joined by `/`, none of them empty, `.` or `..`.
///
/// It names a file to people, to signatures and to the engine. The store never joins it to a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(String);

/// A text that is no such path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFilePath(String);

impl FilePath {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// When it is empty, absolute, longer than 255 bytes, holds a backslash or a control character, or has a part
    /// that is empty, `.` or `..`.
    pub fn parse(text: &str) -> Result<Self, BadFilePath> {
        let safe = text.len() <= PATH_BYTES_MAX
            && !text.contains('\\')
            && !text.chars().any(char::is_control)
            && text.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if safe { Ok(Self(text.to_owned())) } else { Err(BadFilePath(text.chars().take(80).collect())) }
    }

    /// Names a layer that has no path of its own.
    pub(crate) fn of_layer(position: usize) -> Self {
        Self(format!("layer-{position}"))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for BadFilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a valid file path in a model", self.0)
    }
}

impl Error for BadFilePath {}

const PATH_BYTES_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_inside_is_a_path() {
        for text in
            ["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "./a", "a\\b", "a\0", "a\n", &"x".repeat(256)]
        {
            assert!(FilePath::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(FilePath::parse("a/b c.gguf").unwrap().file_name(), "b c.gguf");
    }
}
