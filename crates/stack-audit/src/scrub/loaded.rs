//! Secrets that this program holds itself, found by their values in every spelling that software gives them.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// All loaded secrets in all spellings.
pub(super) struct Loaded {
    names: Vec<String>,
    automaton: AhoCorasick,
    /// The name of each pattern.
    owners: Vec<usize>,
}

impl Loaded {
    pub(super) fn new(secrets: &[(String, String)]) -> Result<Self, BadSecret> {
        let mut patterns = Vec::new();
        let mut owners = Vec::new();
        for (owner, (name, value)) in secrets.iter().enumerate() {
            if value.len() < SECRET_MIN {
                return Err(BadSecret { name: name.clone() });
            }
            for spelling in spellings(value.as_bytes()) {
                patterns.push(spelling);
                owners.push(owner);
            }
        }
        let names = secrets.iter().map(|(name, _)| tag_name(name)).collect();
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&patterns);
        let automaton = automaton.map_err(|_| BadSecret { name: "all of them".to_owned() })?;
        Ok(Self { names, automaton, owners })
    }

    /// Lists where secrets are, and whose.
    pub(super) fn find<'a>(
        &'a self,
        bytes: &'a [u8],
    ) -> impl Iterator<Item = (std::ops::Range<usize>, &'a str)> {
        let found = self.automaton.find_iter(bytes);
        found.map(|found| (found.range(), self.names[self.owners[found.pattern().as_usize()]].as_str()))
    }
}

/// Returns a secret as it is, percent-encoded, and in base64: whole, and as the part of a longer text that begins one,
/// two or three bytes into a group, where only the digits that it alone decides are known.
fn spellings(secret: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut spellings = BTreeSet::from([secret.to_vec()]);
    for upper in [true, false] {
        spellings.insert(percent_encoded(secret, upper));
    }
    for engine in [STANDARD, URL_SAFE] {
        for before in 0..3 {
            let longer = [&[0; 2][..before], secret].concat();
            let digits = engine.encode(&longer);
            let (first, end) = ((before * 8).div_ceil(6), longer.len() * 8 / 6);
            spellings.insert(digits.as_bytes()[first..end].to_vec());
        }
    }
    spellings
}

fn percent_encoded(bytes: &[u8], upper: bool) -> Vec<u8> {
    let mut encoded = Vec::new();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte);
        } else {
            let digits = if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
            encoded.extend(digits.into_bytes());
        }
    }
    encoded
}

/// Makes a name fit for a tag.
fn tag_name(name: &str) -> String {
    let letters = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    letters.take(64).collect()
}

/// The error for a secret that cannot be looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSecret {
    /// Its name.
    pub name: String,
}

impl fmt::Display for BadSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the secret {} has fewer than {SECRET_MIN} bytes, so it would be found everywhere; choose a longer one",
            self.name
        )
    }
}

impl Error for BadSecret {}

/// A shorter text is found by chance.
const SECRET_MIN: usize = 8;
