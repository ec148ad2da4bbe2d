//! The files of conda, which may list packages of pip as well.

use std::collections::BTreeSet;

use serde_json::Value;

use super::pip::{name_of, normal};
use super::{Found, Manager};
use crate::yaml;

/// Reads `environment.yml`.
pub(super) fn environment(text: &str) -> Result<Vec<Found>, String> {
    let value = read(text)?;
    let (mut conda, mut pip) = (BTreeSet::new(), BTreeSet::new());
    for entry in value.get("dependencies").and_then(Value::as_array).into_iter().flatten() {
        if let Some(text) = entry.as_str() {
            // `channel::name=version`
            conda.extend(name_of(text.rsplit("::").next().unwrap_or(text)));
        }
        let below = entry.get("pip").and_then(Value::as_array).into_iter().flatten();
        pip.extend(below.filter_map(Value::as_str).filter_map(name_of));
    }
    let mut found = vec![Found::names(Manager::Conda, conda)];
    if !pip.is_empty() {
        found.push(Found::names(Manager::Pip, pip));
    }
    Ok(found)
}

/// Reads `conda-lock.yml`, which lists each package once for each platform.
pub(super) fn lock(text: &str) -> Result<Vec<Found>, String> {
    let value = read(text)?;
    let (mut conda, mut pip) = (BTreeSet::new(), BTreeSet::new());
    for entry in value.get("package").and_then(Value::as_array).into_iter().flatten() {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        let (name, version) = (text("name"), text("version").to_owned());
        match text("manager") {
            _ if name.is_empty() => continue,
            "pip" => pip.insert((normal(name), version)),
            _ => conda.insert((name.to_owned(), version)),
        };
    }
    let mut found = vec![Found::lock(Manager::Conda, conda)];
    if !pip.is_empty() {
        found.push(Found { is_fixed: true, is_lock: false, manager: Manager::Pip, packages: pip });
    }
    Ok(found)
}

fn read(text: &str) -> Result<Value, String> {
    yaml::parse(text).map_err(|error| format!("lists packages, but is no YAML: {error}"))
}
