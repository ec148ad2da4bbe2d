//! `stack analyze`, `stack oracle` and `stack content`, as somebody types them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use tempfile::TempDir;

use crate::stack::{Ran, command, stack, stack_with_stdin};

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn analyze(folder: &TempDir, options: &[&str]) -> Ran {
    stack(&[&["analyze", text(folder.path())], options].concat())
}

#[test]
fn languages_are_told_with_files_lines_and_shares() {
    let python = "x = 1\n\n".repeat(40);
    let shell = "ls\n".repeat(30);
    let folder = folder(&[("a.py", &python), ("b.py", &python), ("c.py", &python), ("d.sh", &shell)]);
    let told = analyze(&folder, &["--languages"]).output();
    assert_eq!(
        told,
        "Primary language: Python\n  Python 3 files, 120 lines (80.0 %)\n  Shell 1 file, 30 lines (20.0 %)\n"
    );
    let report = analyze(&folder, &["--languages", "--json"]).json();
    assert_eq!(
        (&report["primary_language"], &report["languages"][0]["share"]),
        (&json!("Python"), &json!(80.0))
    );
    assert_eq!(report["score"], json!(null));
}

#[test]
fn without_a_section_named_everything_is_told() {
    let requirements = (0..41).map(|number| format!("p{number}\n")).collect::<Vec<_>>().concat() + "torch\n";
    let folder = folder(&[("a.py", "import openai\n"), ("requirements.txt", &requirements)]);
    let told = analyze(&folder, &[]).output();
    for line in [
        "Primary language: Python",
        "  pip (42 packages), ML frameworks: torch, without a lock file",
        "Score: 70.0/100 (B)",
        "  a.py:1 import openai (OpenAI) needs standard",
        "  a client of OpenAI: set OPENAI_BASE_URL=http://127.0.0.1:8084/v1",
        "    stack serve MODEL",
    ] {
        assert!(told.contains(line), "{line:?} is not in:\n{told}");
    }
}

#[test]
fn a_grade_below_the_bar_ends_with_twelve() {
    let folder = folder(&[("a.py", "print(1)\n")]);
    let told = analyze(&folder, &["--tdg", "--min-grade", "B"]).output();
    assert!(told.starts_with("Score: 75.0/100 (B)\n  −10.0 no tests\n"), "{told}");
    let ran = analyze(&folder, &["--tdg", "--min-grade", "a"]);
    assert_eq!(ran.code, 12, "{}", ran.stderr);
    assert!(ran.stdout.contains("75.0/100 (B)") && ran.stderr.contains("less than A"), "{}", ran.stderr);
    analyze(&folder, &["--min-grade", "E"]).fails(2, &["expected A+, A, B, C or D"]);
    stack(&["analyze", "/nowhere/at/all"]).fails(3, &["/nowhere/at/all cannot be read"]);
}

#[test]
fn calls_beyond_the_tier_sovereign_end_with_twelve() {
    let folder = folder(&[("a.py", "url = 'https://api.openai.com/v1'\n")]);
    let scan = |tier: &str| {
        let mut command = command(&["analyze", text(folder.path()), "--egress"]);
        Ran::from(command.env("STACK_PRIVACY", tier).output().unwrap())
    };
    let found = scan("sovereign");
    assert_eq!(found.code, 12);
    assert!(
        found.stdout.contains("  a.py:1 host api.openai.com (OpenAI) needs standard"),
        "{}",
        found.stdout
    );
    assert_eq!(scan("standard").code, 0);
    fs::write(folder.path().join("a.py"), "url = 'http://localhost:11434/api'\n").unwrap();
    assert_eq!(scan("sovereign").code, 0);
}

