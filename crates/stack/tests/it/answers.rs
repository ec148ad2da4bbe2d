//! `stack run`: what a model answers.

use std::path::Path;

use serde_json::Value;
use stack_testkit::reference_data;

use crate::stack::{stack, stack_with_stdin};
use crate::tiny_model;

#[test]
fn greedy_continuations_are_those_of_the_reference() {
    let Some(folder) = reference_data("stories260K") else { return };
    let model = folder.join("stories260K.gguf");
    let greedy: Value = serde_json::from_slice(&std::fs::read(folder.join("greedy.json")).unwrap()).unwrap();
    let cases = greedy["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let prompt = case["prompt"].as_str().unwrap();
        let text = continued(&model, &["--max-tokens", "120", prompt]);
        assert!(text.starts_with(case["text_starts_with"].as_str().unwrap()), "{text:?}");
    }
}

#[test]
fn the_default_model_answers_without_any_file() {
    let run = ["run", "--seed", "1", "--json", "Tell me a story about a dog."];
    let answer = stack(&run).json();
    assert_eq!((&answer["model"], &answer["finish_reason"]), (&"default".into(), &"stop".into()));
    assert!(answer["text"].as_str().unwrap().split(' ').count() > 20, "{answer}");
}

#[test]
fn a_draft_model_changes_no_answer_and_must_have_the_same_vocabulary() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let folder = |name: &str| {
        let folder = dir.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        folder
    };
    let same = tiny_model::write_with_texts(&folder("same"), &[("general.description", "a draft")]);
    let other = tiny_model::write_with_tokens(&folder("other"), &["<|more|>"]);
    let run = |more: &[&str]| {
        let model = ["run", "-m", path.to_str().unwrap(), "--raw", "-n", "20", "ab ab"];
        stack(&[&model, more].concat())
    };
    for sampling in [["--temperature", "0"], ["--seed", "7"]] {
        let plain = run(&[&sampling[..], &["--speculation", "off"]].concat()).output();
        let drafted = run(&[&sampling[..], &["--draft", same.to_str().unwrap()]].concat()).output();
        assert_eq!(drafted, plain);
    }
    run(&["--draft", other.to_str().unwrap()])
        .fails(2, &["draft model", "token 11 is \"<|more|>\" there and unused here", "hint: ", "--draft"]);
}

#[test]
fn the_prompt_may_come_through_a_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let run =
        ["run", "-m", path.to_str().unwrap(), "--raw", "--temperature", "0", "--max-tokens", "9", "--json"];
    let json = |stdin: &str, argument: Option<&str>| {
        let arguments: Vec<&str> = run.into_iter().chain(argument).collect();
        stack_with_stdin(&arguments, stdin.as_bytes()).json()
    };
    let piped = json("ab c\n", None);
    let given = json("", Some("ab c"));
    assert_eq!(piped["text"], given["text"]);
    assert_eq!(piped["usage"], given["usage"]);
    let both = json("c", Some("ab"));
    assert_eq!(both["usage"]["prompt_tokens"], json("", Some("ab\nc"))["usage"]["prompt_tokens"]);
}

#[test]
fn json_says_how_the_answer_came_about() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let run = ["run", "-m", path.to_str().unwrap(), "--json", "--seed", "7", "--max-tokens", "5", "ab"];
    let (first, second) = (stack(&run).json(), stack(&run).json());
    assert_eq!(first["text"], second["text"], "one seed, one answer");
    assert_eq!((&first["model"], &first["seed"]), (&"tiny".into(), &7.into()));
    assert!(["stop", "length"].contains(&first["finish_reason"].as_str().unwrap()));
    assert!(first["usage"]["prompt_tokens"].as_u64().unwrap() > 3, "the template adds to the prompt");
    assert!(first["usage"]["generated_tokens"].as_u64().unwrap() <= 5);
    for time in ["load_seconds", "queue_seconds", "prefill_seconds", "decode_seconds"] {
        assert!(first["timings"][time].as_f64().unwrap() >= 0.0, "{time}");
    }
}

#[test]
fn talk_stays_out_of_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let run = ["run", "-m", path.to_str().unwrap(), "--temperature", "0", "--max-tokens", "4", "ab"];
    let quiet = stack(&run);
    let verbose = stack(&[&run[..], &["--verbose"]].concat());
    assert_eq!(quiet.stderr, "");
    assert!(
        verbose.stderr.contains("tokens/s") && verbose.stderr.contains("loaded tiny"),
        "{}",
        verbose.stderr
    );
    assert_eq!(quiet.output(), verbose.output());
}

#[test]
fn a_stop_text_ends_the_answer() {
    let Some(model) = reference_data("stories260K/stories260K.gguf") else { return };
    let text = continued(&model, &["--stop", " named", "Once upon a time"]);
    assert_eq!(text, ", there was a little girl\n");
}

/// Lets a model continue a prompt, always with the most probable token.
fn continued(model: &Path, arguments: &[&str]) -> String {
    let run = ["run", "-m", model.to_str().unwrap(), "--raw", "--temperature", "0"];
    stack(&[&run, arguments].concat()).output()
}
