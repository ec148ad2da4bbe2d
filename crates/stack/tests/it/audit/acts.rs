//! Each command with an effect says what it is about to do, and what came of it.

use stack_testkit::HttpServer;

use super::Site;
use crate::pull::{content, file_server};
use crate::stack::{Ran, Running};

#[test]
fn every_command_with_an_effect_begins_and_ends_an_act() {
    let site = Site::new();
    let path = |name: &str| site.path(name);
    let tiny = path("tiny.gguf");
    std::fs::write(path("m.bin"), b"weights").unwrap();
    for (arguments, kind) in [
        (&["adopt", &tiny, "--copy", "--as", "tiny"][..], "registry.adopt"),
        (&["cp", "tiny", "second"], "registry.name"),
        (&["run", "tiny", "--raw", "--max-tokens", "2", "ab"], "registry.load"),
        (&["run", "--max-tokens", "2", "-p", "Hello"], "registry.load"),
        (&["keygen", "--identity", "alice", "--no-passphrase"], "registry.key"),
        (&["sign", &path("m.bin"), "--identity", "alice"], "registry.sign"),
        (&["trust", "add", "alice", "--key", &path("home/keys/alice.pub")], "registry.trust"),
        (&["trust", "remove", "alice"], "registry.trust"),
        (&["encrypt", &path("m.bin"), "--recipient", "alice"], "registry.encrypt"),
        (&["decrypt", &path("m.bin.age"), "-o", &path("plain"), "--identity", "alice"], "registry.decrypt"),
        (&["rekey", &path("m.bin.age"), "--recipient", "alice", "--identity", "alice"], "registry.rekey"),
        (&["encrypt", "tiny", "--recipient", "alice"], "registry.encrypt"),
        (&["export", "tiny", "-o", &path("m.stackpkg")], "registry.export"),
        (&["rm", "tiny"], "registry.remove"),
        (&["import", &path("m.stackpkg")], "registry.import"),
        (&["gc", "--grace", "0"], "registry.collect"),
    ] {
        let before = site.acts().len();
        site.stack(arguments).output();
        site.did(kind, "done");
        assert_eq!(site.acts().len(), before + 2, "{arguments:?}");
    }
    let verified = site.verifies();
    assert_eq!((&verified["open_intents"], &verified["ambiguous"]), (&0.into(), &0.into()));
}

#[test]
fn looking_writes_nothing() {
    let site = Site::new();
    site.stack(&["list"]).output();
    assert!(!site.log().exists(), "what only looks makes no log");
    site.stack(&["adopt", &site.path("tiny.gguf"), "--copy", "--as", "tiny"]).output();
    let before = site.entries();
    for arguments in [
        &["list"][..],
        &["show", "tiny"],
        &["tokenize", "tiny", "ab"],
        &["config", "show"],
        &["trust", "list"],
        &["doctor"],
        &["rm", "tiny", "--dry-run"],
        &["gc", "--dry-run"],
        &["adopt", &site.path("tiny.gguf"), "--list"],
        &["audit", "list"],
        &["audit", "show", "0"],
        &["audit", "show", "registry"],
        &["audit", "keys"],
        &["audit", "hold"],
        &["audit", "prove", "inclusion", "1"],
        &["audit", "prove", "consistency", "1"],
        &["audit", "verify"],
    ] {
        site.stack(arguments).output();
    }
    assert_eq!(site.entries(), before);
}

#[test]
fn a_load_says_which_bytes_it_was_and_who_let_them_pass() {
    let site = Site::new();
    site.stack(&["run", &site.path("tiny.gguf"), "--raw", "--max-tokens", "2", "ab"]).output();
    let entries = site.entries();
    let effect = &entries.last().unwrap()["payload"];
    assert_eq!((&effect["basis"], &effect["roots"].as_array().unwrap().len()), (&"first_seen".into(), &1));
    assert!(effect["policy"].as_str().unwrap().contains("the default level is audit"), "{effect}");
    site.stack(&["keygen", "--identity", "alice", "--no-passphrase"]).output();
    let key = site.home().join("keys/alice.pub");
    let trust = ["trust", "add", "alice", "--key", key.to_str().unwrap(), "--for", "**", "--level", "strict"];
    site.stack(&trust).output();
    let refused = site.stack(&["run", &site.path("tiny.gguf"), "--raw", "ab"]);
    assert_ne!(refused.code, 0);
    site.did("registry.load", "denied");
    let entries = site.entries();
    assert_eq!(entries.last().unwrap()["payload"]["code"], "no-signature", "{}", refused.stderr);
}

