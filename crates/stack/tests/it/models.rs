//! Which model answers: names, paths, links, addresses, and words that are none of these.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::stack::{Ran, command};
use crate::tiny_model;

/// A folder to work in and a home, whose store may have models.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        for folder in ["work", "cache"] {
            fs::create_dir(place.dir.path().join(folder)).unwrap();
        }
        tiny_model::write(&place.path("work"));
        place
    }

    /// A place whose store has the model under a name.
    fn with(name: &str) -> Self {
        let place = Self::new();
        place.run(&["adopt", "./tiny.gguf", "--copy", "--as", name]).output();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.piped(arguments, b"")
    }

    fn piped(&self, arguments: &[&str], stdin: &[u8]) -> Ran {
        use std::io::Write;

        let mut command = command(arguments);
        command.current_dir(self.path("work")).env("STACK_HOME", self.path("home")).stdin(Stdio::piped());
        command.env("HF_HUB_CACHE", self.path("cache")).env("RAYON_NUM_THREADS", "1");
        let mut child = command.spawn().unwrap();
        let _unread = child.stdin.take().unwrap().write_all(stdin);
        Ran::from(child.wait_with_output().unwrap())
    }

    /// Asks for a short answer, and returns what `--json` says about it.
    fn ask(&self, arguments: &[&str]) -> Value {
        self.run(&[&["run", "--raw", "--json", "--max-tokens", "2", "--temp", "0"], arguments].concat())
            .json()
    }
}

#[test]
fn a_stored_name_answers_with_and_without_an_option() {
    let place = Place::with("llama3");
    let alone = place.ask(&["-m", "llama3", "ab c"]);
    assert_eq!(alone["model"], "llama3");
    for arguments in [
        &["llama3", "ab c"][..],
        &["llama3", "ab", "c"],
        &["llama3:latest", "ab c"],
        &["llama3", "-p", "ab c"],
        &["-m", "llama3", "-p", "ab c"],
        &["--", "llama3", "ab c"],
    ] {
        let answer = place.ask(arguments);
        assert_eq!(
            (&answer["model"], &answer["usage"]),
            (&"llama3".into(), &alone["usage"]),
            "{arguments:?}"
        );
    }
    let piped =
        place.piped(&["run", "llama3", "--raw", "--json", "-n", "2", "--temp", "0"], b"ab c\n").json();
    assert_eq!((&piped["model"], &piped["usage"]), (&"llama3".into(), &alone["usage"]));
    assert_eq!(place.ask(&["tiny.gguf", "ab c"])["model"], "tiny");
    assert_eq!(place.ask(&["./tiny.gguf", "--", "- c"])["model"], "tiny");
}

