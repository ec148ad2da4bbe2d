//! Commands that ask a server elsewhere.

use serde_json::json;

use super::{Site, vector};

#[test]
fn a_login_is_checked_kept_and_used_until_the_logout() {
    let site = Site::new();
    site.configure("[server.auth]\nrequired = true\n[privacy]\nhosts = [\"localhost\"]\n");
    let key = site.key("ci", &["--scope", "infer,operate,read", "--requests-per-minute", "7"]);
    let (certificate, private) = (vector("server.pem"), vector("server.key"));
    let server = site.serve(&["--tls-certificate", &certificate, "--tls-key", &private]);
    let url = format!("https://localhost:{}", server.port);

    site.stack(&["whoami", "--server", &url]).fails(7, &["error[no-key]", "stack login", &url]);
    site.stack_with_stdin(&["login", &url], b"sk-stack-wrong\n").fails(7, &["not known here"]);
    site.stack_with_stdin(&["login", &url], b"two words\n").fails(2, &["no API key"]);
    assert!(!site.home().join("logins.json").exists(), "a key that is none is not kept");
    let said = site.stack_with_stdin(&["login", &url], format!("{key}\n").as_bytes());
    assert!(said.code == 0 && said.stderr.contains("as ci (infer, read, operate)"), "{}", said.stderr);
    assert!(!said.stderr.contains(&key) && !said.stdout.contains(&key));

    let whoami = site.stack(&["whoami", "--json"]).json();
    assert_eq!((&whoami["server"], &whoami["whoami"]["requests_per_minute"]), (&json!(url), &json!(7)));
    assert!(site.stack(&["whoami"]).output().contains("infer, read, operate"));
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while !site.stack(&["ps"]).output().contains("tiny") {
        assert!(std::time::Instant::now() < deadline, "the model is never loaded");
    }
    assert_eq!(site.stack(&["stop", "tiny", "--json"]).json()["unloaded"][0], "tiny");
    // An option that says where on this machine goes before the login.
    site.stack(&["ps", "--port", "1"]).fails(3, &["no server listens on 127.0.0.1:1"]);
    site.stack(&["ps", "--server", &url, "--port", "1"]).fails(2, &["--server", "--port"]);

    assert_eq!(site.stack(&["logout", "--json"]).json()["logged_out"], url);
    site.stack(&["logout"]).fails(3, &["nobody is logged in"]);
    site.stack(&["ps", "--server", &url]).fails(7, &["error[no-key]"]);
}

#[test]
fn a_key_goes_to_no_other_machine_in_clear_and_nowhere_that_the_tier_forbids() {
    let site = Site::new();
    site.stack_with_stdin(&["login", "http://192.0.2.1:8084", "--allow-host", "192.0.2.1"], b"sk-stack-x\n")
        .fails(7, &["plain http"]);
    site.stack_with_stdin(&["login", "https://192.0.2.1", "--privacy", "sovereign"], b"sk-stack-x\n")
        .fails(7, &["sovereign"]);
    site.stack(&["ps", "--server", "https://h/path"]).fails(2, &["without a path"]);
}

#[test]
fn the_server_on_this_machine_is_asked_with_the_key_that_was_kept_for_it() {
    let site = Site::new();
    site.configure("[server.auth]\nrequired = true\n");
    let key = site.key("ci", &["--scope", "read"]);
    let server = site.serve(&[]);
    let ps = || site.stack(&["ps", "--port", &server.port]);
    ps().fails(7, &["error[no-key]"]);
    let url = format!("http://127.0.0.1:{}", server.port);
    assert_eq!(site.stack_with_stdin(&["login", &url], key.as_bytes()).code, 0);
    ps().output();
    site.stack(&["stop", "tiny", "--port", &server.port]).fails(7, &["`operate`"]);
}
