//! Words as they are compared: small, without endings, and one for all that mean the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Cuts a text into the words that say something.
pub(super) fn terms(text: &str) -> Vec<String> {
    let lower = text.to_lowercase().replace(['\'', '’'], "");
    let lower = SPELLINGS.iter().fold(lower, |text, (spelled, one)| text.replace(spelled, one));
    let words =
        lower.split(|c: char| !c.is_alphanumeric() && c != '+' && c != '#').filter(|word| !word.is_empty());
    words.filter(|word| !SILENT_WORDS.contains(word)).filter_map(meaning).collect()
}

/// Whether a word says that the question is about this program.
pub(super) fn is_anchor(term: &str) -> bool {
    ANCHOR_TERMS.contains(term)
}

/// Whether a word says no more than how something is asked.
pub(super) fn is_cue(term: &str) -> bool {
    CUE_TERMS.contains(term)
}

/// The words of a text, small, with single spaces and without marks.
pub(super) fn plain(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric() && c != '-').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Cuts endings off, after the first steps of Porter (1980).
fn stem(word: &str) -> String {
    if word.len() <= 3 || !word.is_ascii() {
        return word.to_owned();
    }
    let mut stem = word.to_owned();
    if stem.ends_with("sses") || stem.ends_with("ies") {
        stem.truncate(stem.len() - 2);
    } else if stem.ends_with('s') && !stem.ends_with("ss") && !stem.ends_with("us") && !stem.ends_with("is") {
        stem.truncate(stem.len() - 1);
    }
    for (ending, instead) in ENDINGS {
        if let Some(rest) = stem.strip_suffix(ending)
            && rest.len() >= 3
            && rest.contains(['a', 'e', 'i', 'o', 'u', 'y'])
        {
            stem = format!("{rest}{instead}");
            let letters = stem.as_bytes();
            let last = letters[letters.len() - 1];
            if instead.is_empty() && letters[letters.len() - 2] == last && !b"lsz".contains(&last) {
                stem.truncate(stem.len() - 1);
            }
            break;
        }
    }
    if stem.len() > 3 && stem.ends_with('e') {
        stem.truncate(stem.len() - 1);
    }
    if stem.len() > 2 && stem.ends_with('y') {
        stem.truncate(stem.len() - 1);
        stem.push('i');
    }
    stem
}

/// Returns the stem that stands for all of its meaning. The version of a model is none of its name, and a number is nothing.
fn meaning(word: &str) -> Option<String> {
    let stem = stem(word);
    if let Some(meaning) = MEANING_OF.get(&stem) {
        return Some(meaning.clone());
    }
    let name = word.trim_end_matches(|c: char| c.is_ascii_digit());
    if name.is_empty() {
        return None;
    }
    Some(MEANING_OF.get(name).filter(|meaning| *meaning == "model").cloned().unwrap_or(stem))
}

static SILENT_WORDS: LazyLock<BTreeSet<&str>> = LazyLock::new(|| SILENT.split_whitespace().collect());
static MEANING_OF: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let row = |row: &'static str| {
        let first = stem(row.split(' ').next().unwrap_or_default());
        row.split(' ').map(move |word| (stem(word), first.clone()))
    };
    MEANINGS.lines().flat_map(row).collect()
});
static ANCHOR_TERMS: LazyLock<BTreeSet<String>> =
    LazyLock::new(|| ANCHORS.split_whitespace().filter_map(meaning).collect());
static CUE_TERMS: LazyLock<BTreeSet<String>> =
    LazyLock::new(|| CUES.iter().filter_map(|word| meaning(word)).collect());

/// What is written in two words, and in one.
const SPELLINGS: &[(&str, &str)] = &[
    ("log in", "login"),
    ("logged in", "login"),
    ("sign in", "login"),
    ("log out", "logout"),
    ("sign out", "logout"),
    ("air gapped", "airgapped"),
    ("air-gapped", "airgapped"),
    ("hugging face", "huggingface"),
    ("key pair", "keypair"),
    ("command line", "terminal"),
    ("no longer", "unused"),
];

/// Words that say nothing about what somebody wants.
const SILENT: &str = include_str!("../data/silent.txt");

/// Rows of words that mean the same here; the first stands for all.
const MEANINGS: &str = include_str!("../data/meanings.txt");

/// Words of which each says that the question is about this program and what it is for.
const ANCHORS: &str = include_str!("../data/anchors.txt");

/// Endings, and what takes their place; the first that fits is cut.
const ENDINGS: &[(&str, &str)] = &[
    ("ication", "i"),
    ("ization", "iz"),
    ("isation", "iz"),
    ("ation", "at"),
    ("ption", "pt"),
    ("ction", "ct"),
    ("ssion", "ss"),
    ("ingly", ""),
    ("ally", "al"),
    ("ing", ""),
    ("ied", "i"),
    ("ed", ""),
    ("ly", ""),
];

/// Words that say how something is asked: they help to choose, and are no sign that there is an answer.
const CUES: &[&str] =
    &["which", "what", "who", "where", "many", "much", "why", "only", "second", "already", "new", "make"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_one_meaning_are_one() {
        for (a, b) in [
            ("verify verifies verified verification", "verify"),
            ("encrypt encrypted encrypting encryption", "encrypt"),
            ("serve served serving serves", "serve"),
            ("delete removing erased uninstall", "remove"),
            ("download fetching pulled", "pull"),
            ("quantized quantization quant", "quantize"),
        ] {
            for word in a.split(' ') {
                assert_eq!(terms(word), terms(b), "{word}");
            }
        }
        assert_eq!(terms("How do I get the one?"), [""; 0]);
        assert_eq!(terms("C++ and C#"), ["c++", "c#"]);
    }
}
