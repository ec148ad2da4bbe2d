//! Commands beside each other, and commands that were killed.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use stack_testkit::{HttpReply, HttpServer};

use super::Site;
use crate::pull::content;
use crate::stack::Running;

#[test]
fn commands_at_the_same_time_leave_one_chain() {
    let site = Site::new();
    thread::scope(|scope| {
        for number in 0..4 {
            let site = &site;
            scope.spawn(move || {
                let name = format!("user-{number}");
                site.stack(&["keygen", "--identity", &name, "--no-passphrase"]).output();
                site.stack(&[
                    "encrypt",
                    &site.path("tiny.gguf"),
                    "--recipient",
                    &name,
                    "-o",
                    &site.path(&name),
                ])
                .output();
            });
        }
    });
    let verified = site.verifies();
    assert_eq!((&verified["open_intents"], &verified["ambiguous"]), (&0.into(), &0.into()));
    assert_eq!(site.acts().len(), 16);
}

#[cfg(unix)]
#[test]
fn a_killed_pull_is_called_ambiguous_by_the_next_command() {
    let site = Site::new();
    let bytes = content(8 << 20);
    let server = HttpServer::start(move |request| {
        HttpReply::file(request, &bytes, "\"one\"").paced(1 << 16, Duration::from_millis(200))
    });
    let url = server.url("/a.gguf");
    let arguments = ["pull", &url, "--allow-host", "127.0.0.1", "-q"];
    let pull = Running::start(site.command(&arguments).stderr(Stdio::null()));
    let started = Instant::now();
    while server.bytes_sent() == 0 {
        assert!(started.elapsed().as_secs() < 60, "nothing was ever asked for");
        thread::sleep(Duration::from_millis(10));
    }
    // While it lives, its act is under way, whoever else writes.
    site.stack(&["keygen", "--identity", "alice", "--no-passphrase"]).output();
    assert_eq!(site.verifies()["open_intents"], 1);
    drop(pull);
    site.stack(&["keygen", "--identity", "bob", "--no-passphrase"]).output();
    let verified = site.verifies();
    assert_eq!((&verified["open_intents"], &verified["ambiguous"]), (&0.into(), &1.into()));
    let ended = ("registry.pull".to_owned(), "ambiguous".to_owned());
    assert!(site.acts().contains(&ended), "{:?}", site.acts());
    assert!(site.stack(&["audit", "verify"]).output().contains("1 acts of which nobody knows"));
}
