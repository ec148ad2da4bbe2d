//! `stack run`: answers of a certain form, events, and many prompts at once.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::stack::stack;
use crate::tiny_model;

/// Writes a file and returns its path.
fn file(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_answer_follows_its_schema() {
    let dir = tempfile::tempdir().unwrap();
    let schema = file(
        dir.path(),
        "mood.json",
        r#"{"type": "object", "properties": {"mood": {"enum": ["happy", "sad"]}}, "required": ["mood"],
            "additionalProperties": false}"#,
    );
    for temperature in ["0", "1"] {
        let said = stack(&["run", "--schema", &schema, "--temperature", temperature, "A dog."]).output();
        let object: Value = serde_json::from_str(&said).unwrap();
        assert!(["happy", "sad"].contains(&object["mood"].as_str().unwrap()), "{said}");
    }
    let any =
        stack(&["run", "--format", "json", "--max-tokens", "300", "--seed", "1", "--json", "A dog."]).json();
    let is_whole =
        serde_json::from_str::<Value>(any["text"].as_str().unwrap()).is_ok_and(|any| any.is_object());
    assert!(is_whole || any["finish_reason"] == "length", "{any}");
}

#[test]
fn wrong_files_are_named_before_the_model_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let wrong = file(dir.path(), "wrong.json", "{");
    stack(&["run", "--schema", &wrong, "A dog."]).fails(4, &["wrong.json", "not JSON"]);
    stack(&["run", "--tools", &wrong, "A dog."]).fails(4, &["wrong.json", "not JSON"]);
    stack(&["run", "--batch", &wrong]).fails(4, &["wrong.json line 1", "hint: "]);
    stack(&["run", "--think", "maybe", "A dog."]).fails(2, &["--think", "a number of tokens"]);
    stack(&["run", "--batch", &wrong, "A dog."]).fails(2, &["takes its prompts from its file"]);
}

#[test]
fn tools_that_the_model_is_not_shown_are_said_to_be_without_effect() {
    let dir = tempfile::tempdir().unwrap();
    let tools = file(dir.path(), "tools.json", r#"[{"name": "f", "parameters": {"type": "object"}}]"#);
    let model = tiny_model::write(dir.path());
    let ran = stack(&["run", "-m", model.to_str().unwrap(), "--tools", &tools, "--max-tokens", "3", "ab"]);
    assert!(ran.stderr.contains("without effect") && ran.stderr.contains("tools"), "{}", ran.stderr);
}

#[test]
fn each_event_is_a_line() {
    let events = lines(&stack(&["run", "--jsonl", "--seed", "1", "--max-tokens", "5", "A dog."]).output());
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!((names[0], names[names.len() - 2], names[names.len() - 1]), ("started", "finished", "done"));
    assert_eq!(
        (&events[0]["seed"], &events[events.len() - 1]["usage"]["generated_tokens"]),
        (&json!(1), &json!(5))
    );
    assert!(names[1..names.len() - 2].iter().all(|name| *name == "text"));
}

#[test]
fn a_batch_is_answered_in_order_and_goes_on_where_it_was_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let prompts = file(
        dir.path(),
        "prompts.jsonl",
        concat!(
            "\"A dog.\"\n",
            "{\"id\": \"cat\", \"prompt\": \"A cat.\"}\n\n",
            "{\"custom_id\": 3, \"body\": {\"messages\": [{\"role\": \"user\", \"content\": \"A bird.\"}], \"max_tokens\": 2}}\n",
            "{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image_url\", \"image_url\": {\"url\": \"data:image/png;base64,AAAA\"}}]}]}\n",
        ),
    );
    let out = dir.path().join("out.jsonl").display().to_string();
    let run = ["run", "--batch", &prompts, "-o", &out, "--seed", "1", "--max-tokens", "8"];
    stack(&run).fails(2, &["1 of 4 prompts have no answer", "hint: "]);
    let text = fs::read_to_string(&out).unwrap();
    let answers = lines(&text);
    assert_eq!(
        answers.iter().map(|answer| answer["index"].as_u64().unwrap()).collect::<Vec<_>>(),
        [0, 1, 2, 3]
    );
    assert_eq!((&answers[1]["id"], &answers[2]["id"]), (&json!("cat"), &json!(3)));
    assert_eq!(answers[2]["usage"]["generated_tokens"], 2);
    assert!(answers[3]["error"]["message"].as_str().unwrap().contains("image"), "{}", answers[3]);

    // As if it had been stopped in the middle of the second line.
    let kept = text.find('\n').unwrap() + 10;
    fs::write(&out, &text[..kept]).unwrap();
    stack(&run).fails(2, &["1 of 4 prompts are answered already"]);
    let again = lines(&fs::read_to_string(&out).unwrap());
    let said = |answers: &[Value]| answers.iter().map(|answer| answer["text"].clone()).collect::<Vec<_>>();
    assert_eq!(said(&again), said(&answers), "one seed, one answer");

    let other = file(dir.path(), "other.jsonl", "{\"id\": \"x\", \"prompt\": \"A dog.\"}\n");
    stack(&["run", "--batch", &other, "-o", &out])
        .fails(2, &["does not answer the prompts of", "other.jsonl"]);
}
