//! What models are called: the names of the store, and the references that a pull understands.
//!
//! A name is a value, never a path: nothing in this crate joins one to a folder.

mod nearest;
mod reference;

use std::error::Error;
use std::fmt;
use std::str::FromStr;

pub use nearest::nearest;
pub(crate) use nearest::{NEAR_MAX, near_names};
pub use reference::{HubSelector, Reference};

/// The name of a model in the store: `[host/][owner/]model[:tag]`, in lower case, as OCI spells names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    repository: String,
    tag: String,
}

/// What is wrong with a name or a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName {
    text: String,
    fault: &'static str,
}

impl Name {
    /// Reads a name. Without a tag it means `:latest`.
    ///
    /// # Errors
    ///
    /// When the text is not in the grammar; names are never repaired.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let fail = |fault| Err(BadName::new(text, fault));
        // A colon before the last slash belongs to the port of the host.
        let slash = text.rfind('/').map_or(0, |at| at + 1);
        let (repository, tag) = match text[slash..].split_once(':') {
            Some((model, tag)) => (&text[..slash + model.len()], tag),
            None => (text, LATEST),
        };
        // With the tag, even where none is written: a name is stored as a whole and has to be read again.
        if repository.len() + 1 + tag.len() > NAME_BYTES_MAX {
            return fail("is longer than 255 bytes, with `:latest` where it has no tag");
        }
        if !is_tag(tag) {
            return fail("has no tag of at most 128 lower case letters, digits, `.`, `_`, `-` after its `:`");
        }
        let mut segments = repository.split('/').peekable();
        if let Some(&first) = segments.peek()
            && repository.len() > first.len()
            && looks_like_host(first)
        {
            if !is_host(first) {
                return fail("begins with an invalid host");
            }
            segments.next();
        }
        for segment in segments {
            if !is_segment(segment) {
                return fail(
                    "has a part that is not 1 to 64 lower case letters and digits, joined by `.`, `_`, `__` or `-`",
                );
            }
        }
        Ok(Self { repository: repository.to_owned(), tag: tag.to_owned() })
    }

    /// Makes a name from parts as an upstream spells them, of which the first may be a host with its port: what names
    /// cannot hold becomes `-`, letters become small.
    ///
    /// # Errors
    ///
    /// When nothing is left of a part, or all together is too long.
    pub fn from_upstream(parts: &[&str], tag: Option<&str>) -> Result<Self, BadName> {
        let spelled = |(position, part): (usize, &&str)| {
            let host = part.to_ascii_lowercase();
            // A rule for `host:5000/**` must cover what came from there.
            if position == 0 && looks_like_host(&host) && is_host(&host) { host } else { tamed(part) }
        };
        let repository = parts.iter().enumerate().map(spelled).collect::<Vec<_>>().join("/");
        match tag.map(tamed) {
            Some(tag) => Self::parse(&format!("{repository}:{tag}")),
            None => Self::parse(&repository),
        }
    }

    /// The host that the name begins with, if any.
    pub fn host(&self) -> Option<&str> {
        let (first, _) = self.repository.split_once('/')?;
        looks_like_host(first).then_some(first)
    }

    /// The name without its tag.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The name as people write it: without `:latest`.
    pub fn short(&self) -> String {
        if self.tag == LATEST { self.repository.clone() } else { self.to_string() }
    }
}

/// The whole name, tag included.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

impl FromStr for Name {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        Self::parse(text)
    }
}

impl BadName {
    fn new(text: &str, fault: &'static str) -> Self {
        Self { text: text.chars().take(SHOWN_CHARS).collect(), fault }
    }

    /// Says what may have been meant: the repository of a hub that is spelled so, and the same name in lower case.
    pub fn near(&self) -> Vec<String> {
        let address = format!("hf://{}", self.text);
        let is_of_hub = self.text.split('/').count() == 2 && Reference::parse(&address).is_ok();
        let name = Name::parse(&self.text.to_lowercase()).ok();
        Some(address).filter(|_| is_of_hub).into_iter().chain(name.map(|name| name.short())).collect()
    }
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name {:?} {}", self.text, self.fault)
    }
}

impl Error for BadName {}

/// OCI tells hosts from owners this way: by a dot, a port, or the word `localhost`.
fn looks_like_host(segment: &str) -> bool {
    segment.contains(['.', ':']) || segment == "localhost"
}

/// Whether the text is a host name or address with an optional port, in lower case.
fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| is_small(byte) || byte == b'-')
    };
    let is_port =
        |port: &str| !port.starts_with('0') && port.parse::<u16>().is_ok() && !port.starts_with('+');
    text.len() <= HOST_BYTES_MAX && host.split('.').all(is_label) && port.is_none_or(is_port)
}

