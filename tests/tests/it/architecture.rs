//! The shape of the workspace, read from its manifests.
//!
//! `docs/ARCHITECTURE.md` says which crate may stand on which. This module is that page in a form that fails: a new
//! arrow needs a changed row here, so nobody adds one by accident.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

use crate::tree::workspace_root;

/// One crate of `crates/`, and the workspace crates that it may depend on.
struct Row {
    name: &'static str,
    level: u8,
    may_use: &'static [&'static str],
}

/// A manifest and the folder that it lies in, relative to the root.
struct Package {
    folder: String,
    manifest: Table,
}

/// Which table of a manifest names a dependency.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Shipped,
    TestsOnly,
}

/// Lists everything in `packages` that breaks a rule, as sentences for the author of the change.
///
/// `workspace` is the root's table: its dependencies, where inherited ones are renamed, and its lints.
fn faults(packages: &[Package], workspace: &Table) -> Vec<String> {
    let mut faults = Vec::new();
    for package in packages {
        let Some(name) = name_of(&package.manifest) else {
            faults.push(format!("{}: the manifest has no package name", package.folder));
            continue;
        };
        if name == WITH_UNSAFE {
            if package.manifest.get("lints") != Some(&lints_with_unsafe(workspace)) {
                faults.push(format!("{name}: its lints are not the workspace's with `unsafe` allowed"));
            }
        } else if !inherits_lints(&package.manifest) {
            faults.push(format!("{name}: the manifest lacks `[lints] workspace = true`"));
        }
        let dependencies = dependencies(&package.manifest, workspace);
        for (dependency, _) in &dependencies {
            if CRYPTOGRAPHY.contains(&dependency.as_str()) && name != "stack-seal" {
                faults.push(format!("{name}: only stack-seal may name the crypto crate {dependency}"));
            }
        }
        if let Some(folder) = package.folder.strip_prefix("crates/") {
            if folder != name {
                faults.push(format!("{name}: the folder crates/{folder} must be named like its package"));
            }
            faults.extend(crate_faults(name, &dependencies));
        } else if dependencies.iter().any(|(dependency, _)| OUTER.contains(&dependency.as_str())) {
            faults.push(format!("{name}: nothing depends on a package outside crates/"));
        }
    }
    faults
}

/// Lists what is wrong with the arrows that leave one crate of `crates/`.
fn crate_faults(name: &str, dependencies: &[(String, Use)]) -> Vec<String> {
    let Some(row) = CRATES.iter().find(|row| row.name == name) else {
        return vec![format!("{name}: the crate has no row in the table of {}", file!())];
    };
    let mut faults = Vec::new();
    for (dependency, used) in dependencies {
        if dependency == "anyhow" && *used == Use::Shipped && name != "stack" {
            faults.push(format!("{name}: a library has its own error types, not anyhow"));
        }
        let ours = OUTER.contains(&dependency.as_str()) || CRATES.iter().any(|row| row.name == dependency);
        let as_tests_may = *used == Use::TestsOnly && dependency == "stack-testkit";
        if ours && !as_tests_may && !row.may_use.contains(&dependency.as_str()) {
            faults.push(format!("{name}: the arrow to {dependency} is not in the table of {}", file!()));
        }
    }
    faults
}

/// Returns the name of the package that a manifest describes.
fn name_of(manifest: &Table) -> Option<&str> {
    manifest.get("package")?.get("name")?.as_str()
}

/// Returns whether a manifest takes the workspace's lints.
fn inherits_lints(manifest: &Table) -> bool {
    manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(Value::as_bool) == Some(true)
}

/// Returns the lints of the one crate that may hold `unsafe`: the workspace's, but for what they say about it.
fn lints_with_unsafe(workspace: &Table) -> Value {
    let mut lints = workspace.get("lints").cloned().unwrap_or(Value::Table(Table::new()));
    for (tool, lint, level) in
        [("rust", "unsafe_code", "allow"), ("clippy", "undocumented_unsafe_blocks", "deny")]
    {
        if let Some(lints) = lints.get_mut(tool).and_then(Value::as_table_mut) {
            lints.insert(lint.to_owned(), level.into());
        }
    }
    lints
}

/// Lists the packages that a manifest depends on, under their real names, for every target.
fn dependencies(manifest: &Table, workspace: &Table) -> Vec<(String, Use)> {
    let shared = workspace.get("dependencies");
    let per_target = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let mut found = Vec::new();
    for tables in per_target.filter_map(Value::as_table).chain([manifest]) {
        let kinds = [
            ("dependencies", Use::Shipped),
            ("build-dependencies", Use::Shipped),
            ("dev-dependencies", Use::TestsOnly),
        ];
        for (key, used) in kinds {
            for (alias, entry) in tables.get(key).and_then(Value::as_table).into_iter().flatten() {
                let inherited = entry.get("workspace").and_then(|_| shared?.get(alias));
                let renamed = inherited.unwrap_or(entry).get("package");
                let name = renamed.and_then(Value::as_str).unwrap_or(alias);
                found.push((name.to_owned(), used));
            }
        }
    }
    found
}