#[test]
fn no_other_model_answers_for_one_that_is_missing() {
    let place = Place::with("llama3");
    for (arguments, code, texts) in [
        (&["run", "llama4"][..], 3, &["no model llama4", "did you mean llama3?", "stack pull llama4"][..]),
        (&["run", "llama4", "why is the sky blue"], 3, &["error[not-in-store]", "stack pull llama4"]),
        (&["run", "llama3:8b", "hi there"], 3, &["did you mean llama3?"]),
        (&["run", "hello"], 3, &["no model hello", "stack run -p hello"]),
        (&["run", "Hello!"], 3, &["stack run -p 'Hello!'"]),
        (&["run", "Tell", "me", "more"], 3, &["stack run -p 'Tell me more'"]),
        (&["run", "Qwen/Qwen3-4B-GGUF", "hi there"], 3, &["stack pull hf://Qwen/Qwen3-4B-GGUF"]),
        (&["run", "hf://a/b", "hi there"], 3, &["hf://a/b is not in the store", "stack pull hf://a/b"]),
        (&["run", "hf.co/a/b:Q4_0"], 3, &["stack pull hf.co/a/b:Q4_0"]),
        (&["run", "oci://h.lan/a/b", "hi there"], 3, &["stack pull oci://h.lan/a/b"]),
        (&["run", "https://h.lan/m.gguf"], 3, &["stack pull https://h.lan/m.gguf"]),
        (&["run", "ftp://h.lan/m.gguf"], 2, &["ftp://h.lan/m.gguf", "hint: "]),
        (&["run", "gone.gguf", "hi there"], 3, &["gone.gguf: cannot be opened"]),
        (&["run", "my models/gone.gguf"], 3, &["cannot be opened"]),
        (&["run", "./gone"], 3, &["./gone: cannot be opened"]),
        (&["run", "-m", "llama4", "hi there"], 3, &["stack pull llama4"]),
        (&["run", "-m", "two words", "hi there"], 3, &["no model two words"]),
        (&["run", "-m", "", "hi there"], 2, &["the name of the model is empty"]),
        (&["run", ""], 2, &["a model or a prompt"]),
        (&["run", "", "hi there"], 2, &["the first argument is empty"]),
        (&["run", " "], 2, &["a model or a prompt"]),
        (&["run", "-p", ""], 2, &["the prompt is empty"]),
        (&["run", "llama3", ""], 2, &["the prompt is empty"]),
        (&["run", "-m", "llama3", "-p", "a b", "c d"], 2, &["given twice"]),
        (&["run", "-p", "a b", "c d"], 2, &["given twice"]),
        (&["run", "llama3", "- one"], 2, &["\"- one\" begins with a dash", "`--`"]),
        (&["run", "--", "-5"], 3, &["no model -5", "stack run -p -5"]),
        (&["run", "-s", "42", "Tell me a story."], 2, &["--seed 42"]),
        (&["serve", "--port", "0", "llama4"], 3, &["stack pull llama4"]),
        (&["serve", "--port", "0", "llama3", "hf://a/b"], 3, &["stack pull hf://a/b"]),
        (&["serve", "--port", "0", "-m", "llama4"], 3, &["stack pull llama4"]),
        (&["show", "llama4"], 3, &["stack pull llama4"]),
        (&["show", "hf://a/b"], 3, &["stack pull hf://a/b"]),
        (&["bench", "llama4"], 3, &["stack pull llama4"]),
        (&["logits", "llama4", "--tokens", "1"], 3, &["stack pull llama4"]),
        (&["tokenize", "llama4", "x"], 3, &["stack pull llama4"]),
        (&["render", "-", "-m", "llama4"], 3, &["stack pull llama4"]),
        (&["pull", "llama4"], 3, &["stack pull hf://OWNER/REPO --as llama4"]),
        (&["pull", "qwen/q"], 3, &["stack pull hf://qwen/q`"]),
    ] {
        let stdin = if arguments[0] == "render" { &b"[]"[..] } else { b"" };
        place.piped(arguments, stdin).fails(code, &[&["hint: "], texts].concat());
    }
    let json = place.run(&["run", "--json", "llama4"]);
    let error: Value = serde_json::from_str(&json.stderr).unwrap();
    assert_eq!((json.code, &error["error"]["code"]), (3, &"not-in-store".into()));
}

#[test]
fn text_goes_to_the_model_in_the_program() {
    let place = Place::with("llama3");
    let ask = |arguments: &[&str]| {
        place.run(&[&["run", "--seed", "1", "--json", "--max-tokens", "4"], arguments].concat()).json()
    };
    let answer = ask(&["Tell me a story about a dog."]);
    assert_eq!(answer["model"], "default");
    for arguments in [
        &["Tell me", "a story about", "a dog."][..],
        &["-p", "Tell me a story about a dog."],
        &["default", "Tell me a story about a dog."],
        &["-m", "default", "Tell", "me", "a story about a dog."],
        &["--", "Tell me a story about a dog."],
    ] {
        let same = ask(arguments);
        assert_eq!((&same["model"], &same["text"]), (&answer["model"], &answer["text"]), "{arguments:?}");
    }
    assert_eq!(ask(&["-p", "- one\n- two"])["model"], "default");
}

