//! `requirements.txt`, and single requirements wherever they stand.

use std::collections::BTreeSet;

use super::{Found, Manager};

/// Reads a file of requirements. If every one has one version, the file fixes what is installed.
#[expect(clippy::unnecessary_wraps, reason = "every parser has this type")]
pub(super) fn requirements(text: &str) -> Result<Vec<Found>, String> {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let mut names = BTreeSet::new();
    let mut is_fixed = true;
    for line in joined.lines() {
        let line = line.trim();
        let line = line.split(" #").next().unwrap_or_default();
        if line.starts_with('#') {
            continue;
        }
        if let Some(name) = name_of(line) {
            is_fixed &= line.contains("==");
            names.insert(name);
        }
    }
    Ok(vec![Found { is_fixed, ..Found::names(Manager::Pip, names) }])
}

/// Returns the normal form of the name in `Torch[cuda] >= 2 ; extra`, in an address that names its egg, or in a path to a
/// package.
pub(super) fn name_of(requirement: &str) -> Option<String> {
    let text = requirement.trim();
    let text = text.strip_prefix("-e ").or_else(|| text.strip_prefix("--editable ")).unwrap_or(text).trim();
    if text.starts_with('-') || text.is_empty() {
        return None;
    }
    let name = match text.split_once("#egg=") {
        Some((_, egg)) => egg,
        None if text.contains("://") && !text.contains(" @ ") => text.rsplit('/').next()?,
        None => text,
    };
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c)).unwrap_or(name.len());
    let name = &name[..end];
    name.starts_with(|c: char| c.is_ascii_alphanumeric()).then(|| normal(name))
}

/// Runs of `.`, `-` and `_` are one `-`, and capitals are small (PEP 503).
pub(super) fn normal(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '.' | '-' | '_' if normal.ends_with('-') => {}
            '.' | '-' | '_' => normal.push('-'),
            letter => normal.push(letter.to_ascii_lowercase()),
        }
    }
    normal
}
