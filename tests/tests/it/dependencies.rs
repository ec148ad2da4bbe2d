//! What we depend on is allowed by `deny.toml`, and does not grow unnoticed.
//!
//! cargo-deny checks more, for every platform; this module checks the graph of this machine, from what Cargo has at
//! hand, in a second.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value as Json;
use toml::{Table, Value};

use crate::tree::{read, workspace_root};

/// The rules of `deny.toml` that are checked here.
struct Rules {
    licenses: Vec<String>,
    registries: Vec<String>,
    /// Older versions that may stay beside newer ones, as `(name, version)`, where `0.13` stands for every `0.13.x`.
    duplicates: Vec<(String, String)>,
    /// Crates that only certain others may depend on.
    banned: Vec<(String, Vec<String>)>,
    /// Features that must be off, as `(crate, feature)`.
    features_off: Vec<(String, String)>,
}

impl Rules {
    fn parse(text: &str) -> Self {
        let table: Table = text.parse().expect("deny.toml is TOML");
        let bans = &table["bans"];
        Self {
            licenses: strings(&table["licenses"]["allow"]),
            registries: strings(&table["sources"]["allow-registry"]),
            duplicates: tables(&bans["skip"], |row| {
                let (name, version) = text_of(row, "crate").split_once('@').expect("a skip names a version");
                (name.to_owned(), version.to_owned())
            }),
            banned: tables(&bans["deny"], |row| {
                (text_of(row, "crate").to_owned(), row.get("wrappers").map(strings).unwrap_or_default())
            }),
            features_off: tables(&bans["features"], |row| {
                strings(&row["deny"])
                    .into_iter()
                    .map(|feature| (text_of(row, "crate").to_owned(), feature))
                    .collect()
            })
            .into_iter()
            .flat_map(|rows: Vec<_>| rows)
            .collect(),
        }
    }

    fn allows_duplicate(&self, name: &str, version: &str) -> bool {
        self.duplicates.iter().any(|(row, prefix)| {
            row == name && version.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('.'))
        })
    }
}

fn strings(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list").iter();
    list.map(|text| text.as_str().expect("a list of texts").to_owned()).collect()
}

fn tables<T>(list: &Value, row: impl Fn(&Table) -> T) -> Vec<T> {
    list.as_array()
        .expect("a list")
        .iter()
        .map(|entry| row(entry.as_table().expect("a list of tables")))
        .collect()
}

fn text_of<'a>(row: &'a Table, key: &str) -> &'a str {
    row[key].as_str().expect("a text")
}

/// One crate of the graph.
#[derive(Debug, Default)]
struct Package {
    name: String,
    version: String,
    license: String,
    source: Option<String>,
    features: BTreeSet<String>,
    /// The ids of what it is built from: its dependencies, but for those of its tests.
    needs: Vec<String>,
}

/// Reads what `cargo metadata` prints; packages by their ids.
fn graph(metadata: &Json) -> BTreeMap<String, Package> {
    let text = |value: &Json, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let list = |value: &Json| value.as_array().cloned().unwrap_or_default();
    let mut graph = BTreeMap::new();
    for package in list(&metadata["packages"]) {
        let [name, version, license] = ["name", "version", "license"].map(|key| text(&package, key));
        let source = package["source"].as_str().map(str::to_owned);
        graph.insert(text(&package, "id"), Package { name, version, license, source, ..Package::default() });
    }
    for node in list(&metadata["resolve"]["nodes"]) {
        let package = graph.get_mut(&text(&node, "id")).expect("a node is a package");
        package.features =
            list(&node["features"]).iter().filter_map(|f| f.as_str().map(str::to_owned)).collect();
        for dependency in list(&node["deps"]) {
            let shipped = list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev");
            if shipped {
                package.needs.push(text(&dependency, "pkg"));
            }
        }
    }
    graph
}

/// Returns the packages that those with the names `roots` are built from, themselves included.
fn tree(graph: &BTreeMap<String, Package>, is_root: impl Fn(&Package) -> bool) -> Vec<&Package> {
    let mut waiting: Vec<&String> =
        graph.iter().filter(|(_, package)| is_root(package)).map(|(id, _)| id).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if seen.insert(id) {
            waiting.extend(&graph[id].needs);
        }
    }
    seen.into_iter().map(|id| &graph[id]).collect()
}

