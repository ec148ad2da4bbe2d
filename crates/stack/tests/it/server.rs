//! `stack serve`: how it starts and ends. What it answers is tested where real clients ask it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ChildStderr;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::stack::{Running, command, stack};
use crate::tiny_model;

#[test]
fn to_listen_beyond_this_machine_is_refused() {
    stack(&["serve", "--host", "0.0.0.0"]).fails(7, &["error[no-api-key]", "hint: ", "127.0.0.1"]);
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
    let (running, address, _stderr) = start(&["serve", "--port", "0", "-m", models[0], "-m", models[1]]);
    let deadline = Instant::now() + Duration::from_mins(1);
    while !get(&address, "/ready").starts_with("HTTP/1.1 200") {
        assert!(Instant::now() < deadline, "the server never became ready");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(get(&address, "/v1/models/tiny").contains(r#""id":"tiny""#));
    assert_eq!(running.terminate().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_second_port_answers_like_the_first() {
    let (running, first, mut stderr) = start(&["serve", "--port", "0", "--ollama-port", "0"]);
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let second = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
    assert_ne!(first, second);
    for address in [&first, &second] {
        assert!(get(address, "/").contains("Ollama is running"), "{address}");
        assert!(get(address, "/api/v1/models").contains(r#""id":"default""#), "{address}");
    }
    assert_eq!(running.terminate().code(), Some(0));
}

#[test]
fn a_model_that_is_served_is_not_removed() {
    let (_dir, home) = home_with("k");
    let (running, address, _stderr) = start(&["serve", "--port", "0", "k", "--home", &home]);
    let deadline = Instant::now() + Duration::from_mins(1);
    while !get(&address, "/ready").starts_with("HTTP/1.1 200") {
        assert!(Instant::now() < deadline, "the server never became ready");
        std::thread::sleep(Duration::from_millis(20));
    }
    stack(&["rm", "k", "--home", &home]).fails(9, &["error[in-use]", &running.id().to_string()]);
    drop(running);
    stack(&["rm", "k", "--home", &home]).output();
}

#[cfg(unix)]
#[test]
fn a_model_of_the_store_is_loaded_by_name_and_unloaded_on_demand() {
    let (_dir, home) = home_with("kept");
    let served = Server::start(&["serve", "--port", "0", "--home", &home]);
    let port = served.address.rsplit_once(':').unwrap().1.to_owned();
    let ask = |words: &[&str]| stack(&[words, &["--port", &port, "--home", &home]].concat());
    let running = || ask(&["ps"]).output();
    assert_eq!(served.models(), ["default", "kept"]);
    assert!(!running().contains("kept"));
    let answer = served.complete(r#"{"model": "kept:latest", "prompt": "ab", "max_tokens": 1}"#);
    assert!(answer.contains(r#""model":"kept""#), "{answer}");
    let list = running();
    assert!(list.contains("default") && list.contains("stays") && list.contains("goes in"), "{list}");
    stack(&["rm", "kept", "--home", &home]).fails(9, &["error[in-use]"]);
    assert_eq!(ask(&["stop", "kept", "--json"]).json()["unloaded"][0], "kept");
    assert!(!running().contains("kept"));
    ask(&["stop", "kept"]).fails(3, &["not loaded"]);
    stack(&["rm", "kept", "--home", &home]).output();
    let gone = served.complete(r#"{"model": "kept", "prompt": "ab", "max_tokens": 1}"#);
    assert!(gone.contains("model_not_found"), "{gone}");
    served.stop();
    ask(&["ps"]).fails(3, &["no server listens on", "stack serve"]);
}

#[cfg(unix)]
#[test]
fn a_server_that_is_to_serve_its_own_models_only_loads_no_others() {
    let (_dir, home) = home_with("kept");
    let served = Server::start(&["serve", "--port", "0", "--only", "--home", &home]);
    assert_eq!(served.models(), ["default"]);
    let refused = served.complete(r#"{"model": "kept", "prompt": "ab", "max_tokens": 1}"#);
    assert!(refused.contains("model_not_found"), "{refused}");
    served.stop();
    stack(&["serve", "--only", "--keep-alive", "1h"]).fails(2, &["--only"]);
    stack(&["serve", "--keep-alive", "soon"]).fails(2, &["--keep-alive", "soon"]);
}

#[test]
fn a_server_lets_in_whom_its_options_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let options = ["--any-model", "--cors", "https://App.example:443/", "--host-name", "llm.example"];
    let arguments = [&["serve", "--port", "0", "-m", path.to_str().unwrap()], &options[..]].concat();
    let (_running, address, _stderr) = start(&arguments);
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
}

#[cfg(unix)]
#[test]
fn models_are_served_under_the_names_that_people_gave_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let blob = dir.path().join("0123456789abcdef");
    std::fs::rename(&path, &blob).unwrap();
    let other = dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let links = [dir.path().join("smol.gguf"), other.join("smol.gguf")];
    links.iter().for_each(|link| std::os::unix::fs::symlink(&blob, link).unwrap());
    let [smol, same_name] = [links[0].to_str().unwrap(), links[1].to_str().unwrap()];
    let again = dir.path().join("other/../smol.gguf");

    // The link's name; the same file once; another file of that name apart.
    let served = Server::start(&["serve", "--port", "0", smol, again.to_str().unwrap(), smol, same_name]);
    assert_eq!(served.models(), ["smol", "other/smol"]);
    let said = served.stop();
    assert!(said.contains("smol is given more than once, and is loaded and served once"), "{said}");

    // One alias for each; one model under two names is loaded once.
    let served = Server::start(&[
        "serve", "--port", "0", "-m", smol, "-m", smol, "-m", same_name, "--alias", "a,b", "--alias", "c",
    ]);
    assert_eq!(served.models(), ["a", "b", "c"]);
    assert!(served.complete(r#"{"model": "b", "prompt": "ab", "max_tokens": 1}"#).contains(r#""model":"b""#));
    let said = served.stop();
    assert_eq!(said.matches("is ready").count(), 2, "{said}");

    stack(&["serve", "--port", "0", smol, same_name, "--alias", "a"])
        .fails(2, &["1 name for 2 models", "hint: "]);
    stack(&["serve", "--port", "0", smol, "--alias", "a b"]).fails(2, &["cannot be the name", "hint: "]);
    let doubled = ["serve", "--port", "0", smol, same_name, "--alias", "a", "--alias", "a"];
    stack(&doubled).fails(2, &["name a twice", "hint: "]);
}

#[cfg(unix)]
#[test]
fn the_operators_sampling_holds_where_a_request_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let served = Server::start(&["serve", "--port", "0", path.to_str().unwrap(), "--seed", "7", "-n", "3"]);
    let chat = |more: &str| {
        let body =
            format!(r#"{{"messages": [{{"role": "user", "content": "ab"}}], "ignore_eos": true{more}}}"#);
        let reply = served.post("/v1/chat/completions", &body);
        let json = &reply[reply.find('{').unwrap_or_else(|| panic!("{reply:?}"))..];
        serde_json::from_str::<serde_json::Value>(json).unwrap()
    };
    let (first, second) = (chat(""), chat(""));
    assert_eq!(first["usage"]["completion_tokens"], 3, "{first}");
    assert_eq!(first["choices"], second["choices"], "one seed, one answer");
    assert_eq!(chat(r#", "max_tokens": 5"#)["usage"]["completion_tokens"], 5);
    served.stop();
}

#[cfg(unix)]
#[test]
fn what_was_computed_outlives_the_server_and_nothing_else_is_believed() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let kept = dir.path().join("kept");
    let arguments =
        ["serve", "--port", "0", path.to_str().unwrap(), "--prefix-dir", kept.to_str().unwrap(), "--only"];
    let body = format!(r#"{{"prompt": "{}", "max_tokens": 3, "temperature": 0}}"#, "ab ".repeat(40));
    let ask = |more: &[&str]| {
        let served = Server::start(&[&arguments, more].concat());
        let reply = served.complete(&body);
        let json = reply.find('{').unwrap_or_else(|| panic!("{reply:?}"));
        let answer: serde_json::Value = serde_json::from_str(&reply[json..]).unwrap();
        let cached = answer["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0);
        (answer["choices"].clone(), cached, served.stop())
    };
    let (first, cached, _) = ask(&[]);
    assert_eq!(cached, 0);
    let files = || std::fs::read_dir(&kept).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>();
    let [file] = files().try_into().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    let (second, cached, said) = ask(&[]);
    assert_eq!((second, cached), (first.clone(), 32), "{said}");
    assert!(said.contains("tiny has 32 tokens of prompts from"), "{said}");

    // A flipped bit, half a file, another cache type, a file that others may write.
    let whole = std::fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let damaged = "truncated or damaged";
    for (bytes, more, says) in [
        (&flipped[..], &[][..], damaged),
        (&whole[..whole.len() / 2], &[], damaged),
        (&whole[..], &["--kv-cache", "q8_0"], "another KV cache type"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let (answer, cached, said) = ask(more);
        assert!(cached == 0 && said.contains(says), "{cached} {said}");
        assert!(!more.is_empty() || answer == first, "{answer}");
    }
    std::fs::write(&file, &whole).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o622)).unwrap();
    let (_, cached, said) = ask(&[]);
    assert!(cached == 0 && said.contains("others may write it"), "{said}");
    assert_eq!(files(), [file]);
}

#[cfg(unix)]
#[test]
fn a_draft_model_guesses_for_one_model_and_changes_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let other = dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let draft = tiny_model::write_with_texts(&other, &[("general.description", "a draft")]);
    let [model, draft] = [path.to_str().unwrap(), draft.to_str().unwrap()];
    let body = r#"{"prompt": "ab ab", "max_tokens": 20, "temperature": 0, "ignore_eos": true}"#;
    let said_by = |more: &[&str]| {
        let served = Server::start(&[&["serve", "--port", "0", "--only", model], more].concat());
        let reply = served.complete(body);
        served.stop();
        let text = reply.find(r#""text":"#).unwrap_or_else(|| panic!("{reply:?}"));
        reply[text..].split('}').next().unwrap().to_owned()
    };
    assert_eq!(said_by(&["--draft", draft]), said_by(&["--speculation", "off"]));
    stack(&["serve", "--port", "0", model, draft, "--draft", draft])
        .fails(2, &["--draft guesses for one model, and 2 are given", "hint: "]);
    stack(&["serve", "--port", "0", model, "--draft", draft, "--speculation", "off"])
        .fails(2, &["--speculation off", "hint: "]);
}

/// A server whose models are ready.
#[cfg(unix)]
struct Server {
    running: Running,
    address: String,
    stderr: BufReader<ChildStderr>,
    said: String,
}

#[cfg(unix)]
impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut running = Running::start(&mut command(arguments));
        let mut stderr = running.stderr();
        let mut said = String::new();
        while !said.contains("listening on ") {
            assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "{said}");
        }
        let address = said.trim().rsplit_once("listening on http://").unwrap().1.to_owned();
        let server = Self { running, address, stderr, said };
        let deadline = Instant::now() + Duration::from_mins(1);
        while server.models().is_empty() || get(&server.address, "/v1/models").contains(r#""loading""#) {
            assert!(Instant::now() < deadline, "the server never became ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// The names of the models, in the order of the list.
    fn models(&self) -> Vec<String> {
        let reply = get(&self.address, "/v1/models");
        let list: serde_json::Value =
            serde_json::from_str(&reply[reply.find('{').unwrap_or_else(|| panic!("{reply:?}"))..]).unwrap();
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| model["id"].as_str().unwrap().to_owned())
            .collect()
    }

    fn complete(&self, body: &str) -> String {
        self.post("/v1/completions", body)
    }

    fn post(&self, path: &str, body: &str) -> String {
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n", self.address);
        let length = body.len();
        exchange(&self.address, &format!("{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"))
    }

    /// Ends the server, and returns all that it said.
    fn stop(mut self) -> String {
        self.running.signal("TERM");
        self.stderr.read_to_string(&mut self.said).unwrap();
        assert_eq!(self.running.wait().code(), Some(0));
        self.said
    }
}

/// Makes a home whose store has a model of this name. It is there as long as its folder is.
fn home_with(name: &str) -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let home = dir.path().join("home").display().to_string();
    stack(&["adopt", path.to_str().unwrap(), "--copy", "--as", name, "--home", &home]).output();
    (dir, home)
}

/// Starts a server and waits until it says where it listens.
pub(crate) fn start(arguments: &[&str]) -> (Running, String, BufReader<ChildStderr>) {
    let mut running = Running::start(&mut command(arguments));
    let mut stderr = running.stderr();
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line:?}"));
    (running, address.to_owned(), stderr)
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
