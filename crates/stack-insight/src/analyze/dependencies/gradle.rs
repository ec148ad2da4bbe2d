//! The files of gradle.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::{Found, Manager};

/// Reads `gradle.lockfile`: `group:name:version=configurations`.
#[expect(clippy::unnecessary_wraps, reason = "every parser has this type")]
pub(super) fn lock(text: &str) -> Result<Vec<Found>, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let package = |line: &str| {
        let (coordinates, _) = line.split_once('=')?;
        let (name, version) = coordinates.rsplit_once(':')?;
        Some((name.to_owned(), version.to_owned()))
    };
    Ok(vec![Found::lock(Manager::Gradle, lines.filter_map(package).collect())])
}

/// Finds what a script declares: a script is a program, which is read and not run.
#[expect(clippy::unnecessary_wraps, reason = "every parser has this type")]
pub(super) fn script(text: &str) -> Result<Vec<Found>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let found = lines.filter_map(|line| DECLARATION.captures(line));
    let names: BTreeSet<String> = found.map(|found| format!("{}:{}", &found[1], &found[2])).collect();
    Ok(vec![Found::names(Manager::Gradle, names)])
}

/// `testImplementation("group:name:version")`, or the same with other quotes and without brackets.
static DECLARATION: LazyLock<Regex> = LazyLock::new(|| {
    let configuration = "(?:[a-z]\\w*)?(?:[iI]mplementation|[aA]pi|[cC]ompileOnly|[rR]untimeOnly|[cC]ompile|[kK]apt|[kK]sp|[aA]nnotationProcessor|[cC]lasspath)";
    let coordinates = r#"["']([\w.\-]+):([\w.\-]+)(?::[^"']*)?["']"#;
    let wrapped = r"(?:(?:platform|enforcedPlatform)\s*\(\s*)?";
    Regex::new(&format!(r"^{configuration}\b\s*\(?\s*{wrapped}{coordinates}")).expect("the pattern is sound")
});