#[test]
fn of_a_name_and_a_file_the_name_is_taken_and_that_is_said() {
    let place = Place::with("both");
    fs::copy(place.path("work/tiny.gguf"), place.path("work/both")).unwrap();
    let ran = place.run(&["run", "--raw", "--json", "--max-tokens", "2", "both", "ab"]);
    assert!(
        ran.stderr
            .contains("note: both is the model of the store; the file or folder of that name is ./both"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stderr.lines().count(), 1, "said once: {}", ran.stderr);
    ran.json();
    let shown = place.run(&["show", "both", "--json"]);
    assert!(shown.stderr.contains("note: "), "{}", shown.stderr);
    assert!(shown.json()["stored"].is_object());
    let path = place.run(&["show", "./both", "--json"]);
    assert_eq!(path.stderr, "");
    assert!(path.json()["stored"].is_null());
    // Only a file has this name.
    fs::copy(place.path("work/tiny.gguf"), place.path("work/lonely")).unwrap();
    assert_eq!(place.ask(&["lonely", "ab"])["model"], "lonely");
    // What is signed, verified and sealed is what is run.
    place.run(&["keygen", "--identity", "alice", "--no-passphrase"]).output();
    let signed = place.run(&["sign", "both", "--identity", "alice"]);
    assert!(signed.stderr.contains("note: both is the model of the store"), "{}", signed.stderr);
    assert!(signed.output().starts_with("sha256:"));
    assert_eq!(place.run(&["sign", "./both", "--identity", "alice"]).output(), "./both.sig\n");
    fs::write(place.path("work/both"), b"something else").unwrap();
    place.run(&["trust", "add", "alice", "--key", "alice", "--for", "**"]).output();
    let verified = place.run(&["verify", "both"]);
    assert!(verified.stderr.contains("note: both is the model of the store"), "{}", verified.stderr);
    verified.output();
    assert_eq!(place.run(&["verify", "./both"]).code, 5);
    let sealed = place.run(&["encrypt", "both", "--recipient", "alice"]);
    assert!(sealed.stderr.contains("note: both is the model of the store"), "{}", sealed.stderr);
    sealed.output();
    assert!(!place.path("work/both.age").exists());
    for arguments in [&["rekey", "both", "--rotate"][..], &["decrypt", "both", "-o", "opened.gguf"]] {
        let ran = place.run(arguments);
        assert!(ran.stderr.contains("note: both is the model of the store"), "{}", ran.stderr);
        ran.output();
    }
    assert!(place.path("work/opened.gguf").exists());
    let built_in = place.run(&["verify", "default"]);
    assert_eq!(built_in.code, 2, "{}", built_in.stderr);
}

#[cfg(unix)]
#[test]
fn an_address_means_what_was_fetched_from_it() {
    let place = Place::new();
    let snapshot = place.path("cache/models--Qwen--Q-GGUF/snapshots/0123456789abcdef");
    fs::create_dir_all(&snapshot).unwrap();
    for quantization in ["Q4_0", "Q8_0"] {
        let file = snapshot.join(format!("q-{quantization}.gguf"));
        fs::copy(place.path("work/tiny.gguf"), &file).unwrap();
    }
    place.run(&["adopt", "hf", "--copy"]).output();
    let first = place.ask(&["hf://Qwen/Q-GGUF:Q4_0", "ab"]);
    assert!(first["model"].as_str().unwrap().ends_with(":q4_0"), "{first}");
    for address in ["hf.co/Qwen/Q-GGUF:q4_0", "https://huggingface.co/Qwen/Q-GGUF/blob/main/q-Q4_0.gguf"] {
        assert_eq!(place.ask(&[address, "ab"])["model"], first["model"], "{address}");
    }
    place.run(&["run", "hf://Qwen/Q-GGUF"]).fails(2, &["several models", ":q4_0", ":q8_0"]);
    place.run(&["run", "hf://Qwen/Q-GGUF:Q2_K"]).fails(3, &["did you mean", ":q4_0", "stack pull"]);
    place.run(&["run", "hf://Qwen/Q-GGUF@9999999"]).fails(3, &["stack pull"]);
}

#[test]
fn a_second_name_does_not_escape_the_policy() {
    let place = Place::with("med/tiny");
    place.run(&["keygen", "--identity", "alice", "--no-passphrase"]).output();
    let key = place.path("home/keys/alice.pub");
    let trust = |pattern: &str| {
        let key = key.to_str().unwrap();
        place.run(&["trust", "add", "alice", "--key", key, "--for", pattern, "--level", "strict"]).output();
    };
    trust("med/**");
    // Not signed, it is refused under either name.
    place.run(&["cp", "med/tiny", "med/other"]).fails(3, &["error[no-signature]"]);
    place.run(&["sign", "med/tiny", "--identity", "alice"]).output();
    place.run(&["run", "med/tiny", "--raw", "--max-tokens", "2", "ab"]).output();
    // Signed for another name, and a name that the rule does not cover.
    place.run(&["cp", "med/tiny", "med/other"]).fails(6, &["error[wrong-name]"]);
    place.run(&["cp", "med/tiny", "free"]).fails(7, &["error[rule-differs]", "med/**"]);
    // A rule that covers both names does not make one signature count for both.
    trust("**");
    place.run(&["cp", "med/tiny", "free"]).fails(7, &["error[rule-differs]"]);
    let names: Vec<Value> = place.run(&["ls", "--json"]).json()["models"].as_array().unwrap().clone();
    assert_eq!(names.len(), 1);
}
