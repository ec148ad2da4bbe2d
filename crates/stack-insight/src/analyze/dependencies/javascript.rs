//! The files of npm, yarn and pipenv that are JSON, and yarn's own format.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::pip::normal;
use super::{Found, Manager, Package};

/// Reads the lock file of npm: `packages` since its second version, nested `dependencies` in the first.
pub(super) fn package_lock(text: &str) -> Result<Vec<Found>, String> {
    let value = json(text)?;
    let mut packages = BTreeSet::new();
    if let Some(entries) = value.get("packages").and_then(Value::as_object) {
        for (path, entry) in entries {
            // Without the folder, it is a package of the project itself.
            let Some((_, name)) = path.rsplit_once("node_modules/") else { continue };
            if entry.get("link").and_then(Value::as_bool) != Some(true) {
                let name = entry.get("name").and_then(Value::as_str).unwrap_or(name);
                packages.insert((name.to_owned(), version(entry)));
            }
        }
    } else {
        let mut waiting: Vec<&Map<String, Value>> = dependencies(&value).into_iter().collect();
        while let Some(entries) = waiting.pop() {
            for (name, entry) in entries {
                packages.insert((name.clone(), version(entry)));
                waiting.extend(dependencies(entry));
            }
        }
    }
    Ok(vec![Found::lock(Manager::Npm, packages)])
}

pub(super) fn package_manifest(text: &str) -> Result<Vec<Found>, String> {
    let value = json(text)?;
    let keys = ["dependencies", "devDependencies", "optionalDependencies"];
    let tables = keys.into_iter().filter_map(|key| value.get(key)?.as_object());
    Ok(vec![Found::names(Manager::Npm, tables.flat_map(Map::keys).cloned())])
}

pub(super) fn pipfile_lock(text: &str) -> Result<Vec<Found>, String> {
    let value = json(text)?;
    let tables = ["default", "develop"].into_iter().filter_map(|key| value.get(key)?.as_object()).flatten();
    let packages = tables.map(|(name, entry)| (normal(name), version(entry))).collect();
    Ok(vec![Found::lock(Manager::Pipenv, packages)])
}

/// Reads `yarn.lock` of either format: a line of what was asked for, and below it the version.
#[expect(clippy::unnecessary_wraps, reason = "every parser has this type")]
pub(super) fn yarn_lock(text: &str) -> Result<Vec<Found>, String> {
    let mut packages = BTreeSet::new();
    let mut name: Option<String> = None;
    let mut version = String::new();
    for line in text.lines().chain(["end:"]) {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if line.starts_with(' ') {
            let entry = line.trim().replace('"', "");
            let (key, value) = entry.split_once([' ', ':']).unwrap_or((&entry, ""));
            match key {
                // Four spaces are below something else.
                "version" if !line.starts_with("    ") => value.trim().clone_into(&mut version),
                "resolution" if value.contains("@workspace:") => name = None,
                _ => {}
            }
            continue;
        }
        packages.extend(name.take().map(|name| (name, std::mem::take(&mut version))));
        let first = line.trim_end_matches(':').split(", ").next().unwrap_or_default().trim_matches('"');
        // Scopes begin with `@`, too.
        let end = first.char_indices().skip(1).find(|(_, letter)| *letter == '@').map(|(at, _)| at);
        name = end.map(|end| first[..end].to_owned());
    }
    Ok(vec![Found::lock(Manager::Yarn, packages.into_iter().collect::<BTreeSet<Package>>())])
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("lists packages, but is no JSON: {error}"))
}

fn dependencies(value: &Value) -> Option<&Map<String, Value>> {
    value.get("dependencies")?.as_object()
}

fn version(entry: &Value) -> String {
    entry.get("version").and_then(Value::as_str).unwrap_or_default().to_owned()
}
