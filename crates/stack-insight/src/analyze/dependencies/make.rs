//! Makefiles, whose packages are the libraries that they link.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::{Found, Manager};

/// Finds `-lname` and what `pkg-config` is asked for.
#[expect(clippy::unnecessary_wraps, reason = "every parser has this type")]
pub(super) fn makefile(text: &str) -> Result<Vec<Found>, String> {
    let mut names = BTreeSet::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        names.extend(LINKED.captures_iter(line).map(|found| found[1].to_owned()));
        for asked in ASKED.captures_iter(line) {
            let words =
                asked[1].split_whitespace().filter(|word| !word.starts_with(['-', '$', '"', '\'', '>', '<']));
            names.extend(
                words.filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic())).map(str::to_owned),
            );
        }
    }
    Ok(vec![Found::fixed(Manager::Make, names)])
}

static LINKED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:^|[\s=])-l([A-Za-z][\w.+\-]*)").expect("the pattern is sound"));
static ASKED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"pkg-config\s+([^)`|;&]*)").expect("the pattern is sound"));