/// Lists everything in the graph that breaks a rule.
fn faults(graph: &BTreeMap<String, Package>, rules: &Rules) -> Vec<String> {
    let mut faults = Vec::new();
    for package in graph.values() {
        let Package { name, version, license, .. } = package;
        if !is_allowed(license, &rules.licenses) {
            faults
                .push(format!("{name} {version}: its licence `{license}` is not in [licenses] of deny.toml"));
        }
        if let Some(source) = &package.source
            && !rules.registries.iter().any(|registry| *source == format!("registry+{registry}"))
        {
            faults.push(format!("{name} {version}: its source {source} is not in [sources] of deny.toml"));
        }
    }
    let mut versions: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
    for package in tree(graph, |package| package.source.is_none()) {
        let Package { name, version, .. } = package;
        for used in package.needs.iter().map(|id| &graph[id]) {
            let wrappers =
                rules.banned.iter().find(|(banned, _)| *banned == used.name).map(|(_, wrappers)| wrappers);
            if wrappers.is_some_and(|wrappers| !wrappers.contains(name)) {
                faults.push(format!("{name} {version}: uses {}, which deny.toml bans", used.name));
            }
        }
        for (_, feature) in rules.features_off.iter().filter(|(row, _)| row == name) {
            if package.features.contains(feature) {
                faults.push(format!("{name} {version}: its feature {feature} is on, which deny.toml bans"));
            }
        }
        versions.entry(&package.name).or_default().push(package);
    }
    for (name, packages) in versions {
        let unlisted = packages.iter().filter(|package| !rules.allows_duplicate(name, &package.version));
        let unlisted: Vec<_> = unlisted.map(|package| package.version.as_str()).collect();
        if unlisted.len() > 1 {
            faults.push(format!(
                "{name}: {} are both built; skip one in deny.toml or none",
                unlisted.join(" and ")
            ));
        }
    }
    faults
}

/// Returns whether an SPDX expression can be met with the licences in `allowed`; one that makes no sense cannot.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    // Older manifests write `MIT/Apache-2.0`.
    let text = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest, allowed) == Some(true) && rest.is_empty()
}

fn any_of(words: &mut &[&str], allowed: &[String]) -> Option<bool> {
    let mut allows = all_of(words, allowed)?;
    while let ["OR", rest @ ..] = words {
        *words = rest;
        allows |= all_of(words, allowed)?;
    }
    Some(allows)
}

fn all_of(words: &mut &[&str], allowed: &[String]) -> Option<bool> {
    let mut allows = one(words, allowed)?;
    while let ["AND", rest @ ..] = words {
        *words = rest;
        allows &= one(words, allowed)?;
    }
    Some(allows)
}

fn one(words: &mut &[&str], allowed: &[String]) -> Option<bool> {
    match *words {
        ["(", rest @ ..] => {
            *words = rest;
            let allows = any_of(words, allowed)?;
            *words = words.strip_prefix(&[")"])?;
            Some(allows)
        }
        [license, "WITH", exception, rest @ ..] => {
            *words = rest;
            Some(allowed.contains(&format!("{license} WITH {exception}")))
        }
        [license, rest @ ..] => {
            *words = rest;
            Some(allowed.iter().any(|allowed| allowed == license))
        }
        [] => None,
    }
}

