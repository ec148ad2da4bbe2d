//! The files that are TOML.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::pip::{name_of, normal};
use super::{Found, Manager, Package};

/// Reads `Cargo.lock`. What has no source is of the workspace itself.
pub(super) fn cargo_lock(text: &str) -> Result<Vec<Found>, String> {
    let packages = packages(&table(text)?, "package", |package| package.contains_key("source"));
    Ok(vec![Found::lock(Manager::Cargo, packages)])
}

pub(super) fn cargo_manifest(text: &str) -> Result<Vec<Found>, String> {
    let table = table(text)?;
    let targets = table.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = targets.filter_map(Value::as_table).chain([&table]);
    let lists = tables.flat_map(|table| {
        ["dependencies", "dev-dependencies", "build-dependencies"]
            .into_iter()
            .filter_map(|key| table.get(key)?.as_table())
    });
    // What lies beside the package is no package of somebody else.
    let foreign = lists.flatten().filter(|(_, entry)| entry.get("path").is_none());
    let name = |(key, entry): (&String, &Value)| {
        entry.get("package").and_then(Value::as_str).unwrap_or(key).to_owned()
    };
    Ok(vec![Found::names(Manager::Cargo, foreign.map(name))])
}

pub(super) fn poetry_lock(text: &str) -> Result<Vec<Found>, String> {
    Ok(vec![Found::lock(Manager::Poetry, packages(&table(text)?, "package", |_| true))])
}

pub(super) fn pylock(text: &str) -> Result<Vec<Found>, String> {
    Ok(vec![Found::lock(Manager::Pip, packages(&table(text)?, "packages", |_| true))])
}

/// Reads `pyproject.toml`, which belongs to poetry where it has a table of that name.
pub(super) fn pyproject(text: &str) -> Result<Vec<Found>, String> {
    let table = table(text)?;
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry"));
    let project = table.get("project");
    let lists = project.and_then(|project| project.get("optional-dependencies")).and_then(Value::as_table);
    let lists = lists.into_iter().flat_map(Table::values);
    let lists = lists.chain(project.and_then(|project| project.get("dependencies")));
    let entries = lists.filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    let mut names: BTreeSet<String> = entries.filter_map(name_of).collect();
    let Some(poetry) = poetry else { return Ok(vec![Found::names(Manager::Pip, names)]) };
    let groups = poetry.get("group").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = groups.filter_map(|group| group.get("dependencies"));
    let tables = tables.chain(poetry.get("dependencies")).chain(poetry.get("dev-dependencies"));
    let keys = tables.filter_map(Value::as_table).flat_map(Table::keys);
    names.extend(keys.filter(|name| *name != "python").map(|name| normal(name)));
    Ok(vec![Found::names(Manager::Poetry, names)])
}

pub(super) fn pipfile(text: &str) -> Result<Vec<Found>, String> {
    let table = table(text)?;
    let tables = ["packages", "dev-packages"].into_iter().filter_map(|key| table.get(key)?.as_table());
    Ok(vec![Found::names(Manager::Pipenv, tables.flat_map(Table::keys).map(|name| normal(name)))])
}

fn table(text: &str) -> Result<Table, String> {
    text.parse()
        .map_err(|error: toml::de::Error| format!("lists packages, but is no TOML: {}", error.message()))
}

/// Reads `[[package]]` with name and version.
fn packages(table: &Table, key: &str, counts: impl Fn(&Table) -> bool) -> BTreeSet<Package> {
    let entries = table.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table);
    let text = |entry: &Table, key: &str| Some(entry.get(key)?.as_str()?.to_owned());
    let package = |entry| Some((text(entry, "name")?, text(entry, "version").unwrap_or_default()));
    entries.filter(|entry| counts(entry)).filter_map(package).collect()
}
