//! What contributors are told is what the scripts do.

use toml::{Table, Value};

use crate::tree::{entries, read, workspace_root};

#[test]
fn every_script_is_explained() {
    let page = read(&workspace_root().join("CONTRIBUTING.md"));
    for script in entries(&workspace_root().join(".ci")) {
        let name = script.file_name().and_then(|name| name.to_str()).expect("file names are UTF-8");
        assert!(page.contains(&format!("`.ci/{name}`")), "CONTRIBUTING.md does not explain .ci/{name}");
    }
}

#[test]
fn the_checks_of_ci_are_those_that_are_listed() {
    let root = workspace_root();
    let (page, script) = (read(&root.join("CONTRIBUTING.md")), read(&root.join(".ci/run")));
    let checks = checks(&script);
    assert!(checks.len() > 5, "only {checks:?} found");
    assert_eq!(checks, listed(&page), "the checks of .ci/run, and the list in CONTRIBUTING.md");
}

/// Lists the titles that a script gives to its steps.
fn checks(script: &str) -> Vec<&str> {
    script.lines().filter_map(|line| line.strip_prefix("title '")?.strip_suffix('\'')).collect()
}

/// Lists the first column of the table of checks.
fn listed(page: &str) -> Vec<&str> {
    let rows = page.lines().skip_while(|line| !line.starts_with("| check |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| Some(row.split('|').nth(1)?.trim())).collect()
}

#[test]
fn one_version_of_rust_is_named_everywhere() {
    let root = workspace_root();
    let table = |file: &str| -> Table { read(&root.join(file)).parse().expect("the file is TOML") };
    let manifest = table("Cargo.toml");
    let version = manifest["workspace"]["package"]["rust-version"].as_str().expect("a text");
    let toolchain = &table("rust-toolchain.toml")["toolchain"];
    let channel = toolchain["channel"].as_str().expect("a text");
    assert_eq!(channel, "stable", "a version would have to be fetched, which not every site can do");
    let components: Vec<_> =
        toolchain["components"].as_array().expect("a list").iter().map(Value::as_str).collect();
    assert_eq!(components, [Some("clippy"), Some("rustfmt")]);
    for page in ["README.md", "CONTRIBUTING.md", "book/src/start/quick-start.md"] {
        assert!(
            read(&root.join(page)).contains(&format!("Rust {version}")),
            "{page} does not name Rust {version}"
        );
    }
}
