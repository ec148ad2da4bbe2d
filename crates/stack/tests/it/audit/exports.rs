//! What leaves the log: proofs without secrets. And what is erased from it.

use std::process::Command;

use super::{Site, five_events};
use crate::stack::Ran;

/// The Python that runs the second verifier.
#[expect(clippy::disallowed_methods, reason = "the environment says which Python runs tests")]
fn python() -> Option<Command> {
    let program = std::env::var("STACK_E2E_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there = Command::new(&program).args(["-c", "import cryptography"]).output();
    there.is_ok_and(|out| out.status.success()).then(|| Command::new(program))
}

#[test]
fn an_export_is_verified_without_the_log_by_two_programs() {
    let site = five_events();
    let file = site.path("export.json");
    site.stack(&["audit", "export", "--session", "registry", "-o", &file]).output();
    let elsewhere = Site::new();
    let verified = elsewhere.stack(&["audit", "verify", &file, "--session", "registry", "--json"]).json();
    assert_eq!((&verified["entries"], &verified["payloads"]), (&4.into(), &3.into()));
    elsewhere.stack(&["audit", "verify", &file, "--session", "server"]).fails(3, &["error[unknown_session]"]);
    let log = site.stack(&["audit", "list", "--session", "log", "--json"]).json();
    assert_eq!(log["entries"].as_array().unwrap().last().unwrap()["kind"], "log.exported");
    if let Some(mut python) = python() {
        let verifier = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python/audit_verify.py");
        let said = python.args([verifier, &file]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), "verified: 4 entries, 3 payloads");
    } else {
        eprintln!("SKIPPED: the second verifier needs python3 with the package cryptography");
    }
    let document = std::fs::read_to_string(&file).unwrap().replacen("second", "sEcond", 1);
    std::fs::write(&file, document).unwrap();
    elsewhere.stack(&["audit", "verify", &file]).fails(5, &["error[payload_changed]", "at 3"]);
    site.stack(&["audit", "export", "--session", "registry", "-o", &file]).fails(1, &["hint: "]);
}

#[test]
fn no_secret_is_in_the_log_or_leaves_it() {
    let site = Site::new();
    let (token, canary) =
        ("hf_canaryCANARYcanary4711canary0815x", "ghp_0123456789abcdefghijABCDEFGHIJ012345");
    let pull = |address: &str| {
        let mut pull = site.command(&["pull", address, "--as", "m", "--privacy", "sovereign"]);
        Ran::from(pull.env("HF_TOKEN", token).output().unwrap()).fails(7, &["error[tier-forbids]"]);
    };
    pull(&format!("https://h.lan/{token}/a.gguf?token=query-of-mine"));
    pull(&format!("https://h.lan/{canary}/b.gguf"));
    let text = site.stack(&["audit", "export", "--session", "registry", "--format", "text"]).output();
    assert!(text.contains("[secret:hf-token:") && text.contains("[secret:github-pat:"), "{text}");
    let json = site.stack(&["audit", "export", "--session", "registry"]).output();
    let mut all = vec![text.into_bytes(), json.into_bytes()];
    for file in std::fs::read_dir(site.log()).unwrap() {
        let path = file.unwrap().path();
        all.extend(path.is_file().then(|| std::fs::read(path).unwrap()));
    }
    for secret in [token, canary, "query-of-mine"] {
        let holds = |bytes: &Vec<u8>| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!all.iter().any(holds), "{secret}");
    }
}

#[test]
fn payloads_are_erased_lawfully_and_held_ones_stay() {
    let site = five_events();
    let reason = ["--reason", "article 17"];
    let erase = |which: &[&str]| site.stack(&[&["audit", "erase"], which, &reason].concat());
    erase(&[]).fails(2, &["--session"]);
    site.stack(&["audit", "hold", "registry"]).fails(2, &["--reason"]);
    let held = site.stack(&["audit", "hold", "registry", "--reason", "a case", "--json"]).json();
    assert_eq!(held["holds"][0]["reason"], "a case");
    erase(&["--session", "registry"]).fails(7, &["error[on-hold]", "a case", "--release"]);
    site.stack(&["audit", "hold", "registry", "--release", "--reason", "closed"]).output();
    erase(&["--due"]).fails(2, &["payload_days"]);
    assert_eq!(erase(&["--before", "1h"]).output(), "erased 0 payloads\n");
    assert_eq!(erase(&["--kind", "registry.name"]).output(), "erased 1 payloads\n");
    let verified = site.verifies();
    assert_eq!(verified["erased_payloads"], 1);
    let database = std::fs::read(site.log().join("audit.db")).unwrap();
    assert!(!database.windows(15).any(|window| window == b"\"source\":\"tiny\""), "the bytes are gone");
    let shown = site.stack(&["audit", "show", "3", "--json"]).json();
    assert_eq!(shown["payload_state"], "erased");
    site.configure("[audit]\npayload_days = 30\n");
    assert_eq!(erase(&["--due"]).output(), "erased 0 payloads\n");
}
