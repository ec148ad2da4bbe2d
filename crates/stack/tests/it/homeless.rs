//! Services without a home, and paths that are no text.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use crate::stack::{Ran, Running, command};
use crate::tiny_model;

/// A command in an environment that says nothing about any folder.
fn homeless(arguments: &[&str]) -> Command {
    let mut command = command(arguments);
    for name in ["HOME", "STACK_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"] {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str]) -> Ran {
    Ran::from(homeless(arguments).output().unwrap())
}

#[test]
fn what_needs_no_store_needs_no_home() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let model = path.to_str().unwrap();
    let messages = dir.path().join("messages.json");
    std::fs::write(&messages, r#"[{"role": "user", "content": "a"}]"#).unwrap();
    for arguments in [
        &["run", model, "--raw", "--max-tokens", "2", "ab"][..],
        &["run", "-m", model, "--raw", "--max-tokens", "2", "ab"],
        &["run", "--max-tokens", "2", "Tell me a story."],
        &["run", "default", "--max-tokens", "2", "-p", "Hello"],
        &["show", model],
        &["show", "default"],
        &["tokenize", model, "ab"],
        &["logits", model, "--tokens", "1"],
        &["bench", model, "--reps", "1", "--prompt", "1", "--generate", "1"],
        &["render", messages.to_str().unwrap(), "-m", model],
        &["doctor"],
        &["completions", "bash"],
        &["version"],
    ] {
        let ran = run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
    }
    // Without a store there is no model in it.
    run(&["run", "llama3", "hi there"]).fails(3, &["no model llama3", "stack pull llama3"]);
    let folders = &run(&["doctor", "--json"]).json()["folders"];
    assert!(["home", "models", "keys", "history"].iter().all(|name| folders[name].is_null()), "{folders}");
}

#[test]
fn what_needs_a_store_says_how_to_name_one() {
    for arguments in [
        &["list"][..],
        &["rm", "x"],
        &["gc"],
        &["cp", "a", "b"],
        &["pull", "hf://a/b"],
        &["push", "a", "oci://h.lan/a"],
        &["keygen", "--identity", "a", "--no-passphrase"],
        &["export", "a", "-o", "x"],
    ] {
        run(arguments).fails(2, &["no home folder", "hint: ", "STACK_HOME"]);
    }
}

#[test]
fn files_are_signed_and_sealed_without_a_home() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(dir.path().join("m.bin"), b"weights").unwrap();
    run(&["keygen", "--identity", "alice", "--no-passphrase", "--out", &path("keys")]).output();
    let (key, public) = (path("keys/alice.key"), path("keys/alice.pub"));
    run(&["sign", &path("m.bin"), "--identity", &key]).output();
    run(&["verify", &path("m.bin"), "--key", &public]).output();
    run(&["encrypt", &path("m.bin"), "--recipient", &public]).output();
    run(&["decrypt", &path("m.bin.age"), "-o", &path("plain"), "--identity", &key]).output();
    assert_eq!(std::fs::read(dir.path().join("plain")).unwrap(), b"weights");
}

#[cfg(unix)]
#[test]
fn a_server_starts_without_a_home() {
    use std::io::BufRead;

    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let mut running = Running::start(&mut homeless(&["serve", "--port", "0", path.to_str().unwrap()]));
    let stderr = running.stderr();
    let said: Vec<String> =
        stderr.lines().map_while(Result::ok).take_while(|line| !line.contains("tiny is ready")).collect();
    assert!(said.iter().any(|line| line.contains("no trust policy")), "{said:?}");
    assert!(said.iter().all(|line| !line.starts_with("error")), "{said:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn paths_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt;

    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(OsStr::from_bytes(b"mod\xFFels"));
    let path = folder.join(OsStr::from_bytes(b"t\xFEny.gguf"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::rename(tiny_model::write(dir.path()), &path).unwrap();
    let ran = |arguments: &[&OsStr]| {
        let mut command = command(&[]);
        command.env("STACK_HOME", folder.join(OsStr::from_bytes(b"h\xFDme"))).args(arguments);
        Ran::from(command.output().unwrap())
    };
    let model = path.as_os_str();
    let text = |text| OsStr::new(text);
    for arguments in [
        &[text("run"), model, text("--raw"), text("--max-tokens"), text("2"), text("ab")][..],
        &[text("run"), text("-m"), model, text("--raw"), text("--max-tokens"), text("2"), text("ab")],
        &[text("show"), model],
        &[text("show"), model, text("--json")],
        &[text("tokenize"), model, text("ab")],
        &[text("adopt"), model, text("--copy"), text("--as"), text("tiny")],
        &[text("run"), text("tiny"), text("--raw"), text("--max-tokens"), text("2"), text("ab")],
        &[text("list"), text("--json")],
        &[text("doctor"), text("--json")],
        &[text("keygen"), text("--identity"), text("a"), text("--no-passphrase")],
        &[text("sign"), model, text("--identity"), text("a")],
        &[text("verify"), model, text("--key"), text("a")],
        &[text("encrypt"), model, text("--recipient"), text("a")],
        &[
            text("decrypt"),
            sealed(&path).as_os_str(),
            text("-o"),
            folder.join("plain").as_os_str(),
            text("--identity"),
            text("a"),
        ],
    ] {
        let ran = ran(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
    }
    assert_eq!(std::fs::read(folder.join("plain")).unwrap(), std::fs::read(&path).unwrap());
}

#[cfg(target_os = "linux")]
fn sealed(path: &Path) -> std::path::PathBuf {
    let mut sealed = path.as_os_str().to_owned();
    sealed.push(".age");
    sealed.into()
}
