//! The pages that people read: every link leads somewhere, every code block ends, and the book lists all its pages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::tree::{files_under, read, relative, workspace_root};

/// A page, cut into what is prose and what is code.
struct Page {
    /// Everything outside code blocks.
    prose: String,
    /// The names that headings can be reached by.
    anchors: BTreeSet<String>,
    /// A code block that does not end, by its line.
    open_fence: Option<usize>,
}

impl Page {
    fn parse(text: &str) -> Self {
        let mut prose = String::new();
        let mut anchors = BTreeSet::new();
        let mut fence: Option<usize> = None;
        for (line, number) in text.lines().zip(1..) {
            let info = line.trim_start().strip_prefix("```");
            match (info, fence) {
                (Some(_), None) => fence = Some(number),
                (Some(info), Some(_)) if info.trim().is_empty() => fence = None,
                // A block that begins inside another one: the first was never closed.
                (Some(_), Some(_)) => break,
                (None, Some(_)) => {}
                (None, None) => {
                    let heading = line.trim_start_matches('#');
                    if heading.len() < line.len() && heading.starts_with(' ') {
                        let anchor = anchor(heading.trim());
                        let again = (1..).map(|count| format!("{anchor}-{count}"));
                        let free =
                            [anchor.clone()].into_iter().chain(again).find(|name| !anchors.contains(name));
                        anchors.extend(free);
                    }
                    prose.push_str(line);
                    prose.push('\n');
                }
            }
        }
        Self { prose, anchors, open_fence: fence }
    }

    /// Lists the targets of its links that do not leave the repository.
    fn links(&self) -> Vec<&str> {
        // What stands between backquotes is code.
        let text = self.prose.split('`').step_by(2);
        let inline = text.flat_map(|text| text.split("](").skip(1)).filter_map(|rest| rest.split_once(')'));
        let defined = self.prose.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: "));
        let targets = inline.map(|(target, _)| target).chain(defined.map(|(_, target)| target));
        targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).collect()
    }
}

/// Returns the name under which mdBook and forges let others link to a heading.
fn anchor(heading: &str) -> String {
    let mut text = String::new();
    for piece in heading.split("](") {
        text.push_str(if text.is_empty() {
            piece
        } else {
            piece.split_once(')').map_or("", |(_, rest)| rest)
        });
    }
    let letters = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    letters.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Lists what is wrong with `pages`. `exists` says what else there is to link to.
fn faults(pages: &BTreeMap<PathBuf, Page>, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, page) in pages {
        if let Some(line) = page.open_fence {
            faults.push(format!("{}:{line}: the code block does not end", path.display()));
        }
        for link in page.links() {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { joined(path, file) };
            let in_book = |path: &Path| path.starts_with("book/src");
            let fault = match pages.get(&target) {
                _ if in_book(path) && !in_book(&target) => "leaves the book, where it leads nowhere",
                Some(page) if !anchor.is_empty() && !page.anchors.contains(anchor) => {
                    "there is no such heading"
                }
                None if !exists(&target) => "there is no such file",
                _ => continue,
            };
            faults.push(format!("{}: {link}: {fault}", path.display()));
        }
    }
    faults
}

/// Returns where a link from `page` to `file` leads.
fn joined(page: &Path, file: &str) -> PathBuf {
    let mut target = page.parent().expect("a page lies in a folder").to_owned();
    for part in Path::new(file).components() {
        match part {
            Component::ParentDir => {
                target.pop();
            }
            part => target.push(part),
        }
    }
    target
}

/// Reads the pages that are meant for readers, by their paths from the root.
fn pages() -> BTreeMap<PathBuf, Page> {
    let root = workspace_root();
    let mut paths: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "fuzz/RUNS.md"]
            .iter()
            .map(|page| root.join(page))
            .collect();
    for folder in ["docs", "book/src", "models"] {
        paths.extend(files_under(&root.join(folder), "md"));
    }
    paths.iter().map(|path| (relative(path).into(), Page::parse(&read(path)))).collect()
}

mod tests {
    use super::*;

    #[test]
    fn links_lead_somewhere_and_code_blocks_end() {
        let root = workspace_root();
        let pages = pages();
        assert!(pages.len() > 20, "only {} pages found", pages.len());
        let faults = faults(&pages, |path| root.join(path).exists());
        assert!(faults.is_empty(), "pages lost their way:\n{}", faults.join("\n"));
    }

    #[test]
    fn book_lists_all_its_pages() {
        let source = workspace_root().join("book/src");
        let summary = Page::parse(&read(&source.join("SUMMARY.md")));
        let listed: BTreeSet<_> = summary.links().into_iter().map(PathBuf::from).collect();
        let pages = files_under(&source, "md").into_iter();
        let pages = pages.map(|path| path.strip_prefix(&source).expect("it lies there").to_owned());
        let found: BTreeSet<_> = pages.filter(|path| path != Path::new("SUMMARY.md")).collect();
        let unlisted: Vec<_> = found.difference(&listed).collect();
        let missing: Vec<_> = listed.difference(&found).collect();
        assert!(
            unlisted.is_empty() && missing.is_empty(),
            "SUMMARY.md lacks {unlisted:?} and invents {missing:?}"
        );
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

    #[test]
    fn dead_links_are_faults() {
        let check = |link: &str| {
            let texts = [
                (
                    "book/src/a.md",
                    format!("# A\n\n## Deep `sea`, twice\n\n## Deep sea twice\n\n[x]({link})\n"),
                ),
                ("book/src/part/b.md", "# [B](../a.md) & c\n".to_owned()),
            ];
            let pages = texts.iter().map(|(path, text)| (PathBuf::from(path), Page::parse(text))).collect();
            faults(&pages, |path| path == Path::new("book/src/image.svg")).concat()
        };
        for sound in ["part/b.md", "#deep-sea-twice-1", "part/b.md#b--c", "image.svg", "https://a.example/b"]
        {
            assert_eq!(check(sound), "", "{sound}");
        }
        assert!(check("part/c.md").contains("no such file"));
        assert!(check("#deep-sea").contains("no such heading"));
        assert!(check("part/b.md#b").contains("no such heading"));
        assert!(check("../../README.md").contains("leaves the book"));
    }

    #[test]
    fn open_code_blocks_are_found() {
        assert_eq!(Page::parse("```sh\na\n```\n\n    ```\n").open_fence, Some(5));
        assert_eq!(Page::parse("```sh\na\n\n```json\n{}\n```\n").open_fence, Some(1));
        assert_eq!(Page::parse("```sh\n[a](b)\n```\n`[a](c)` [d](e)\n").links(), ["e"]);
    }
}
