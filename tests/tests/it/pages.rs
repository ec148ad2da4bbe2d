//! The pages that people read: every link leads somewhere, and the book lists all its pages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace_root;

#[test]
fn relative_links_lead_somewhere() {
    let root = workspace_root();
    let mut dead = Vec::new();
    for page in pages(&root) {
        let folder = page.parent().expect("a page lies in a folder");
        for link in links(&read(&page)) {
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") && !folder.join(file).exists() {
                dead.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

#[test]
fn book_lists_all_its_pages() {
    let source = workspace_root().join("book/src");
    let listed: BTreeSet<PathBuf> =
        links(&read(&source.join("SUMMARY.md"))).into_iter().map(|link| source.join(link)).collect();
    let mut found = BTreeSet::new();
    markdown_under(&source, &mut found);
    found.remove(&source.join("SUMMARY.md"));
    assert_eq!(listed, found);
}

#[test]
fn readme_starts_with_the_two_commands() {
    let readme = read(&workspace_root().join("README.md"));
    let block = readme.split("```").nth(1).expect("the README has a code block");
    let commands: Vec<&str> = block.lines().skip(1).filter(|line| !line.is_empty()).collect();
    assert_eq!(
        commands,
        [r#"cargo run --release -- run "Tell me a story about a dog.""#, "cargo test --workspace"],
    );
}

/// Lists the Markdown pages that are meant for readers.
fn pages(root: &Path) -> BTreeSet<PathBuf> {
    let mut pages = BTreeSet::new();
    for page in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        pages.insert(root.join(page));
    }
    for folder in ["docs", "book/src", "models"] {
        markdown_under(&root.join(folder), &mut pages);
    }
    pages
}

fn markdown_under(folder: &Path, pages: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("its entries can be read").path();
        if path.is_dir() {
            markdown_under(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.insert(path);
        }
    }
}

/// Lists the targets of the inline links of a page, those in code blocks left out.
fn links(page: &str) -> Vec<String> {
    let prose = page.split("```").step_by(2);
    let targets = prose.flat_map(|text| text.split("](").skip(1).filter_map(|rest| rest.split_once(')')));
    targets.map(|(target, _)| target.to_owned()).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