/// Asks Cargo for the graph of this machine, without a network and without a change of the lock file.
fn metadata() -> Json {
    let run = |command: &mut Command| {
        let output = command.current_dir(workspace_root()).output().expect("the toolchain can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("its output is UTF-8")
    };
    let host = run(Command::new("rustc").args(["--print", "host-tuple"]));
    let arguments =
        ["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", host.trim()];
    serde_json::from_str(&run(Command::new(env!("CARGO")).args(arguments))).expect("metadata is JSON")
}

/// How many crates the binary `stack` is built from on 64-bit Linux on x86, ours and those of build scripts and macros
/// included. A change that adds one says why it is worth it, and raises this number.
///
/// The last change: what looks at trees of files and at texts. `ignore` with globset, bstr, walkdir and same-file reads what
/// `.gitignore` says as ripgrep does; pulldown-cmark with unicase parses Markdown, quick-xml XML, saphyr-parser with
/// arraydeque YAML; and a crate of ours. Another one of ours, for agents, brings nothing that was not there.
const CRATES_MAX: usize = 356;

mod tests {
    use super::*;

    #[test]
    fn dependencies_are_allowed() {
        let rules = Rules::parse(&read(&workspace_root().join("deny.toml")));
        let graph = graph(&metadata());
        assert!(graph.len() > 100, "only {} packages found", graph.len());
        let faults = faults(&graph, &rules);
        assert!(faults.is_empty(), "dependencies break the rules:\n{}", faults.join("\n"));
    }

    #[test]
    fn every_lock_file_names_crates_io_alone_and_no_skip_is_stale() {
        let rules = Rules::parse(&read(&workspace_root().join("deny.toml")));
        let mut locked = Vec::new();
        for lock in ["Cargo.lock", "fuzz/Cargo.lock"] {
            let table: Table = read(&workspace_root().join(lock)).parse().expect("a lock file is TOML");
            for package in table["package"].as_array().expect("packages are a list") {
                let text = |key: &str| package.get(key).and_then(Value::as_str).map(str::to_owned);
                let name = text("name").expect("a package has a name");
                if let Some(source) = text("source") {
                    let known =
                        rules.registries.iter().any(|registry| source == format!("registry+{registry}"));
                    assert!(known, "{lock}: {name} comes from {source}");
                }
                if lock == "Cargo.lock" {
                    locked.push((name, text("version").expect("a package has a version")));
                }
            }
        }
        for (name, version) in &rules.duplicates {
            let is_row =
                |found: &(String, String)| found.0 == *name && found.1.starts_with(&format!("{version}."));
            assert!(
                locked.iter().any(is_row),
                "deny.toml skips {name}@{version}, which is gone; remove the row"
            );
        }
    }

    #[test]
    fn dependencies_are_counted() {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            println!("SKIPPED: the number of dependencies is that of Linux on x86");
            return;
        }
        let graph = graph(&metadata());
        let found = tree(&graph, |package| package.name == "stack" && package.source.is_none()).len();
        assert!(found <= CRATES_MAX, "stack is built from {found} crates, more than {CRATES_MAX}");
        assert!(found == CRATES_MAX, "stack is built from {found} crates; lower CRATES_MAX to that");
    }

    #[test]
    fn licence_expressions_are_understood() {
        let allowed = ["MIT", "Unicode-3.0", "X WITH y"].map(str::to_owned);
        for sound in
            ["MIT", "GPL-2.0 OR MIT", "Apache-2.0/MIT", "(MIT OR A) AND Unicode-3.0", "X WITH y OR A"]
        {
            assert!(is_allowed(sound, &allowed), "{sound}");
        }
        for refused in
            ["", "GPL-2.0", "MIT AND A", "MIT OR", "(MIT", "MIT)", "X", "MIT WITH y", "A OR A AND MIT"]
        {
            assert!(!is_allowed(refused, &allowed), "{refused}");
        }
    }

    #[test]
    fn forbidden_packages_are_faults() {
        let rules = Rules::parse(
            r#"
            licenses.allow = ["MIT"]
            sources.allow-registry = ["https://a"]
            [bans]
            skip = [{ crate = "old@0.1" }]
            deny = [{ crate = "cc", wrappers = ["ring"] }]
            features = [{ crate = "esaxx-rs", deny = ["cpp"] }]
            "#,
        );
        let package = |name: &str, version: &str, change: fn(&mut Package)| {
            let mut package = Package {
                name: name.to_owned(),
                version: version.to_owned(),
                license: "MIT".to_owned(),
                source: Some("registry+https://a".to_owned()),
                ..Package::default()
            };
            change(&mut package);
            package
        };
        let check = |dependencies: Vec<Package>| {
            let mut graph: BTreeMap<String, Package> =
                dependencies.into_iter().map(|p| (format!("{} {}", p.name, p.version), p)).collect();
            let needs = graph.keys().filter(|id| !id.starts_with("cc ")).cloned().collect();
            let root = Package { needs, source: None, ..package("stack", "0.1.0", |_| {}) };
            graph.insert("stack".to_owned(), root);
            faults(&graph, &rules).concat()
        };
        let uses_cc = |package: &mut Package| package.needs.push("cc 1.0.0".to_owned());
        assert_eq!(check(vec![package("old", "0.1.9", |_| {}), package("old", "0.2.0", |_| {})]), "");
        assert_eq!(check(vec![package("cc", "1.0.0", |_| {}), package("ring", "0.1.0", uses_cc)]), "");
        let faulty = [
            (vec![package("a", "1.0.0", |p| p.license = "GPL-3.0".to_owned())], "its licence `GPL-3.0`"),
            (vec![package("a", "1.0.0", |p| p.source = Some("git+https://a".to_owned()))], "its source git+"),
            (vec![package("cc", "1.0.0", |_| {}), package("onig_sys", "1.0.0", uses_cc)], "uses cc"),
            (
                vec![package("esaxx-rs", "1.0.0", |p| p.features = BTreeSet::from(["cpp".to_owned()]))],
                "its feature cpp",
            ),
            (vec![package("new", "1.0.0", |_| {}), package("new", "2.0.0", |_| {})], "1.0.0 and 2.0.0"),
        ];
        for (packages, part) in faulty {
            let found = check(packages);
            assert!(found.contains(part), "{found:?} lacks {part:?}");
        }
    }
}
