//! Keys that are made, listed and revoked.

use serde_json::json;

use super::Site;

#[test]
fn a_key_is_shown_once_and_kept_as_a_digest() {
    let site = Site::new();
    let made = site
        .stack(&[
            "auth",
            "token",
            "create",
            "--name",
            "ci",
            "--scope",
            "infer,read",
            "--model",
            "qwen*",
            "--json",
        ])
        .json();
    let token = made["token"].as_str().unwrap();
    let id = made["id"].as_str().unwrap();
    assert!(token.starts_with(&format!("sk-stack-{id}-")) && token.len() == 86, "{token}");
    assert_eq!((&made["scopes"], &made["models"]), (&json!(["infer", "read"]), &json!(["qwen*"])));
    assert_eq!(made["tenant"], id, "without a word, it shares nothing");
    let secret = token.rsplit_once('-').unwrap().1;
    for entry in walk(&site.home()) {
        let bytes = std::fs::read(&entry).unwrap();
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{} holds the key", entry.display());
    }
    let listed = site.stack(&["auth", "token", "list", "--json"]).json();
    assert_eq!(listed["keys"][0]["id"], id);
    assert!(listed["keys"][0].get("token").is_none() && listed["keys"][0].get("digest").is_none());
    let table = site.stack(&["auth", "token", "list"]).output();
    assert!(
        table.contains(id) && table.contains("infer, read on qwen*") && !table.contains(secret),
        "{table}"
    );
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn making_and_revoking_are_acts_and_nothing_is_done_that_cannot_be_written_down() {
    let site = Site::new();
    let key = site.key("ci", &["--tenant", "team"]);
    site.stack(&["auth", "token", "revoke", "ci"]).output();
    let acts = site.acts();
    let phases: Vec<&str> = acts.iter().map(|(phase, _)| phase.as_str()).collect();
    assert_eq!(phases, ["intent", "effect", "intent", "effect"]);
    assert_eq!(
        (&acts[0].1["act"], &acts[0].1["key"]["tenant"]),
        (&json!("create an API key"), &json!("team"))
    );
    assert_eq!((&acts[2].1["act"], &acts[2].1["keys"][0]["name"]), (&json!("revoke API keys"), &json!("ci")));
    let secret = key.rsplit_once('-').unwrap().1;
    assert!(!format!("{acts:?}").contains(secret));
    // A log that cannot be written.
    let audit = site.home().join("audit");
    std::fs::remove_dir_all(&audit).unwrap();
    std::fs::write(&audit, "in the way").unwrap();
    assert_ne!(site.stack(&["auth", "token", "create", "--name", "x"]).code, 0);
    assert_eq!(site.stack(&["auth", "token", "list", "--json"]).json()["keys"], json!([]));
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let site = Site::new();
    for (arguments, code, says) in [
        (&["create"][..], 2, "--name"),
        (&["create", "--name", "a b"], 2, "letters, digits"),
        (&["create", "--name", "a", "--scope", "root"], 2, "infer"),
        (&["create", "--name", "a", "--requests-per-minute", "0"], 2, "--requests-per-minute"),
        (&["create", "--name", "a", "--expires", "yesterday"], 2, "2027-11-30"),
        (&["create", "--name", "a", "--expires", "2001-01-01"], 2, "before it begins"),
        (&["create", "--name", "a", "--priority", "urgent"], 2, "interactive"),
        (&["revoke", "nobody"], 3, "`stack auth token list`"),
    ] {
        site.stack(&[&["auth", "token"], arguments].concat()).fails(code, &[says]);
    }
    let [first, _second] = [site.key("twin", &[]), site.key("twin", &[])];
    site.stack(&["auth", "token", "revoke", "twin"]).fails(2, &["2 API keys are called twin", "hint: "]);
    site.stack(&["auth", "token", "revoke", &first]).output();
    site.stack(&["auth", "token", "revoke", "twin"]).output();
    std::fs::write(site.home().join("api-keys.json"), "{").unwrap();
    site.stack(&["auth", "token", "list"]).fails(4, &["error[bad-api-keys]", "api-keys.json", "hint: "]);
}

#[test]
fn a_server_beyond_this_machine_needs_a_key_and_asks_for_it() {
    let site = Site::new();
    let refused = ["error[no-api-key]", "0.0.0.0", "hint: ", "stack auth token create", "127.0.0.1"];
    site.stack(&["serve", "--host", "0.0.0.0", "--port", "0"]).fails(7, &refused);
    site.key("over", &["--expires", "1s"]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    site.stack(&["serve", "--host", "0.0.0.0", "--port", "0"]).fails(7, &refused);
    let key = site.key("ci", &["--scope", "infer"]);
    let server = site.serve(&["--host", "0.0.0.0"]);
    assert!(server.said.contains("warning: keys, prompts and answers travel in clear"), "{}", server.said);
    assert_eq!((server.status("/live", ""), server.status("/v1/models", "")), (200, 401));
    server.wait_until_ready(&key);
    let body = r#"{"model": "tiny", "prompt": "ab", "max_tokens": 2}"#;
    assert_eq!(server.ask("POST", "/v1/completions", &key, body).0, 200);
    assert_eq!(server.ask("POST", "/v1/completions", "", body).0, 401);
    assert_eq!(server.status("/metrics", &key), 403);
    // Whatever happens to the keys holds from the next request on.
    let second = site.key("reader", &["--scope", "read"]);
    assert_eq!(server.status("/metrics", &second), 200);
    site.stack(&["auth", "token", "revoke", "ci"]).output();
    assert_eq!(server.ask("POST", "/v1/completions", &key, body).0, 401);
    std::fs::write(site.home().join("api-keys.json"), "{").unwrap();
    assert_eq!(server.status("/metrics", &second), 500, "a damaged file lets nobody in");
}

#[test]
fn on_this_machine_keys_are_asked_for_where_the_configuration_says_so() {
    let site = Site::new();
    site.configure("[server.auth]\nrequired = true\n");
    site.stack(&["serve", "--port", "0"]).fails(7, &["error[no-api-key]", "[server.auth]"]);
    let key = site.key("ci", &["--requests-per-minute", "2"]);
    let server = site.serve(&[]);
    assert_eq!(server.status("/v1/models", ""), 401);
    server.wait_until_ready(&key);
    let body = r#"{"model": "tiny", "prompt": "ab", "max_tokens": 1}"#;
    let ask = || server.ask("POST", "/v1/completions", &key, body).0;
    assert_eq!([ask(), ask(), ask()], [200, 200, 429]);
    drop(server);
    site.configure("[server.auth]\nrequired = false\n");
    let server = site.serve(&[]);
    assert_eq!(server.status("/v1/models", ""), 200);
    assert_eq!(server.status("/v1/models", &format!("{key}0")), 401, "what looks like a key must be one");
}
