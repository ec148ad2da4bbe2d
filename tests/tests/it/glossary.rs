//! The words that public types are named with have one meaning each, written down in the book's glossary.
//!
//! The list of words that still lack an entry may only shrink: a new type takes words from the glossary, adds its word
//! there, or stays private.

use std::collections::BTreeMap;

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

/// Lists the words that the glossary's first column explains, singular and plural.
fn explained(glossary: &str) -> Vec<String> {
    let rows = glossary.lines().filter(|line| line.starts_with("| ")).skip(1);
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let words = cells.flat_map(|cell| cell.split([' ', ',']).filter(|word| !word.is_empty()));
    words.flat_map(|word| [word.to_lowercase(), format!("{}s", word.to_lowercase())]).collect()
}

/// Lists what breaks the rule: words without an entry that are not in `missing`, and rows of `missing` without need.
fn faults(types: &[(String, String)], explained: &[String], missing: &[&str]) -> Vec<String> {
    let mut unexplained: BTreeMap<String, &(String, String)> = BTreeMap::new();
    for found in types {
        let new = words(&found.0).into_iter().filter(|word| !explained.contains(word));
        unexplained.extend(new.map(|word| (word, found)));
    }
    let without = unexplained.iter().filter(|(word, _)| !missing.contains(&word.as_str()));
    let without =
        without.map(|(word, (name, file))| format!("{word}: in {name} of {file}, not in the glossary"));
    let needless = missing.iter().filter(|word| !unexplained.contains_key(**word));
    without
        .chain(needless.map(|word| format!("{word}: no longer missing; remove it from the list")))
        .collect()
}

mod tests {
    use super::*;

    #[test]
    fn new_types_take_words_of_the_glossary() {
        let root = workspace_root();
        let missing = read(&root.join("tests/glossary-missing.txt"));
        let missing: Vec<_> = missing.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(missing.is_sorted(), "tests/glossary-missing.txt is not in order");
        let types = types();
        assert!(types.len() > 100, "only {} types found", types.len());
        let faults = faults(&types, &explained(&read(&root.join("book/src/concepts/glossary.md"))), &missing);
        assert!(faults.is_empty(), "types and glossary disagree:\n{}", faults.join("\n"));
    }

    #[test]
    fn words_without_an_entry_are_faults() {
        let glossary =
            explained("| word | meaning |\n| --- | --- |\n| chat | talk |\n| end of turn | a token |\n");
        let check = |name: &str, missing: &[&str]| {
            faults(&[(name.to_owned(), "a.rs".to_owned())], &glossary, missing).concat()
        };
        assert_eq!(check("ChatTurn", &[]), "");
        assert_eq!(check("ChatsTurns", &[]), "");
        assert_eq!(check("ChatModel", &["model"]), "");
        assert!(check("ChatModel", &[]).contains("model: in ChatModel of a.rs"));
        assert!(check("ChatTurn", &["turn"]).contains("no longer missing"));
    }

    #[test]
    fn public_types_are_found() {
        let source =
            "pub struct A<T>(T);\n    pub enum Bc {\npub(crate) struct D;\npub fn e() {}\npub trait F: G {\n";
        assert_eq!(types_in(source).collect::<Vec<_>>(), ["A", "Bc", "F"]);
        assert_eq!(words("ChatModelX2"), ["chat", "model", "x2"]);
    }
}