/// Reads every manifest of the workspace, and what the root says of all of them.
fn read_workspace(root: &Path) -> (Vec<Package>, Table) {
    let manifest = read_manifest(root);
    let workspace = manifest["workspace"].as_table().expect("the root manifest describes a workspace");
    let members = workspace["members"].as_array().expect("members are a list");
    let mut packages = BTreeMap::new();
    for member in members.iter().map(|member| member.as_str().expect("a member is a path")) {
        let folders = match member.strip_suffix("/*") {
            Some(parent) => folders_in(root, parent),
            None => vec![member.to_owned()],
        };
        for folder in folders {
            let manifest = read_manifest(&root.join(&folder));
            packages.insert(folder.clone(), Package { folder, manifest });
        }
    }
    (packages.into_values().collect(), workspace.clone())
}

/// Lists the folders in `parent` that hold a manifest, relative to the root.
fn folders_in(root: &Path, parent: &str) -> Vec<String> {
    fs::read_dir(root.join(parent))
        .expect("the parent of the members can be listed")
        .map(|entry| entry.expect("its entries can be read"))
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| format!("{parent}/{}", entry.file_name().to_str().expect("folder names are UTF-8")))
        .collect()
}

fn read_manifest(folder: &Path) -> Table {
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The crates of `docs/ARCHITECTURE.md`, those that are planned included: a crate may land, its place is fixed.
const CRATES: &[Row] = &[
    Row { name: "stack-chat", level: 0, may_use: &[] },
    Row { name: "stack-seal", level: 0, may_use: &[] },
    Row { name: "stack-kernels", level: 0, may_use: &[] },
    Row { name: "stack-url", level: 0, may_use: &[] },
    Row { name: "stack-wire", level: 1, may_use: &["stack-chat"] },
    Row { name: "stack-audit", level: 1, may_use: &["stack-seal"] },
    Row { name: "stack-registry", level: 1, may_use: &["stack-seal", "stack-url"] },
    // Tests of every level stand on it, so it stands on the vocabulary only.
    Row { name: "stack-testkit", level: 1, may_use: &["stack-chat", "stack-seal"] },
    Row { name: "stack-engine", level: 2, may_use: &["stack-kernels", "stack-chat", "stack-seal"] },
    Row {
        name: "stack-gateway",
        level: 2,
        may_use: &["stack-wire", "stack-chat", "stack-audit", "stack-url"],
    },
    Row { name: "stack-insight", level: 2, may_use: &["stack-chat", "stack-seal"] },
    Row { name: "stack-agent", level: 2, may_use: &["stack-chat", "stack-audit"] },
    Row { name: "stack-server", level: 2, may_use: &["stack-wire", "stack-chat", "stack-audit"] },
    Row { name: "stack-trust", level: 2, may_use: &["stack-registry", "stack-seal"] },
    Row {
        name: "stack",
        level: 3,
        may_use: &[
            "stack-agent",
            "stack-audit",
            "stack-chat",
            "stack-engine",
            "stack-gateway",
            "stack-insight",
            "stack-kernels",
            "stack-registry",
            "stack-seal",
            "stack-server",
            "stack-trust",
            "stack-url",
            "stack-wire",
        ],
    },
];

/// The crate that holds `unsafe`.
const WITH_UNSAFE: &str = "stack-kernels";

/// Packages outside `crates/`: they drive, measure or make something, and nobody stands on them.
const OUTER: &[&str] = &["stack-benches", "stack-e2e", "stack-recipe"];

/// Crates that hash, sign, encrypt or derive keys.
const CRYPTOGRAPHY: &[&str] = &[
    "aes",
    "aes-gcm",
    "age",
    "argon2",
    "aws-lc-rs",
    "blake2",
    "blake3",
    "chacha20",
    "chacha20poly1305",
    "curve25519-dalek",
    "ecdsa",
    "ed25519-dalek",
    "hkdf",
    "hmac",
    "k256",
    "md-5",
    "openssl",
    "p256",
    "p384",
    "pbkdf2",
    "ring",
    "rsa",
    "scrypt",
    "sha1",
    "sha2",
    "sha3",
    "x25519-dalek",
];

mod tests {
    use super::*;

    #[test]
    fn workspace_keeps_its_shape() {
        let (packages, workspace) = read_workspace(&workspace_root());
        assert!(packages.len() >= 9, "only {} manifests found", packages.len());
        let faults = faults(&packages, &workspace);
        assert!(faults.is_empty(), "the workspace lost its shape:\n{}", faults.join("\n"));
    }

    #[test]
    fn table_points_down() {
        for row in CRATES {
            for lower in row.may_use {
                let target = CRATES.iter().find(|row| row.name == *lower).expect("arrows end at a row");
                assert!(target.level < row.level, "{} → {lower} does not point down", row.name);
            }
        }
    }

    #[test]
    fn sound_manifest_has_no_fault() {
        assert_eq!(
            check("crates/stack-wire", &manifest("stack-wire", "stack-chat.workspace = true")),
            [""; 0]
        );
    }

    #[test]
    fn testkit_is_for_tests() {
        let shipped = manifest("stack-wire", "stack-testkit.workspace = true");
        assert_one(&check("crates/stack-wire", &shipped), "the arrow to stack-testkit");
        let tests_only = manifest("stack-wire", "[dev-dependencies]\nstack-testkit.workspace = true");
        assert_eq!(check("crates/stack-wire", &tests_only), [""; 0]);
    }

    #[test]
    fn forbidden_arrows_are_faults() {
        let arrows = [
            ("stack-chat", "stack-wire.workspace = true"),
            ("stack-server", "stack-engine.workspace = true"),
            ("stack-server", "[dev-dependencies]\nstack-engine.workspace = true"),
            ("stack-engine", "[build-dependencies]\nstack.workspace = true"),
            ("stack-engine", "[target.'cfg(unix)'.dependencies]\nstack-server.workspace = true"),
            ("stack-engine", "innocent = { package = \"stack-server\", path = \"../stack-server\" }"),
            ("stack-engine", "renamed.workspace = true"),
            ("stack", "stack-benches.workspace = true"),
        ];
        for (name, dependency) in arrows {
            assert_one(&check(&format!("crates/{name}"), &manifest(name, dependency)), "the arrow to stack");
        }
    }

    #[test]
    fn unknown_and_misplaced_crates_are_faults() {
        assert_one(&check("crates/stack-utils", &manifest("stack-utils", "")), "has no row");
        assert_one(&check("crates/wire", &manifest("stack-wire", "")), "must be named like its package");
        assert_one(&check("crates/stack-wire", "[lints]\nworkspace = true"), "no package name");
    }

    #[test]
    fn forbidden_dependencies_are_faults() {
        assert_one(&check("crates/stack-wire", &manifest("stack-wire", "anyhow = \"1\"")), "not anyhow");
        assert_one(
            &check("crates/stack-wire", &manifest("stack-wire", "blake3 = \"1\"")),
            "crypto crate blake3",
        );
        assert_one(
            &check("tests", &manifest("stack-e2e", "stack-recipe.workspace = true")),
            "outside crates/",
        );
        assert_eq!(check("crates/stack-seal", &manifest("stack-seal", "blake3 = \"1\"")), [""; 0]);
        assert_eq!(check("crates/stack", &manifest("stack", "anyhow = \"1\"")), [""; 0]);
    }

    #[test]
    fn missing_lints_are_a_fault() {
        assert_one(
            &check("crates/stack-wire", "[package]\nname = \"stack-wire\""),
            "[lints] workspace = true",
        );
    }

    #[test]
    fn only_the_lint_on_unsafe_may_differ_and_only_in_the_kernels() {
        let with = |unsafe_code: &str, dbg: &str| {
            let (rust, clippy) = (
                format!("unsafe_code = \"{unsafe_code}\""),
                format!("dbg_macro = \"{dbg}\"\nundocumented_unsafe_blocks = \"deny\""),
            );
            format!("[package]\nname = \"{WITH_UNSAFE}\"\n[lints.rust]\n{rust}\n[lints.clippy]\n{clippy}")
        };
        assert_eq!(check("crates/stack-kernels", &with("allow", "warn")), [""; 0]);
        for (unsafe_code, dbg) in [("forbid", "warn"), ("allow", "allow")] {
            assert_one(&check("crates/stack-kernels", &with(unsafe_code, dbg)), "with `unsafe` allowed");
        }
        let elsewhere = with("allow", "warn").replace(WITH_UNSAFE, "stack-wire");
        assert_one(&check("crates/stack-wire", &elsewhere), "[lints] workspace = true");
    }

    const WORKSPACE: &str = r#"
        [dependencies]
        renamed = { package = "stack-server", path = "x" }
        [lints.rust]
        unsafe_code = "forbid"
        [lints.clippy]
        dbg_macro = "warn"
        undocumented_unsafe_blocks = "warn"
    "#;

    fn manifest(name: &str, dependencies: &str) -> String {
        format!("[package]\nname = \"{name}\"\n[lints]\nworkspace = true\n[dependencies]\n{dependencies}")
    }

    fn check(folder: &str, manifest: &str) -> Vec<String> {
        let workspace = WORKSPACE.parse().expect("valid TOML");
        let manifest = manifest.parse().expect("valid TOML");
        faults(&[Package { folder: folder.to_owned(), manifest }], &workspace)
    }

    fn assert_one(faults: &[String], part: &str) {
        assert!(
            matches!(faults, [fault] if fault.contains(part)),
            "expected one fault with {part:?}: {faults:?}"
        );
    }
}
