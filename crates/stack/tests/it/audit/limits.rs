//! Where the log cannot be written: what goes on, and what does not.

use super::Site;

/// A home in which no log can be made, for root neither: where its folder should be, a file is.
fn closed(config: &str) -> Site {
    let site = Site::new();
    site.configure(config);
    std::fs::write(site.log(), "").unwrap();
    site
}

#[test]
fn loading_goes_on_without_a_log_and_says_so_once() {
    let site = closed("");
    let ran = site.stack(&["run", &site.path("tiny.gguf"), "--raw", "--max-tokens", "2", "ab"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("not audited").count(), 1, "{}", ran.stderr);
}

#[test]
fn nothing_goes_on_where_a_log_is_required() {
    let site = closed("[audit]\nrequired = true\n");
    let ran = site.stack(&["run", &site.path("tiny.gguf"), "--raw", "--max-tokens", "2", "ab"]);
    ran.fails(1, &["error[audit-log]", "hint: "]);
    site.stack(&["adopt", &site.path("tiny.gguf"), "--as", "tiny"]).fails(1, &["error[audit-log]"]);
}

#[test]
fn what_leaves_the_machine_and_what_is_trusted_needs_a_log() {
    let site = closed("");
    for arguments in [
        &["pull", "hf://a/b"][..],
        &["keygen", "--identity", "alice", "--no-passphrase"],
        &[
            "trust",
            "remove",
            "ed25519:3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29",
            "--revoke",
        ],
    ] {
        site.stack(arguments).fails(1, &["error[audit-log]", "hint: "]);
    }
    assert!(!site.home().join("keys").exists() && !site.home().join("trust").exists(), "nothing was done");
}

#[test]
fn an_operator_may_do_without() {
    let site = closed("[audit]\nenabled = false\n");
    let ran = site.stack(&["keygen", "--identity", "alice", "--no-passphrase"]);
    assert!(!ran.stderr.contains("audit"), "{}", ran.stderr);
    ran.output();
    site.stack(&["audit", "checkpoint"]).fails(7, &["error[audit-off]", "stack.toml"]);
    let settings = site.stack(&["config", "show", "--json"]).json();
    let row =
        |key: &str| settings["settings"].as_array().unwrap().iter().find(|row| row["key"] == key).cloned();
    assert_eq!(row("audit.enabled").unwrap()["origin"], "stack.toml:2");
    assert_eq!(row("audit.required").unwrap()["value"], false);
}

#[test]
fn an_anchor_that_takes_nothing_is_told() {
    let site = Site::new();
    site.configure("[audit]\nanchors = [\"/nowhere/at/all\"]\nanchor_command = [\"false\"]\n");
    let ran = site.stack(&["adopt", &site.path("tiny.gguf"), "--as", "tiny"]);
    assert!(ran.stderr.contains("warning: an anchor of the audit log"), "{}", ran.stderr);
    ran.output();
}
