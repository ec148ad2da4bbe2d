//! What a MODEL looks like, before anything is looked up.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::BUILT_IN;
use crate::file_name::{SEALED, has_extension, without_extension};
use crate::manifest::FileFormat;
use crate::name::{BadName, Name, Reference};

/// How an argument is spelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// The name of the model that is part of the program.
    BuiltIn,
    /// Where a model can be pulled from: `hf://…`, `hf.co/…`, `oci://…`, `https://…`.
    Address {
        /// As it was typed.
        text: String,
        /// What it means.
        reference: Reference,
    },
    /// An address that makes no sense, or that has an unknown scheme.
    BadAddress(BadName),
    /// A path: it begins with `/`, `.` or `~`, ends like a file of weights, or is no text.
    Path(PathBuf),
    /// What the store could have as a name.
    Name(Name),
    /// One word that the store cannot have as a name, but that may be a file.
    Word(String),
    /// Several words: a prompt, unless there is a file of that name.
    Text(String),
    /// Nothing, or nothing but white space.
    Empty,
}

impl Spelling {
    /// Reads an argument.
    pub fn of(argument: &OsStr) -> Self {
        let Some(text) = argument.to_str() else { return Self::Path(argument.into()) };
        if text.trim().is_empty() {
            return Self::Empty;
        }
        if text == BUILT_IN {
            return Self::BuiltIn;
        }
        // Paths may have spaces in them, and so may the file that is missing.
        let plain = without_extension(text, SEALED);
        let is_weights = FileFormat::ALL.into_iter().any(|format| has_extension(plain, format.extension()));
        let has_space = text.contains(char::is_whitespace);
        if has_space && !is_weights {
            return Self::Text(text.to_owned());
        }
        match Reference::parse(text) {
            Ok(Reference::Path(path)) => Self::Path(path),
            Ok(Reference::Name(_)) | Err(_) if is_weights && !text.contains("://") => Self::Path(text.into()),
            Ok(Reference::Name(name)) => Self::Name(name),
            Ok(reference) => Self::Address { text: text.to_owned(), reference },
            Err(error) if text.contains("://") => Self::BadAddress(error),
            Err(_) => Self::Word(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_told_apart_by_their_looks() {
        let of = |text: &str| Spelling::of(OsStr::new(text));
        assert_eq!(of("default"), Spelling::BuiltIn);
        for text in ["", " ", "\t\n"] {
            assert_eq!(of(text), Spelling::Empty, "{text:?}");
        }
        for text in ["hf://Qwen/Q:Q4_0", "hf.co/Qwen/Q", "oci://h/r:t", "https://h/x.gguf", "http://h/x"] {
            assert!(matches!(of(text), Spelling::Address { .. }), "{text}");
        }
        for text in ["hf://", "oci://x", "ftp://h/x.gguf", "s3://bucket/key"] {
            assert!(matches!(of(text), Spelling::BadAddress(_)), "{text}");
        }
        for text in [
            "./tiny",
            "../tiny",
            "/srv/tiny",
            "~/tiny",
            ".",
            "models/",
            "C:\\tiny",
            "none.gguf",
            "NONE.GGUF",
            "Models/None.gguf",
            "my models/none.gguf",
            "model.gguf.age",
        ] {
            assert_eq!(of(text), Spelling::Path(text.into()), "{text}");
        }
        assert_eq!(of("file:///a/b"), Spelling::Path("/a/b".into()));
        for text in [
            "llama3",
            "llama3:8b",
            "med/tiny",
            "registry.lan:5000/m/x",
            "hello",
            "registry.ollama.ai/library/x",
        ] {
            assert_eq!(of(text), Spelling::Name(Name::parse(text).unwrap()), "{text}");
        }
        for text in ["Hello!", "Qwen/Qwen3-4B", "Größe", "a:b:c", "-5", "?"] {
            assert_eq!(of(text), Spelling::Word(text.to_owned()), "{text}");
        }
        for text in [
            "Tell me a story.",
            "/ is a slash",
            "https://example.org says what?",
            "what is\nthis",
            "Is story.gguf a model?",
            "ideographic\u{3000}space",
        ] {
            assert_eq!(of(text), Spelling::Text(text.to_owned()), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_text_is_a_path() {
        use std::os::unix::ffi::OsStrExt;
        let argument = OsStr::from_bytes(b"mod\xFFel.gguf");
        assert_eq!(Spelling::of(argument), Spelling::Path(argument.into()));
    }
}
