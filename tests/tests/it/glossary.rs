//! The words that public types are named with have one meaning each, written down in the book's glossary: a new type takes
//! words from there, adds its word, or stays private.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{entries, files_under, read, relative, workspace_root};

/// Lists the public types of the crates, each with its file.
fn types() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in entries(&workspace_root().join("crates")) {
        for file in files_under(&folder.join("src"), "rs") {
            found.extend(types_in(&read(&file)).map(|name| (name.to_owned(), relative(&file))));
        }
    }
    found
}

fn types_in(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| {
        let item = line.trim_start().strip_prefix("pub ")?;
        let name = ["struct ", "enum ", "trait "].iter().find_map(|kind| item.strip_prefix(kind))?;
        name.split(|c: char| !c.is_alphanumeric()).next()
    })
}

/// Cuts `ChatModel` into `chat` and `model`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for letter in name.chars() {
        if letter.is_uppercase() || words.is_empty() {
            words.push(String::new());
        }
        words.last_mut().expect("it was pushed").extend(letter.to_lowercase());
    }
    words
}

/// Lists the terms of the glossary's first column.
fn terms(glossary: &str) -> impl Iterator<Item = &str> {
    let rows = glossary.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.filter_map(|row| row.split('|').nth(1)).flat_map(|cell| cell.split(',')).map(str::trim)
}

/// Lists the words that terms explain, singular and plural: `SHA-256` is `sha256`, and `SafeTensors` is also two words.
fn explained<'a>(terms: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let singular = terms.flat_map(str::split_whitespace).flat_map(|word| {
        let letters: String = word.chars().filter(|letter| letter.is_alphanumeric()).collect();
        let parts = words(&letters).into_iter().filter(|part| part.len() > 1);
        parts.chain([letters.to_lowercase()]).collect::<Vec<_>>()
    });
    singular.flat_map(|word| [format!("{word}s"), word]).collect()
}

/// Lists the words of types that have no entry, each with one of its types.
fn unexplained(types: &[(String, String)], explained: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut missing = BTreeMap::new();
    for (name, file) in types {
        let new = words(name).into_iter().filter(|word| !explained.contains(word));
        missing.extend(new.map(|word| (word, format!("{name} of {file}"))));
    }
    missing
}

mod tests {
    use super::*;

    fn glossary() -> String {
        read(&workspace_root().join("book/src/concepts/glossary.md"))
    }

    #[test]
    fn types_take_words_of_the_glossary() {
        let types = types();
        assert!(types.len() > 100, "only {} types found", types.len());
        let missing = unexplained(&types, &explained(terms(&glossary())));
        assert!(missing.is_empty(), "words of types that the glossary lacks: {missing:#?}");
    }

    #[test]
    fn a_term_has_one_entry_in_its_place() {
        let glossary = glossary();
        let mut seen = BTreeSet::new();
        for term in terms(&glossary) {
            assert!(seen.insert(term.to_lowercase()), "{term} has two entries");
        }
        let rows = glossary.lines().filter(|line| line.starts_with("| ")).skip(1);
        let first = |row: &str| row.chars().find(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase());
        let letters: Vec<_> = rows.map(first).collect();
        assert!(letters.is_sorted(), "the glossary is not in order");
    }

    #[test]
    fn words_without_an_entry_are_found() {
        let table = "| word | meaning |\n| --- | --- |\n| chat | talk |\n| end of turn, SafeTensors | x |\n| SHA-256 | y |\n";
        let explained = explained(terms(table));
        let missing = |name: &str| {
            let types = [(name.to_owned(), "a.rs".to_owned())];
            unexplained(&types, &explained).into_keys().collect::<Vec<_>>()
        };
        for known in ["ChatTurn", "ChatsTurns", "SafeTensors", "Sha256"] {
            assert_eq!(missing(known), [""; 0], "{known}");
        }
        assert_eq!(missing("ChatModel"), ["model"]);
        assert_eq!(missing("Talk"), ["talk"], "what stands in the meaning explains nothing");
    }

    #[test]
    fn public_types_are_found() {
        let source =
            "pub struct A<T>(T);\n    pub enum Bc {\npub(crate) struct D;\npub fn e() {}\npub trait F: G {\n";
        assert_eq!(types_in(source).collect::<Vec<_>>(), ["A", "Bc", "F"]);
        assert_eq!(words("ChatModelX2"), ["chat", "model", "x2"]);
    }
}
