use super::*;

/// Checks a text: its score, and the rules that it breaks.
fn checked(kind: Kind, text: &str) -> (u32, Vec<&'static str>) {
    let report = validate(kind, text);
    (report.score, report.violations.iter().map(|violation| violation.rule.name()).collect())
}

#[test]
fn the_figures_of_the_rules_hold() {
    assert_eq!(checked(Kind::BookChapter, "# A\n\n```rust\nfn main() {}\n"), (75, vec!["code_block_closed"]));
    assert_eq!(checked(Kind::BlogPost, "# A\n\nText.\n"), (50, vec!["frontmatter_present"]));
    let report = validate(Kind::BookChapter, "In this chapter we will learn");
    assert_eq!((report.score, report.passes()), (80, true));
    assert!(!validate(Kind::BlogPost, "# A\n").passes());
    assert!(!validate(Kind::BookChapter, "```rust\n").passes());
    assert_eq!(checked(Kind::BookChapter, "# A\n\nI think so.\n"), (98, vec!["instructor_voice"]));
    assert_eq!(checked(Kind::BookChapter, "# A\n\n```\nx\n```\n"), (90, vec!["code_block_language"]));
    assert_eq!(checked(Kind::BookChapter, "# A\n\n### B\n"), (75, vec!["heading_hierarchy"]));
    assert_eq!(validate(Kind::BookChapter, &"# A\n\n### B\n\n".repeat(9)).score, 0);
}

#[test]
fn lines_are_those_of_the_file() {
    let report = validate(Kind::BookChapter, "# A\n\nSome text\nand in this section\nmore.\n\n#### B\n");
    let places: Vec<(u32, &str)> =
        report.violations.iter().map(|found| (found.line, found.message.as_str())).collect();
    assert_eq!(places, [(4, "\"in this section\""), (7, "level 4 follows level 1")]);
    assert_eq!((report.words, report.lines), (9, 7));
}

/// Thirty texts without a fault.
const GOOD: &[(Kind, &str)] = &[
    (Kind::BookChapter, "# A\n\nText.\n"),
    (Kind::BookChapter, "# A\n\n## B\n\n### C\n\n## D\n"),
    (Kind::BookChapter, "## A\n\n### B\n"),
    (Kind::BookChapter, "# A\n\n```sh\n# a comment\n#### not a heading\n```\n\n## B\n"),
    (Kind::BookChapter, "# A\n\n~~~python\n### x\n~~~\n"),
    (Kind::BookChapter, "# A\n\n    #### indented code\n\n## B\n"),
    (Kind::BookChapter, "A\n=\n\nB\n-\n"),
    (Kind::BookChapter, "# A\n\n````md\n```rust\nx\n```\n````\n"),
    (Kind::BookChapter, "# A\n\n- x\n\n  ```rust\n  y\n  ```\n"),
    (Kind::BookChapter, "# A\n\n> ```rust\n> x\n> ```\n"),
    (Kind::BookChapter, "# A\n\n```rust,ignore\nx\n```\n"),
    (Kind::BookChapter, "# A\n\n```text\nIn this chapter we will learn\n```\n"),
    (Kind::BookChapter, "# A\n\n`in this chapter` is a phrase.\n"),
    (Kind::BookChapter, "---\ntitle: In this chapter\n---\n\n# A\n"),
    (Kind::BookChapter, "# A\n\n## B {#b}\n\n| a | b |\n| - | - |\n| c | d |\n"),
    (Kind::BookChapter, "# A\r\n\r\n```rust\r\nx\r\n```\r\n\r\n## B\r\n"),
    (Kind::BookChapter, "# A\n\nUse I/O and Part I.\n"),
    (Kind::BookChapter, "# A\n\n```rust\n```\n"),
    (Kind::BookChapter, "# A\n\n<div>\n\n## B\n\n</div>\n"),
    (Kind::BookChapter, ""),
    (Kind::BlogPost, "+++\ntitle = \"A\"\n+++\n\n# A\n"),
    (Kind::BlogPost, "+++\ntitle = \"# A\"\ndate = 2026-01-01\n+++\n\n## A\n\nText.\n"),
    (Kind::BlogPost, "+++\n+++\nText.\n"),
    (Kind::BlogPost, "+++\r\ntitle = \"A\"\r\n+++\r\n\r\nText.\r\n"),
    (Kind::BlogPost, "+++\ntitle = \"A\"\n+++\n\n```diff\n+++ b/x\n--- a/x\n```\n"),
    (Kind::HighLevelOutline, "# A\n\n- one\n- two\n"),
    (Kind::HighLevelOutline, "title: A\nparts:\n  - name: B\n"),
    (Kind::DetailedOutline, "# A\n\n## B\n\n1. x\n\n   - y\n"),
    (Kind::DetailedOutline, "# An outline\n#### of errors\ntitle: A\nsections:\n  - I think so\n"),
    (Kind::PresentationDemo, "<html><body><h1>A</h1></body></html>\n"),
];