#[test]
fn nothing_is_written_where_something_is_read() {
    let folder = folder(&[("a.py", "print(1)\n"), ("chapter.md", "# A\n\nText.\n")]);
    let before = names(folder.path());
    analyze(&folder, &[]).output();
    stack(&["content", "validate", "--type", "bch", text(&folder.path().join("chapter.md"))]).output();
    assert_eq!(names(folder.path()), before);
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_oracle_names_command_confidence_and_example() {
    let question = "How do I serve a Llama model locally?";
    let told = stack(&["oracle", question]).output();
    for line in [
        "Class:     Inference",
        "Use:       stack serve (engine), confidence 0.85",
        "With:      registry (registry), confidence 0.70",
        "Try:       stack serve MODEL",
    ] {
        assert!(told.contains(line), "{line:?} is not in:\n{told}");
    }
    assert_eq!(stack(&["oracle", question]).output(), told);
    assert_eq!(stack(&["oracle", question, "--format", "code"]).output(), "stack serve MODEL\n");
    assert!(
        stack(&["oracle", question, "--format", "markdown"])
            .output()
            .contains("- **Try**: `stack serve MODEL`")
    );
}

#[test]
fn what_lies_outside_is_said_to() {
    let report = stack(&["oracle", "Train random forest on 1M samples", "--json"]).json();
    assert_eq!(
        (&report["class"], &report["algorithm"]),
        (&json!("Supervised learning"), &json!("random_forest"))
    );
    assert_eq!((&report["data_size"], &report["distributed"]), (&json!(1_000_000), &json!(false)));
    let primary = &report["primary"];
    assert_eq!((&primary["name"], &primary["external"]), (&json!("aprender"), &json!(true)));
    assert_eq!(
        (&primary["confidence"], &primary["module"]),
        (&json!(0.9), &json!("aprender::tree::RandomForestClassifier"))
    );
    let recommended =
        stack(&["oracle", "--recommend", "--problem", "random forest", "--data-size", "1M", "--json"]);
    assert_eq!(recommended.json()["data_size"], json!(1_000_000));
    let told = stack(&["oracle", "Train random forest on 1M samples"]).output();
    assert!(told.contains(
        "aprender (external, not part of the stack), aprender::tree::RandomForestClassifier, confidence 0.90"
    ));
}

#[test]
fn unknown_names_end_with_three_and_the_nearest() {
    stack(&["oracle", "--show", "srve"])
        .fails(3, &["there is no component srve", "did you mean `stack serve`"]);
    stack(&["oracle", "--recipe", "none"]).fails(3, &["there is no recipe none"]);
    stack(&["oracle", "What is the weather in Paris?"]).fails(3, &["nothing here answers that"]);
    stack(&["oracle"]).fails(2, &["there is no question"]);
    stack(&["oracle", "--integrate", "engine"]).fails(2, &["takes two components"]);
    let list = stack(&["oracle", "--list"]).output();
    assert!(
        list.contains("engine\n  stack run") && list.contains("external (not part of the stack)\n  aprender"),
        "{list}"
    );
    let capabilities = stack(&["oracle", "--capabilities", "engine", "--json"]).json();
    assert!(!capabilities["capabilities"].as_array().unwrap().is_empty());
    let joined = stack(&["oracle", "--integrate", "registry,engine"]).output();
    assert_eq!(joined, "stack pull hf://OWNER/REPO\nstack list\nstack serve MODEL\n");
}

#[test]
fn questions_can_be_asked_one_after_the_other() {
    let typed = b"help\nshow aprendr\nshow engine\ncaps engine\nhow do I delete a model?\nexit\nlist\n";
    let ran = stack_with_stdin(&["oracle", "-i"], typed);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no component aprendr"), "{}", ran.stderr);
    assert!(ran.stdout.contains("engine (engine)") && ran.stdout.contains("stack rm"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("external (not part"), "what follows exit is not read");
}

#[test]
fn an_answer_without_sources_is_not_known() {
    // The built-in model tells stories, and says nothing that stands in the book.
    let report = stack(&["oracle", "How do I delete a model?", "--answer", "--json"]).json();
    for sentence in report["sentences"].as_array().unwrap() {
        assert!(sentence["source"].is_string(), "{sentence}");
    }
    assert_eq!(report["known"], json!(!report["sentences"].as_array().unwrap().is_empty()));
    assert_eq!(stack(&["oracle", "What is the weather in Paris?", "--answer"]).output(), "not known\n");
}

#[test]
fn types_are_listed_with_their_lengths() {
    let told = stack(&["content", "types"]).output();
    let words: Vec<Vec<&str>> = told.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words.iter().map(|line| line[0]).collect::<Vec<_>>(), ["HLO", "DLO", "BCH", "BLP", "PDM"]);
    for length in ["50–200 lines", "200–1 000 lines", "2 000–8 000 words", "500–3 000 words"] {
        assert!(told.contains(length), "{length} is not in:\n{told}");
    }
}

#[test]
fn a_prompt_is_printed_or_written() {
    let emit = ["content", "emit", "--type", "bch", "--title", "Error Handling", "--audience", "developers"];
    let prompt = stack(&emit).output();
    assert!(prompt.contains("- Title: Error Handling\n- Audience: developers\n"), "{prompt}");
    let folder = folder(&[]);
    let path = folder.path().join("prompt.md");
    assert_eq!(stack(&[&emit[..], &["-o", text(&path)]].concat()).output(), "");
    assert_eq!(fs::read_to_string(path).unwrap(), prompt);
    stack(&["content", "emit", "--type", "poem", "--title", "A"])
        .fails(2, &["expected hlo, dlo, bch, blp or pdm"]);
}

#[test]
fn the_budget_is_estimated_or_counted() {
    let budget = |options: &[&str]| {
        let emit = ["content", "emit", "--type", "bch", "--title", "A", "--show-budget", "--json"];
        stack(&[&emit[..], options].concat()).json()["budget"].clone()
    };
    let estimated = budget(&[]);
    assert_eq!((&estimated["system"], &estimated["few_shot"]), (&json!(2000), &json!(1500)));
    assert_eq!((&estimated["output"], &estimated["margin"]), (&json!(5200), &json!(191_300)));
    assert_eq!(budget(&["--word-count", "100"])["output"], json!(130));
    // The built-in model has a context of a few hundred tokens.
    let emit = ["content", "emit", "--type", "bch", "--title", "A", "--show-budget", "--model", "default"];
    stack(&emit).fails(11, &["error[over-budget]: ", "tokens are needed, and the context has"]);
}

#[test]
fn sources_are_numbered_and_without_secrets() {
    let folder = folder(&[("src/a.py", "x = 1\nkey = \"ghp_0123456789abcdefABCDEF0123456789abcd\"\n")]);
    let source = folder.path().join("src");
    let emit = ["content", "emit", "--type", "blp", "--title", "A", "--source-context", text(&source)];
    let prompt = stack(&emit).output();
    assert!(
        prompt.contains("    1 | x = 1\n    2 | key = ") && !prompt.contains("ghp_0123456789"),
        "{prompt}"
    );
    assert!(prompt.contains("Cite the source of every fact as [path:line]"), "{prompt}");
}

#[test]
fn texts_below_the_bar_end_with_twelve() {
    let check = |kind: &str, text: &str| {
        stack_with_stdin(&["content", "validate", "--type", kind, "-", "--json"], text.as_bytes())
    };
    for (kind, text, score, code) in [
        ("bch", "# A\n\n```rust\nfn main() {}\n", 75, 12),
        ("blp", "# A\n\nText.\n", 50, 12),
        ("BCH", "In this chapter we will learn", 80, 0),
        ("book-chapter", "# A\n\n```sh\n# no heading\n#### nor this\n```\n", 100, 0),
    ] {
        let ran = check(kind, text);
        assert_eq!(ran.code, code, "{text}\n{}", ran.stderr);
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["score"], json!(score), "{text}");
    }
}

