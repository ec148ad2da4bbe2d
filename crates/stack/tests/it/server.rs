//! `stack serve`: how it starts and ends. What it answers is tested where real clients ask it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr};
use std::time::{Duration, Instant};

use crate::stack::{command, stack};
use crate::tiny_model;

#[test]
fn to_listen_beyond_this_machine_is_refused() {
    stack(&["serve", "--host", "0.0.0.0"]).fails(7, &["error: ", "hint: ", "127.0.0.1"]);
}

#[test]
fn a_port_in_use_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    stack(&["serve", "--port", &port]).fails(1, &[&port, "in use", "hint: ", "--port"]);
}

#[test]
fn a_server_without_any_model_gives_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wrong.gguf");
    std::fs::write(&path, b"GGUF").unwrap();
    stack(&["serve", "--port", "0", "-m", path.to_str().unwrap()]).fails(4, &["listening on", "wrong.gguf"]);
}

#[test]
fn origins_and_host_names_that_no_browser_sends_are_refused() {
    for (option, value, says) in [
        ("--cors", "*", "written out"),
        ("--cors", "null", "never let in"),
        ("--cors", "app.example.org", "https://app.example.org"),
        ("--cors", "https://app.example.org/path", "https://app.example.org"),
        ("--host-name", "llm.example.org:443", "without scheme, port"),
    ] {
        stack(&["serve", "--port", "0", option, value]).fails(2, &[option, value, says]);
    }
}

#[test]
fn any_model_needs_exactly_one() {
    let models = ["serve", "--port", "0", "--any-model", "-m", "default", "-m", "default"];
    stack(&models).fails(2, &["--any-model", "exactly one model", "there are 2", "hint: "]);
}

#[cfg(unix)]
#[test]
fn models_answer_by_name_until_the_server_is_asked_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let wrong = dir.path().join("wrong.gguf");
    std::fs::write(&wrong, b"GGUF").unwrap();
    let models = [path.to_str().unwrap(), wrong.to_str().unwrap()];
    let (mut child, address, _stderr) = start(&["serve", "--port", "0", "-m", models[0], "-m", models[1]]);
    let deadline = Instant::now() + Duration::from_mins(1);
    while !get(&address, "/ready").starts_with("HTTP/1.1 200") {
        assert!(Instant::now() < deadline, "the server never became ready");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(get(&address, "/v1/models/tiny").contains(r#""id":"tiny""#));
    let killed = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(killed.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_server_lets_in_whom_its_options_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let options = ["--any-model", "--cors", "https://App.example:443/", "--host-name", "llm.example"];
    let arguments = [&["serve", "--port", "0", "-m", path.to_str().unwrap()], &options[..]].concat();
    let (mut child, address, _stderr) = start(&arguments);
    assert!(get(&address, "/live").starts_with("HTTP/1.1 200"));
    let deadline = Instant::now() + Duration::from_mins(1);
    while !get(&address, "/health").starts_with("HTTP/1.1 200") {
        assert!(Instant::now() < deadline, "the server never started");
        std::thread::sleep(Duration::from_millis(20));
    }
    let ask = |host: &str, origin: &str| {
        let head = format!("GET /v1/models/gpt-4o HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n");
        exchange(&address, &format!("{head}Connection: close\r\n\r\n"))
    };
    let reply = ask("llm.example", "https://app.example");
    assert!(reply.contains("access-control-allow-origin: https://app.example\r\n"), "{reply}");
    assert!(reply.contains(r#""id":"tiny""#), "{reply}");
    assert!(ask("llm.example", "https://other.example").starts_with("HTTP/1.1 403"));
    assert!(ask("other.example", "https://app.example").starts_with("HTTP/1.1 403"));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Starts a server and waits until it says where it listens.
fn start(arguments: &[&str]) -> (Child, String, BufReader<ChildStderr>) {
    let mut child = command(arguments).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line:?}"));
    (child, address.to_owned(), stderr)
}

fn get(address: &str, path: &str) -> String {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"))
}

fn exchange(address: &str, request: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    connection.read_to_string(&mut reply).unwrap();
    reply
}
