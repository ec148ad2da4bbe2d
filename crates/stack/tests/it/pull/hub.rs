//! A hub on this machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use stack_testkit::{HttpReply, HttpRequest, HttpServer};

use super::{Home, content, ran, sha256};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A repository `Me/Tiny-GGUF`: paths and contents; large ones have a SHA-256 digest.
pub(super) type Files = BTreeMap<&'static str, Arc<Vec<u8>>>;

/// Answers as the hub does; files are where `storage` says, or here.
pub(super) fn answer(request: &HttpRequest, files: &Files, storage: Option<&str>) -> HttpReply {
    if request.path() == "/api/models/Me/Tiny-GGUF/revision/main" {
        return HttpReply::new(200, json!({"sha": COMMIT}).to_string());
    }
    if request.path() == format!("/api/models/Me/Tiny-GGUF/tree/{COMMIT}") {
        let row = |(path, bytes): (&&str, &Arc<Vec<u8>>)| {
            let (oid, size) = (sha256(bytes).hex(), bytes.len());
            json!({"type": "file", "path": path, "size": size, "oid": "0".repeat(40), "lfs": {"oid": oid, "size": size}})
        };
        let rows: Vec<_> = files.iter().map(row).collect();
        return HttpReply::new(200, json!(rows).to_string());
    }
    let prefix = format!("/Me/Tiny-GGUF/resolve/{COMMIT}/");
    match request.path().strip_prefix(&prefix).and_then(|path| files.get_key_value(path)) {
        Some((path, _)) if storage.is_some() => {
            HttpReply::redirect(&format!("{}{path}?signature=x", storage.unwrap_or_default()))
        }
        Some((_, bytes)) => HttpReply::file(request, bytes, "\"one\""),
        None => HttpReply::new(404, "").header("x-error-code", "EntryNotFound"),
    }
}

fn hub(files: Files) -> HttpServer {
    HttpServer::start(move |request| answer(request, &files, None))
}

fn several() -> Files {
    Files::from([
        ("Tiny-Q8_0.gguf", content(900)),
        ("Tiny-Q4_0.gguf", content(800)),
        ("BF16/Tiny-BF16-00001-of-00002.gguf", content(700)),
        ("BF16/Tiny-BF16-00002-of-00002.gguf", content(600)),
    ])
}

#[test]
fn a_quantization_is_chosen_fetched_and_named() {
    let (home, server) = (Home::new(), hub(several()));
    let mut pull = home.pull(&["hf://Me/Tiny-GGUF:q8_0"]);
    pull.env("HF_ENDPOINT", server.url(""));
    let output = ran(pull).output();
    assert!(output.starts_with("hf.co/me/tiny-gguf:q8_0 sha256:"), "{output}");
    assert!(home.blob(&sha256(&content(900))).exists());
    assert!(!home.blob(&sha256(&content(800))).exists());
}

#[test]
fn split_files_come_whole() {
    let (home, server) = (Home::new(), hub(several()));
    let mut pull = home.pull(&["hf://Me/Tiny-GGUF:BF16"]);
    pull.env("HF_ENDPOINT", server.url(""));
    ran(pull).output();
    for length in [700, 600] {
        assert!(home.blob(&sha256(&content(length))).exists());
    }
}

#[test]
fn choices_that_cannot_be_made_are_shown() {
    let (home, server) = (Home::new(), hub(several()));
    for (reference, code, texts) in [
        ("hf://Me/Tiny-GGUF", 2, ["error[ambiguous-quant]", "Q4_0", "Q8_0"]),
        ("hf://Me/Tiny-GGUF:Q2_K", 3, ["error[no-such-file]", "no matching model", "hint: "]),
        ("hf://Me/Other", 3, ["error[upstream-404]", "hf://Me/Other", "hint: "]),
        ("hf://Me/Tiny-GGUF@other", 3, ["error[upstream-404]", "the revision other", "hint: "]),
    ] {
        let mut pull = home.pull(&[reference]);
        pull.env("HF_ENDPOINT", server.url(""));
        ran(pull).fails(code, &texts);
    }
}

#[test]
fn digests_that_the_publisher_lists_are_compared() {
    let weights = content(800);
    let list = |digest: &str| Arc::new(format!("{digest}  Tiny-Q4_0.gguf\n").into_bytes());
    let with = |name: &'static str, digest: &str| {
        Files::from([("Tiny-Q4_0.gguf", Arc::clone(&weights)), (name, list(digest))])
    };
    let (right, wrong) = (sha256(&weights).hex(), "ab".repeat(32));
    for name in ["SHA256SUMS", "Tiny-Q4_0.gguf.sha256"] {
        for (digest, agrees) in [(&right, true), (&wrong, false)] {
            let (home, server) = (Home::new(), hub(with(name, digest)));
            let mut pull = home.pull(&["hf://Me/Tiny-GGUF"]);
            pull.env("HF_ENDPOINT", server.url(""));
            let ran = ran(pull);
            if agrees {
                ran.output();
            } else {
                ran.fails(5, &["error[digest-mismatch]", name, &wrong]);
                assert!(!home.blob(&sha256(&weights)).exists(), "nothing is fetched that cannot be right");
            }
        }
    }
}

#[test]
fn the_token_is_shown_to_the_hub_and_not_to_its_storage() {
    let home = Home::new();
    let bytes = content(1000);
    let stored = Arc::clone(&bytes);
    let storage = HttpServer::start(move |request| HttpReply::file(request, &stored, "\"one\""));
    let (files, elsewhere) = (Files::from([("Tiny-Q4_K_M.gguf", bytes)]), storage.url("/stored/"));
    let hub = HttpServer::start(move |request| answer(request, &files, Some(&elsewhere)));
    let mut pull = home.pull(&["hf://Me/Tiny-GGUF"]);
    pull.env("HF_ENDPOINT", hub.url("")).env("HF_TOKEN", "hf_secret");
    let ran = ran(pull);
    assert!(!ran.stderr.contains("hf_secret") && !ran.stderr.contains("signature=x"), "{}", ran.stderr);
    ran.output();
    assert!(hub.requests().iter().all(|request| request.header("authorization") == Some("Bearer hf_secret")));
    let stored = storage.requests();
    assert!(!stored.is_empty() && stored.iter().all(|request| request.header("authorization").is_none()));
}