/// Thirty texts with one sort of fault.
const BROKEN: &[(Kind, &str, &str)] = &[
    (Kind::BookChapter, "# A\n\n```rust\nx\n", "code_block_closed"),
    (Kind::BookChapter, "# A\n\n~~~rust\nx\n```\n", "code_block_closed"),
    (Kind::BookChapter, "# A\n\n```rust\nx\n\nText.\n\n```rust\ny\n```\n", "code_block_closed"),
    (Kind::BookChapter, "# A\n\n````rust\nx\n```\n", "code_block_closed"),
    (Kind::BookChapter, "# A\n\n- x\n\n  ```rust\n  y\n\n## B\n", "code_block_closed"),
    (Kind::BookChapter, "# A\n\n> ```rust\n> x\n\nText.\n", "code_block_closed"),
    (Kind::BookChapter, "# A\n\n```rust", "code_block_closed"),
    (Kind::BookChapter, "# A\n\n```\nx\n```\n", "code_block_language"),
    (Kind::BookChapter, "# A\n\n~~~\nx\n~~~\n", "code_block_language"),
    (Kind::BookChapter, "# A\n\n- x\n\n  ```\n  y\n  ```\n", "code_block_language"),
    (Kind::BookChapter, "# A\n\n### B\n", "heading_hierarchy"),
    (Kind::BookChapter, "### A\n", "heading_hierarchy"),
    (Kind::BookChapter, "# A\n\n## B\n\n#### C\n", "heading_hierarchy"),
    (Kind::BookChapter, "A\n=\n\n### B\n", "heading_hierarchy"),
    (Kind::BookChapter, "# A\n\n```sh\n## x\n```\n\n### B\n", "heading_hierarchy"),
    (Kind::BookChapter, "# A\n\n> ### B\n", "heading_hierarchy"),
    (Kind::BookChapter, "# A\n\nIn this chapter, errors.\n", "no_meta_commentary"),
    (Kind::BookChapter, "# A\n\nWe will learn things.\n", "no_meta_commentary"),
    (Kind::BookChapter, "# A\n\nLet's dive in.\n", "no_meta_commentary"),
    (Kind::BookChapter, "# A\n\nThis section\ncovers errors.\n", "no_meta_commentary"),
    (Kind::BookChapter, "# A\n\nAs mentioned earlier, no.\n", "no_meta_commentary"),
    (Kind::BookChapter, "# A\n\n- **In this** section\n", "no_meta_commentary"),
    (Kind::BookChapter, "# A\n\nI think so.\n", "instructor_voice"),
    (Kind::BookChapter, "# A\n\nIn my opinion, no.\n", "instructor_voice"),
    (Kind::BlogPost, "# A\n", "frontmatter_present"),
    (Kind::BlogPost, "---\ntitle: A\n---\n\n# A\n", "frontmatter_present"),
    (Kind::BlogPost, "+++\ntitle = \"A\"\n\n# A\n", "frontmatter_present"),
    (Kind::BlogPost, "+++\ntitle: A\n+++\n\n# A\n", "frontmatter_present"),
    (Kind::BlogPost, "\n+++\ntitle = \"A\"\n+++\n", "frontmatter_present"),
    (Kind::HighLevelOutline, "# A\n\n### B\n", "heading_hierarchy"),
];

#[test]
fn good_texts_have_no_fault() {
    assert_eq!(GOOD.len(), 30);
    for (kind, text) in GOOD {
        assert_eq!(checked(*kind, text), (100, Vec::new()), "{text}");
    }
}

#[test]
fn broken_texts_have_their_fault() {
    assert_eq!(BROKEN.len(), 30);
    for (kind, text, rule) in BROKEN {
        let (score, rules) = checked(*kind, text);
        assert!(score < 100 && rules.iter().all(|found| found == rule), "{rules:?} for {rule} in {text}");
    }
}
