//! What is there already, compared with all that is asked for; and what must not get a name.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stack_testkit::{HttpReply, HttpServer};

use super::hub::{Files, answer};
use super::{Home, content, file_server, ran, sha256};
use crate::stack::{Ran, command};

fn hub(files: Files) -> HttpServer {
    HttpServer::start(move |request| answer(request, &files, None))
}

fn from(home: &Home, hub: &HttpServer, arguments: &[&str]) -> Ran {
    let mut pull = home.pull(arguments);
    pull.env("HF_ENDPOINT", hub.url(""));
    ran(pull)
}

fn on(home: &Home, arguments: &[&str]) -> Ran {
    let mut command = command(arguments);
    Ran::from(command.arg("--home").arg(home.path()).output().unwrap())
}

#[test]
fn another_file_of_the_same_commit_is_another_model() {
    let (home, hub) =
        (Home::new(), hub(Files::from([("T-Q8_0.gguf", content(900)), ("T-Q4_0.gguf", content(800))])));
    let first = from(&home, &hub, &["hf://Me/Tiny-GGUF:Q4_0", "--as", "m"]).output();
    from(&home, &hub, &["hf://Me/Tiny-GGUF:Q8_0", "--as", "m"])
        .fails(7, &["error[name-taken]", "--update", "hf://Me/Tiny-GGUF@"]);
    assert_eq!(from(&home, &hub, &["hf://Me/Tiny-GGUF:Q4_0", "--as", "m"]).output(), first);
    let second = from(&home, &hub, &["hf://Me/Tiny-GGUF:Q8_0", "--as", "m", "--update"]).output();
    assert_ne!(second, first);
    // Offline, only what was asked for is a copy of it.
    let offline = |arguments: &[&str]| from(&home, &hub, &[arguments, &["--offline", "--as", "m"]].concat());
    assert_eq!(offline(&["hf://Me/Tiny-GGUF:Q8_0"]).output(), second);
    let digest = sha256(&content(900)).to_string();
    assert_eq!(offline(&["hf://Me/Tiny-GGUF:Q8_0", "--digest", &digest]).output(), second);
    for other in [
        &["hf://Me/Tiny-GGUF:Q4_0"][..],
        &["hf://Me/Tiny-GGUF", "--file", "T-Q4*"],
        &["hf://Me/Tiny-GGUF:Q8_0", "--revision", "v2"],
        &["hf://Me/Tiny-GGUF:Q8_0", "--digest", &sha256(b"other").to_string()],
    ] {
        offline(other).fails(7, &["error[offline]"]);
    }
}

#[test]
fn damaged_blobs_come_again() {
    let (home, bytes) = (Home::new(), content(900));
    let hub = hub(Files::from([("T-Q4_0.gguf", Arc::clone(&bytes))]));
    let pulled = from(&home, &hub, &["hf://Me/Tiny-GGUF", "--as", "m"]).output();
    let blob = home.blob(&sha256(&bytes));
    let spoil = || {
        let mut spoiled = bytes.to_vec();
        spoiled[500] ^= 1;
        fs::set_permissions(&blob, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&blob, spoiled).unwrap();
    };
    spoil();
    assert_eq!(from(&home, &hub, &["hf://Me/Tiny-GGUF", "--as", "m", "--update"]).output(), pulled);
    assert!(fs::read(&blob).unwrap() == *bytes);
    // A damaged file that no name means any more is not taken for the right one.
    spoil();
    fs::write(home.path().join("store/index.json"), br#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
    from(&home, &hub, &["hf://Me/Tiny-GGUF", "--as", "m"]).output();
    assert!(fs::read(&blob).unwrap() == *bytes);
}

#[test]
fn a_listed_signature_that_does_not_come_is_an_error() {
    let files = Files::from([("T-Q4_0.gguf", content(800)), ("T-Q4_0.gguf.sig", Arc::new(b"{}".to_vec()))]);
    let home = Home::new();
    let hub = HttpServer::start(move |request| {
        if request.path().contains(".gguf.sig") {
            return HttpReply::new(404, "");
        }
        answer(request, &files, None)
    });
    from(&home, &hub, &["hf://Me/Tiny-GGUF"]).fails(3, &["error[upstream-404]", "T-Q4_0.gguf.sig is listed"]);
    assert_eq!(on(&home, &["list"]).output(), "", "nothing got a name");
}

#[test]
fn busy_servers_are_asked_again_whatever_is_asked() {
    for busy in ["/api/models/Me/Tiny-GGUF/revision/main", "tree", "resolve"] {
        let files = Files::from([("T-Q4_0.gguf", content(800))]);
        let (home, refused) = (Home::new(), AtomicUsize::new(0));
        let hub = HttpServer::start(move |request| {
            if request.path().contains(busy) && refused.fetch_add(1, Ordering::Relaxed) < 2 {
                return HttpReply::new(429, "").header("retry-after", "0");
            }
            answer(request, &files, None)
        });
        from(&home, &hub, &["hf://Me/Tiny-GGUF"]).output();
    }
}

#[test]
fn what_is_no_model_gets_no_name() {
    for body in
        [&b""[..], b"<!DOCTYPE html><html>Log in</html>", b"\x1f\x8b\x08\0\0\0\0\0\0\0", b"GGUF\x03\0\0\0"]
    {
        let (home, server) = (Home::new(), file_server(&Arc::new(body.to_vec())));
        let ran = ran(home.pull(&[&server.url("/a.gguf"), "--as", "m"]));
        assert_eq!(ran.code, 4, "{body:?}: {}", ran.stderr);
        assert_eq!(on(&home, &["list"]).output(), "");
    }
}

#[test]
fn a_token_from_a_file_may_end_in_a_newline() {
    let (home, hub) = (Home::new(), hub(Files::from([("T-Q4_0.gguf", content(800))])));
    let with = |token: &str| {
        let mut pull: Command = home.pull(&["hf://Me/Tiny-GGUF"]);
        pull.env("HF_ENDPOINT", hub.url("")).env("HF_TOKEN", token);
        ran(pull)
    };
    with("hf_x y").fails(2, &["HF_TOKEN"]);
    with("hf_x\n").output();
    let sent = hub.requests();
    assert!(sent.iter().all(|request| request.header("authorization") == Some("Bearer hf_x")));
}

#[test]
fn rules_for_a_host_and_port_cover_what_came_from_there() {
    let (home, bytes) = (Home::new(), content(1000));
    let server = file_server(&bytes);
    on(&home, &["keygen", "--identity", "alice", "--no-passphrase"]).output();
    let pattern = format!("{}/**", server.host());
    on(&home, &["trust", "add", "alice", "--key", "alice", "--for", &pattern]).output();
    let pulled = ran(home.pull(&[&server.url("/a.gguf")])).output();
    let name = pulled.split(' ').next().unwrap().to_owned();
    assert_eq!(on(&home, &["run", "-m", &name, "--raw", "x"]).code, 3, "{name} is not signed");
}