/// Whether the text is runs of letters and digits, joined by one `.`, `_`, `__` or any number of `-`.
fn is_segment(text: &str) -> bool {
    let is_joint =
        |joint: &str| matches!(joint, "" | "." | "_" | "__") || joint.bytes().all(|byte| byte == b'-');
    text.len() <= SEGMENT_BYTES_MAX
        && text.bytes().all(|byte| is_small(byte) || is_joining(byte))
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.ends_with(|last: char| last.is_ascii_alphanumeric())
        && text.split(|character: char| character.is_ascii_alphanumeric()).all(is_joint)
}

fn is_tag(text: &str) -> bool {
    let first = text.bytes().next();
    text.len() <= TAG_BYTES_MAX
        && first.is_some_and(|byte| is_small(byte) || byte == b'_')
        && text.bytes().all(|byte| is_small(byte) || is_joining(byte))
}

fn is_small(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_joining(byte: u8) -> bool {
    matches!(byte, b'.' | b'_' | b'-')
}

/// Spells a part of an upstream's name in the grammar, as far as that is possible.
fn tamed(part: &str) -> String {
    let mut tame = String::with_capacity(part.len());
    for character in part.chars().flat_map(char::to_lowercase) {
        let joining = !character.is_ascii_alphanumeric();
        if !joining {
            tame.push(character);
        } else if tame.ends_with(|last: char| last.is_ascii_alphanumeric()) {
            // One joint between two runs: more would not all be allowed.
            tame.push(if matches!(character, '.' | '_') { character } else { '-' });
        }
    }
    tame.truncate(tame.trim_end_matches(|last: char| !last.is_ascii_alphanumeric()).len());
    tame
}

const LATEST: &str = "latest";
const NAME_BYTES_MAX: usize = 255;
const SEGMENT_BYTES_MAX: usize = 64;
const HOST_BYTES_MAX: usize = 64;
const TAG_BYTES_MAX: usize = 128;

/// As much of a wrong name as an error shows.
const SHOWN_CHARS: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_an_optional_host_and_an_optional_tag() {
        let parts = |text: &str| {
            let name = Name::parse(text).unwrap();
            (name.host().map(str::to_owned), name.repository().to_owned(), name.tag().to_owned())
        };
        assert_eq!(parts("tiny"), (None, "tiny".into(), "latest".into()));
        assert_eq!(parts("qwen/qwen3-4b:q4_k_m"), (None, "qwen/qwen3-4b".into(), "q4_k_m".into()));
        let host = Some("registry.lan:5000".into());
        assert_eq!(parts("registry.lan:5000/m/x"), (host, "registry.lan:5000/m/x".into(), "latest".into()));
        assert_eq!(parts("localhost/x:1").0, Some("localhost".into()));
        assert_eq!(Name::parse("a/b").unwrap().to_string(), "a/b:latest");
        assert_eq!(Name::parse("a/b").unwrap().short(), "a/b");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = format!("a/{}", "b".repeat(65));
        let many = "a/".repeat(130) + "a";
        for text in [
            "",
            ":",
            "a:",
            ":a",
            "/",
            "a/",
            "/a",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/./b",
            "A",
            "Qwen/q",
            "a b",
            "a\0b",
            "a\nb",
            "a\\b",
            "ä",
            "a..b",
            "a___b",
            "a._b",
            "-a",
            "a-",
            "_a",
            "a_",
            "a:B",
            "a:.x",
            "a:-x",
            "a:b:c",
            "a@b",
            "host:99999/a",
            "host:0/a",
            "host:+1/a",
            "host:/a",
            ".a/b",
            "-x.y/b",
            "file:///a",
            "~",
            "c:\\x",
            &long,
            &many,
        ] {
            assert!(Name::parse(text).is_err(), "{text:?}");
        }
        assert!(Name::parse(&format!("a:{}", "t".repeat(128))).is_ok());
        assert!(Name::parse(&format!("a:{}", "t".repeat(129))).is_err());
    }

    #[test]
    fn the_longest_name_is_read_again_as_it_is_stored() {
        let longest = "a/".repeat(123) + "aa";
        let name = Name::parse(&longest).unwrap();
        assert_eq!(Name::parse(&name.to_string()), Ok(name));
        assert!(Name::parse(&(longest + "a")).is_err());
    }

    #[test]
    fn upstream_spellings_are_tamed() {
        let name = |parts: &[&str], tag| Name::from_upstream(parts, tag).unwrap().to_string();
        assert_eq!(name(&["Qwen", "Qwen3-4B-GGUF"], Some("Q4_K_M")), "qwen/qwen3-4b-gguf:q4_k_m");
        assert_eq!(name(&["_The Bloke_", "a...b"], None), "the-bloke/a.b:latest");
        assert!(Name::from_upstream(&["../.."], None).is_err());
    }
}
