//! The configuration: where it is, what it says, and who said it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stack::{Ran, command};

fn run(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = command(arguments);
    command.env("STACK_HOME", home).envs(variables.iter().copied());
    Ran::from(command.output().unwrap())
}

/// The value of a setting, and its origin.
fn setting(shown: &Value, key: &str) -> (Value, String) {
    let rows = shown["settings"].as_array().unwrap();
    let row = rows.iter().find(|row| row["key"] == key).unwrap();
    (row["value"].clone(), row["origin"].as_str().unwrap().to_owned())
}

#[test]
fn each_value_is_shown_with_its_origin() {
    let home = TempDir::new().unwrap();
    let defaults = run(home.path(), &["config", "show", "--json"], &[]).json();
    assert_eq!(setting(&defaults, "privacy.tier"), (json!("standard"), "default".into()));
    assert_eq!(setting(&defaults, "server.port"), (json!(8084), "default".into()));
    assert!(!home.path().join("store").exists(), "nothing is made to look");

    let text = "[privacy]\ntier = \"private\"\nhosts = [\"*.lan\", \"a.b:81\"]\n\n[server]\nport = 9000\n\
                cors = [\"https://App.example.org\"]\nhost_names = [\"llm.lan\"]\n\
                stored_responses = 20\n";
    fs::write(home.path().join("stack.toml"), text).unwrap();
    let shown = run(home.path(), &["config", "show", "--json"], &[("STACK_PRIVACY", "sovereign")]).json();
    for (key, value, origin) in [
        ("privacy.tier", json!("sovereign"), "STACK_PRIVACY"),
        ("privacy.offline", json!(false), "default"),
        ("privacy.hosts", json!(["*.lan", "a.b:81"]), "stack.toml:3"),
        ("server.host", json!("127.0.0.1"), "default"),
        ("server.port", json!(9000), "stack.toml:6"),
        ("server.cors", json!(["https://app.example.org"]), "stack.toml:7"),
        ("server.host_names", json!(["llm.lan"]), "stack.toml:8"),
        ("server.stored_responses", json!(20), "stack.toml:9"),
    ] {
        assert_eq!(setting(&shown, key), (value, origin.to_owned()), "{key}");
    }
    let text = run(home.path(), &["config", "show"], &[("STACK_PORT", "1")]).output();
    assert!(text.contains("privacy.tier") && text.contains("stack.toml:2") && text.contains("STACK_PORT"));
    run(home.path(), &["config", "show"], &[("STACK_PRIVACY", "standard")])
        .fails(7, &["error[tier-forbids]", "STACK_PRIVACY", "stack.toml:2"]);
    run(home.path(), &["config", "show"], &[("STACK_PORT", "many")]).fails(2, &["STACK_PORT=many"]);
}

#[test]
fn every_problem_of_the_file_is_listed() {
    let home = TempDir::new().unwrap();
    let path = home.path().join("stack.toml");
    let shown = path.display().to_string();
    assert_eq!(run(home.path(), &["config", "path"], &[]).output().trim(), shown);
    assert!(run(home.path(), &["config", "check"], &[]).output().contains("ok"));
    fs::write(&path, "[server]\nprot = 1\n[privacy]\ntier = \"secret\"\n").unwrap();
    let ran = run(home.path(), &["config", "check"], &[]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stdout.contains("line 2: unknown key server.prot; did you mean port?"), "{}", ran.stdout);
    assert!(ran.stdout.contains("line 4: privacy.tier: expected sovereign"), "{}", ran.stdout);
    for arguments in [&["config", "show"][..], &["serve", "--port", "0"], &["pull", "hf://a/b"]] {
        run(home.path(), arguments, &[])
            .fails(4, &["error[bad-config]", &shown, "line 2", "one more problem"]);
    }
}

#[test]
fn the_former_name_of_the_file_is_not_passed_over() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("config.toml"), "[privacy]\ntier = \"sovereign\"\n").unwrap();
    for arguments in [&["config", "check"][..], &["pull", "hf://a/b"]] {
        run(home.path(), arguments, &[]).fails(4, &["config.toml", "no longer read", "stack.toml"]);
    }
}

#[test]
fn a_server_listens_where_the_configuration_says() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("stack.toml"), "[server]\nhost = \"0.0.0.0\"\n").unwrap();
    run(home.path(), &["serve"], &[]).fails(7, &["0.0.0.0", "stack.toml:2"]);
    run(home.path(), &["serve"], &[("STACK_HOST", "::")]).fails(7, &["listening on ::", "STACK_HOST"]);
}