#[test]
fn what_is_kept_from_leaving_is_written_down() {
    let site = Site::new();
    site.stack(&["pull", "hf://a/b", "--privacy", "sovereign"]).fails(7, &["error[tier-forbids]"]);
    site.did("registry.pull", "denied");
    let last = site.entries().pop().unwrap();
    assert_eq!((&last["payload"]["code"], &last["tier"]), (&"tier-forbids".into(), &"sovereign".into()));
    site.stack(&["pull", "hf://a/b", "--offline"]).fails(7, &["error[offline]"]);
    site.did("registry.pull", "denied");
    assert_eq!(site.entries().pop().unwrap()["payload"]["code"], "offline");
    site.stack(&["adopt", &site.path("tiny.gguf"), "--copy", "--as", "tiny"]).output();
    site.stack(&["push", "tiny", "oci://r.lan/tiny", "--privacy", "private"])
        .fails(7, &["error[host-not-listed]"]);
    site.did("registry.push", "denied");
}

#[test]
fn a_pull_says_what_it_fetched_and_a_failed_one_why() {
    let site = Site::new();
    let bytes = content(1000);
    let server = file_server(&bytes);
    let pull = |url: &str| site.stack(&["pull", url, "--as", "mine", "--allow-host", "127.0.0.1"]);
    let pulled = pull(&server.url("/a.gguf?signature=secret-of-mine")).output();
    site.did("registry.pull", "done");
    let entries = site.entries();
    let [.., intent, effect] = &*entries else { panic!("{entries:?}") };
    assert_eq!(intent["payload"]["from"], server.url("/a.gguf"));
    assert!(pulled.contains(effect["payload"]["manifest"].as_str().unwrap()), "{effect}");
    assert_eq!((&effect["payload"]["name"], &effect["payload"]["changed"]), (&"mine".into(), &true.into()));
    let gone = HttpServer::start(|_| stack_testkit::HttpReply::new(404, ""));
    pull(&gone.url("/b.gguf")).fails(3, &["error["]);
    site.did("registry.pull", "failed");
}

#[cfg(unix)]
#[test]
fn a_server_begins_loads_and_ends() {
    let site = Site::new();
    let model = site.path("tiny.gguf");
    let running = Running::start(&mut site.command(&["serve", "--port", "0", &model]));
    let started = std::time::Instant::now();
    let loaded = ("registry.load".to_owned(), "done".to_owned());
    while !site.acts().contains(&loaded) {
        assert!(started.elapsed().as_secs() < 60, "the model was never loaded");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // It serves, and others write.
    site.stack(&["keygen", "--identity", "alice", "--no-passphrase"]).output();
    assert_eq!(running.terminate().code(), Some(0));
    let acts = site.acts();
    let acts: Vec<_> = acts.iter().map(|(kind, end)| (&**kind, &**end)).collect();
    assert_eq!(
        acts,
        [
            ("server.serve", "intent"),
            ("registry.load", "intent"),
            ("registry.load", "done"),
            ("registry.key", "intent"),
            ("registry.key", "done"),
            ("server.serve", "done"),
        ]
    );
    site.verifies();
}

#[test]
fn one_act_is_shown_in_full_and_lists_are_narrowed() {
    let site = super::five_events();
    let entry = site.stack(&["audit", "show", "3", "--json"]).json();
    assert_eq!((&entry["kind"], &entry["payload"]["name"]), (&"registry.name".into(), &"second".into()));
    assert!(site.stack(&["audit", "show", "3"]).output().contains("registry.name"));
    site.stack(&["audit", "show", "99"]).fails(3, &["no entry 99", "hint: "]);
    let count = |arguments: &[&str]| {
        let ran: Ran = site.stack(&[&["audit", "list", "--json"], arguments].concat());
        ran.json()["entries"].as_array().unwrap().len()
    };
    assert_eq!(count(&["--kind", "registry.name"]), 2);
    assert_eq!(count(&["--session", "registry", "--limit", "3"]), 3);
    assert_eq!(count(&["--since", "1h"]), 5);
    assert_eq!(count(&["--since", "2999-01-01"]), 0);
    site.stack(&["audit", "list", "--kind", "pull"]).fails(2, &["registry.pull"]);
}
