//! Which chat template is used, and what is said of one that cannot be.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::start;
use crate::stack::{stack, stack_with_stdin};
use crate::tiny_model;

const TEMPLATE: &str = "tokenizer.chat_template";

fn render(path: &str, more: &[&str], conversation: &Value) -> crate::stack::Ran {
    let arguments = [&["render", "-", "--model", path], more].concat();
    stack_with_stdin(&arguments, conversation.to_string().as_bytes())
}

#[test]
fn what_is_rendered_is_what_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let path = path.to_str().unwrap();
    let begun = json!([{ "role": "user", "content": "ab" }, { "role": "assistant", "content": "a " }]);
    let ran = render(path, &[], &begun);
    assert_eq!(ran.output(), "<s><user>ab<assistant>a ");
    let report = render(path, &["--tokens", "--json"], &json!([{ "role": "user", "content": "<s>" }])).json();
    assert_eq!(report["text"], "<s><user><s><assistant>");
    let ids = report["ids"].as_array().unwrap();
    assert_eq!(ids.iter().filter(|id| **id == 1).count(), 1, "the caller's <s> is text: {ids:?}");
    let again = json!([begun[0], begun[1], { "role": "assistant", "content": "b" }]);
    render(path, &[], &again).fails(4, &["messages[2]", "assistant"]);
    let unknown = json!({ "messages": [begun[0]], "tools": [{ "type": "function", "function": { "name": "f" } }],
                          "enable_thinking": true });
    let ran = render(path, &[], &unknown);
    assert!(ran.stderr.contains("without effect: enable_thinking, tools"), "{}", ran.stderr);
    ran.output();
}

#[test]
fn the_template_for_tools_is_taken_where_there_are_tools() {
    let dir = tempfile::tempdir().unwrap();
    let texts = [
        (TEMPLATE, "plain{{ messages[0].content }}"),
        ("tokenizer.chat_template.tool_use", "tools{{ tools[0].function.name }}{{ messages[0].content }}"),
    ];
    let path = tiny_model::write_with_texts(dir.path(), &texts);
    let path = path.to_str().unwrap();
    let mut request = json!({ "messages": [{ "role": "user", "content": "a" }] });
    assert_eq!(render(path, &[], &request).output(), "<s>plaina");
    request["tools"] = json!([{ "type": "function", "function": { "name": "f" } }]);
    assert_eq!(render(path, &[], &request).output(), "<s>toolsfa");
    request["tool_choice"] = "none".into();
    assert_eq!(render(path, &[], &request).output(), "<s>plaina");
}

#[test]
fn a_model_with_the_tokens_of_chatml_answers_by_it_with_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write_with_tokens(dir.path(), &["<|im_start|>", "<|im_end|>"]);
    let path = path.to_str().unwrap();
    let ran = stack(&["run", "-m", path, "--max-tokens", "1", "a"]);
    assert!(ran.stderr.contains("warning: ") && ran.stderr.contains("ChatML"), "{}", ran.stderr);
    ran.output();
    let shown = stack(&["show", path, "--json"]).json();
    assert!(shown["warnings"][0].as_str().unwrap().contains("ChatML"), "{shown}");
    let text = render(path, &[], &json!([{ "role": "user", "content": "a" }])).output();
    assert_eq!(text, "<s><|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n");
    let raw = stack(&["run", "-m", path, "--raw", "--max-tokens", "1", "a"]);
    assert!(!raw.stderr.contains("warning"), "{}", raw.stderr);
}

#[test]
fn an_empty_template_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write_with_texts(dir.path(), &[(TEMPLATE, "")]);
    let run = |more: &[&str]| stack(&[&["run", "-m", path.to_str().unwrap(), "a"], more].concat());
    run(&[]).fails(2, &["no chat template", "hint: ", "--raw"]);
    let file = dir.path().join("empty.jinja");
    std::fs::write(&file, " \n").unwrap();
    run(&["--template", file.to_str().unwrap()]).fails(4, &["given chat template", "is empty"]);
}

#[test]
fn a_template_that_does_not_compile_blocks_nothing_but_chats() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write_with_texts(dir.path(), &[(TEMPLATE, "a\n{% for %}")]);
    let path = path.to_str().unwrap();
    stack(&["run", "-m", path, "a"]).fails(2, &["no usable chat template", "line 2", "--raw"]);
    stack(&["run", "-m", path, "--raw", "--max-tokens", "1", "a"]).output();
    let shown = stack(&["show", path]).output();
    assert!(shown.contains("line 2") && shown.contains("{% for %}"), "{shown}");

    let (_running, address, _stderr) = start(&["serve", "--port", "0", "-m", path]);
    let deadline = Instant::now() + Duration::from_mins(1);
    while !post(&address, "/v1/completions", r#"{"prompt": "a", "max_tokens": 1}"#)
        .starts_with("HTTP/1.1 200")
    {
        assert!(Instant::now() < deadline, "the server never completed a text");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(post(&address, "/v1/embeddings", r#"{"input": "a"}"#).starts_with("HTTP/1.1 200"));
    let chat = r#"{"messages": [{"role": "user", "content": "a"}]}"#;
    let reply = post(&address, "/v1/chat/completions", chat);
    assert!(reply.starts_with("HTTP/1.1 400") && reply.contains("line 2"), "{reply}");
}

fn post(address: &str, path: &str, body: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        connection,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut reply = String::new();
    connection.read_to_string(&mut reply).unwrap();
    reply
}