#[test]
fn a_judge_changes_nothing() {
    let check = |options: &[&str]| {
        let validate = ["content", "validate", "--type", "bch", "-", "--json"];
        stack_with_stdin(&[&validate[..], options].concat(), b"# A\n\nText.\n")
    };
    let (plain, judged) = (check(&[]), check(&["--llm-judge"]));
    assert_eq!((plain.code, judged.code), (0, 0), "{}", judged.stderr);
    let (plain, judged) = (plain.json(), judged.json());
    assert_eq!(plain["score"], judged["score"]);
    assert_eq!(plain["judge"], json!(null));
}

#[test]
fn what_a_model_writes_is_judged_by_the_rules() {
    // The built-in model tells stories, and knows no front matter.
    let run = ["content", "run", "--type", "blp", "--title", "Dogs", "--word-count", "50", "--seed", "1"];
    let folder = folder(&[]);
    let path = folder.path().join("post.md");
    let ran = stack(&[&run[..], &["-o", text(&path), "--json"]].concat());
    assert_eq!(ran.code, 12, "{}{}", ran.stdout, ran.stderr);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["report"]["violations"][0]["rule"], json!("frontmatter_present"), "{report}");
    assert!(
        report["repairs"].as_u64().unwrap() <= 2 && report["report"]["score"].as_u64().unwrap() <= 50,
        "{report}"
    );
    assert!(!fs::read_to_string(path).unwrap().is_empty());
    let long = ["content", "run", "--type", "bch", "--title", "Dogs"];
    stack(&long).fails(11, &["error[over-budget]: "]);
}

#[test]
fn a_closed_input_ends_the_questions() {
    let mut child = command(&["oracle", "-i"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"how do I sign a model?").unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("stack sign"), "{}", ran.stdout);
}
