//! Files stay small enough to be proofread in one sitting.
//!
//! `docs/STYLE.md` aims at 300 lines, looks twice at 500 and splits before 800. The list of what is larger than 400
//! may only shrink.

use std::path::Path;

use crate::tree::{files_under, read, relative, workspace_root};

/// Lists what is wrong with the sizes of `files`, each a path and its production lines.
fn faults(files: &[(String, usize)], large: &[(&str, usize)], exempt: &[(&str, &str)]) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, lines) in files {
        if exempt.iter().any(|(file, _)| file == path) {
            continue;
        }
        let limit = large.iter().find(|(file, _)| file == path).map(|(_, limit)| *limit);
        if *lines > LINES_MAX {
            faults.push(format!("{path}: {lines} lines; split it before {LINES_MAX}"));
        } else if *lines > limit.unwrap_or(LINES_WITHOUT_ROW) {
            let limit = limit.unwrap_or(LINES_WITHOUT_ROW);
            faults.push(format!("{path}: {lines} lines are above its limit of {limit}; split it"));
        } else if limit.is_some() && *lines <= LINES_WITHOUT_ROW {
            faults.push(format!("{path}: {lines} lines need no row in the list of large files; remove it"));
        }
    }
    for file in large.iter().map(|(file, _)| file).chain(exempt.iter().map(|(file, _)| file)) {
        if !files.iter().any(|(path, _)| path == file) {
            faults.push(format!("{file}: listed here, but there is no such file"));
        }
    }
    faults
}

/// Counts the lines of a source file before its tests, which stand at the very bottom.
fn production_lines(source: &str) -> usize {
    let lines: Vec<&str> = source.lines().collect();
    let is_tests =
        |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{');
    lines.windows(2).position(is_tests).unwrap_or(lines.len())
}

fn production_files(root: &Path) -> Vec<(String, usize)> {
    let folders = ["crates", "benches", "models/recipe"];
    let sources = folders.iter().flat_map(|folder| files_under(&root.join(folder), "rs"));
    let counted = sources.map(|path| (relative(&path), production_lines(&read(&path))));
    counted.filter(|(path, _)| !path.contains("/tests/") && !path.ends_with("/tests.rs")).collect()
}

/// No file is longer, whatever the list says.
const LINES_MAX: usize = 800;

/// Files up to this length need no row in the list.
const LINES_WITHOUT_ROW: usize = 400;

/// Files that are longer today, and how long they may be. Rows go away, and limits go down.
const LARGE: &[(&str, usize)] = &[
    ("crates/stack-engine/src/template/jinja/expressions.rs", 450),
    ("crates/stack-engine/src/template/jinja/parser.rs", 450),
    ("crates/stack-engine/src/template/jinja/value.rs", 430),
    ("crates/stack-engine/src/tokenizer/pretokenizers.rs", 480),
    ("crates/stack-engine/src/weights/safetensors/family.rs", 520),
    ("crates/stack-engine/src/weights/safetensors/keys.rs", 430),
];

/// Files that may have any length, and why.
const EXEMPT: &[(&str, &str)] = &[(
    "crates/stack-engine/src/spec/architectures.rs",
    "a table with one row for each architecture: data, without a branch; reading one row needs no other",
)];

mod tests {
    use super::*;

    #[test]
    fn no_file_outgrows_its_readers() {
        let files = production_files(&workspace_root());
        assert!(files.len() > 300, "only {} files found", files.len());
        let faults = faults(&files, LARGE, EXEMPT);
        assert!(faults.is_empty(), "files outgrew their readers:\n{}", faults.join("\n"));
    }

    #[test]
    fn files_above_their_limit_are_faults() {
        let check = |lines, large: &[(&str, usize)], exempt: &[(&str, &str)]| {
            faults(&[("a.rs".to_owned(), lines)], large, exempt).concat()
        };
        assert_eq!(check(400, &[], &[]), "");
        assert_eq!(check(450, &[("a.rs", 450)], &[]), "");
        assert_eq!(check(900, &[], &[("a.rs", "data")]), "");
        assert!(check(401, &[], &[]).contains("above its limit of 400"));
        assert!(check(451, &[("a.rs", 450)], &[]).contains("above its limit of 450"));
        assert!(check(801, &[("a.rs", 900)], &[]).contains("split it before 800"));
        assert!(check(400, &[("a.rs", 450)], &[]).contains("remove it"));
        assert!(check(1, &[("b.rs", 450)], &[]).contains("b.rs: listed here"));
    }

    #[test]
    fn tests_at_the_bottom_do_not_count() {
        assert_eq!(production_lines("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
        assert_eq!(production_lines("#[cfg(test)]\nmod reference;\na\nb\n"), 4);
    }
}
