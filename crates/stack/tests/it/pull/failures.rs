//! Servers that fail, in each way that the design names.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stack_testkit::{HttpReply, HttpRequest, HttpServer};

use super::hub::{Files, answer};
use super::{Home, content, file_server, ran, sha256};

/// Serves a file to which `spoil` does something first; it is told how many bodies were asked for before.
fn spoiled(
    bytes: &Arc<Vec<u8>>,
    spoil: impl Fn(usize, &HttpRequest, HttpReply) -> HttpReply + Send + Sync + 'static,
) -> HttpServer {
    let (bytes, count) = (Arc::clone(bytes), AtomicUsize::new(0));
    HttpServer::start(move |request| {
        let reply = HttpReply::file(request, &bytes, "\"one\"");
        if request.method == "HEAD" {
            reply
        } else {
            spoil(count.fetch_add(1, Ordering::AcqRel), request, reply)
        }
    })
}

#[test]
fn broken_and_busy_servers_are_asked_again() {
    let bytes = content(2 << 20);
    let cut = |number: usize, _: &HttpRequest, reply: HttpReply| match number {
        0..3 => reply.cut_after(300_000),
        _ => reply,
    };
    let busy = |number: usize, _: &HttpRequest, reply: HttpReply| match number {
        0 => HttpReply::new(429, "").header("retry-after", "1"),
        1 => HttpReply::new(503, ""),
        2 => HttpReply::new(500, "oops"),
        _ => reply,
    };
    for server in [spoiled(&bytes, cut), spoiled(&bytes, busy)] {
        let home = Home::new();
        ran(home.pull(&[&server.url("/a.gguf")])).output();
        assert!(home.blob(&sha256(&bytes)).exists());
        assert!(server.bytes_sent() < bytes.len() as u64 + (64 << 10), "{}", server.bytes_sent());
    }
}

#[test]
fn a_server_that_ignores_ranges_will_do() {
    let (home, bytes) = (Home::new(), content(2 << 20));
    let whole = Arc::clone(&bytes);
    let server = HttpServer::start(move |_| HttpReply::new(200, whole.to_vec()));
    ran(home.pull(&[&server.url("/a.gguf")])).output();
    assert!(home.blob(&sha256(&bytes)).exists());
}

#[test]
fn a_server_that_always_fails_is_given_up() {
    let (home, bytes) = (Home::new(), content(1000));
    let server = spoiled(&bytes, |_, _, _| HttpReply::new(410, ""));
    ran(home.pull(&[&server.url("/a.gguf")])).fails(3, &["error[upstream-404]", "410", "hint: "]);
    let nobody = { file_server(&bytes).url("/a.gguf") };
    ran(home.pull(&[&nobody])).fails(8, &["error[unreachable]", "hint: "]);
}

#[test]
fn a_wrong_length_is_named() {
    let (home, bytes) = (Home::new(), content(1000));
    let server = spoiled(&bytes, |_, _, _| HttpReply::new(200, "x").announcing(999));
    ran(home.pull(&[&server.url("/a.gguf")])).fails(5, &["error[length-mismatch]", "999", "1000"]);
    let silent = HttpServer::start(|_| HttpReply::new(200, "").announcing(1 << 60));
    ran(home.pull(&[&silent.url("/a.gguf")])).fails(4, &["error[bad-answer]", "how many bytes"]);
}

#[test]
fn wrong_bytes_are_fetched_once_more_and_then_forgotten() {
    let (home, bytes) = (Home::new(), content(1000));
    let mut wrong = bytes.to_vec();
    wrong[500] ^= 1;
    let wrong = Arc::new(wrong);
    let files = Files::from([("Tiny-Q4_K_M.gguf", Arc::clone(&bytes))]);
    let served = Arc::clone(&wrong);
    let server = HttpServer::start(move |request| {
        if request.path().contains("/resolve/") {
            HttpReply::file(request, &served, "\"one\"")
        } else {
            answer(request, &files, None)
        }
    });
    let mut pull = home.pull(&["hf://Me/Tiny-GGUF"]);
    pull.env("HF_ENDPOINT", server.url(""));
    ran(pull).fails(5, &["error[digest-mismatch]", &sha256(&bytes).to_string(), "once more", "hint: "]);
    for digest in [sha256(&bytes), sha256(&wrong)] {
        assert!(!home.blob(&digest).exists());
    }
    assert_eq!(home.partial(), [""; 0], "nothing of it is kept");
}

#[test]
fn a_digest_that_was_asked_for_is_demanded() {
    let (home, bytes) = (Home::new(), content(1000));
    let server = file_server(&bytes);
    let (url, right, wrong) =
        (server.url("/a.gguf"), sha256(&bytes).to_string(), sha256(b"other").to_string());
    ran(home.pull(&[&url, "--digest", &wrong])).fails(5, &["error[digest-mismatch]"]);
    ran(home.pull(&[&url, "--digest", &right])).output();
}

#[test]
fn a_file_that_changes_meanwhile_comes_in_its_new_form() {
    let (home, old, mut new) = (Home::new(), content(2 << 20), content(2 << 20));
    Arc::make_mut(&mut new)[1000..].fill(7);
    let changed = Arc::clone(&new);
    let server = spoiled(&old, move |number, request, reply| match number {
        0 => reply.cut_after(300_000),
        _ => HttpReply::file(request, &changed, "\"two\""),
    });
    ran(home.pull(&[&server.url("/a.gguf")])).output();
    assert!(home.blob(&sha256(&new)).exists());
}

#[test]
fn redirects_without_end_and_to_nowhere_are_refused() {
    let home = Home::new();
    for (location, text) in [
        ("/again", "more than 10 redirects"),
        ("ftp://a.b/", "neither https nor http"),
        ("https://u:p@a.b/", "user name"),
    ] {
        let server = HttpServer::start(move |_| HttpReply::redirect(location));
        ran(home.pull(&[&server.url("/a.gguf")])).fails(4, &["error[bad-answer]", text]);
    }
}

#[test]
fn headers_beyond_the_limit_are_refused() {
    let home = Home::new();
    let server = HttpServer::start(|_| HttpReply::new(200, "x").header("x-long", "a".repeat(70_000)));
    ran(home.pull(&[&server.url("/a.gguf")])).fails(4, &["error[bad-answer]", "64 KiB"]);
}
