//! What looks through a folder and all below it, within bounds.

use std::io::Read;

use regex::bytes::{Regex, RegexBuilder};
use rustix::fs::FileType;
use serde_json::{Value, json};

use super::read::entries;
use super::{Links, Workspace};
use crate::path::RelativePath;
use crate::tool_failure::{ToolFailure, ToolFailureKind};

/// Finds files whose names match a pattern.
///
/// # Errors
///
/// When the folder is not there.
pub fn find(workspace: &Workspace, folder: &RelativePath, pattern: &str) -> Result<Value, ToolFailure> {
    let mut found = Vec::new();
    let is_whole = walk(workspace, folder, &mut |path, name| {
        if matches_glob(pattern, name) {
            found.push(path.to_string());
        }
        found.len() < FOUND_MAX
    })?;
    Ok(json!({"files": found, "truncated": !is_whole}))
}

/// Finds lines that match a regular expression.
///
/// # Errors
///
/// When the expression is none, or the folder is not there.
pub fn search(
    workspace: &Workspace,
    folder: &RelativePath,
    pattern: &str,
    (glob, max): (Option<&str>, usize),
) -> Result<Value, ToolFailure> {
    let regex = RegexBuilder::new(pattern).unicode(false).size_limit(1 << 20).dfa_size_limit(1 << 20).build();
    let regex = regex.map_err(|error| {
        let message = format!("the pattern is no regular expression: {error}");
        ToolFailure::new(ToolFailureKind::InputInvalid, message)
    })?;
    let mut found = Vec::new();
    let mut budget = SEARCHED_BYTES;
    let is_whole = walk(workspace, folder, &mut |path, name| {
        if glob.is_none_or(|glob| matches_glob(glob, name)) {
            lines(workspace, path, &regex, (max, &mut budget), &mut found);
        }
        found.len() < max && budget > 0
    })?;
    Ok(json!({"matches": found, "truncated": !is_whole}))
}

/// Adds the lines of one file that match. What cannot be read or is not text has none.
fn lines(
    workspace: &Workspace,
    path: &RelativePath,
    regex: &Regex,
    (max, budget): (usize, &mut u64),
    found: &mut Vec<Value>,
) {
    let Ok((file, _)) = workspace.file(path, Links::Refuse) else { return };
    let mut bytes = Vec::new();
    if file.take((*budget).min(FILE_BYTES)).read_to_end(&mut bytes).is_err()
        || bytes[..bytes.len().min(8192)].contains(&0)
    {
        return;
    }
    *budget = budget.saturating_sub(bytes.len() as u64);
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if found.len() >= max {
            return;
        }
        if regex.is_match(line) {
            let shown = String::from_utf8_lossy(&line[..line.len().min(LINE_BYTES)]);
            found.push(json!({"path": path.to_string(), "line": number + 1, "text": shown}));
        }
    }
}

/// Visits the regular files of a folder and all below it, by name, and returns whether it saw all of them. Links are not
/// followed, and what version control keeps for itself is not looked at.
fn walk(
    workspace: &Workspace,
    folder: &RelativePath,
    visit: &mut dyn FnMut(&RelativePath, &str) -> bool,
) -> Result<bool, ToolFailure> {
    let (first, mut is_cut) = entries(workspace, folder)?;
    let mut waiting: Vec<_> =
        first.into_iter().rev().map(|entry| (folder.join(&entry.name), entry)).collect();
    let mut seen = 0;
    while let Some((path, entry)) = waiting.pop() {
        seen += 1;
        if seen > VISITED_MAX {
            return Ok(false);
        }
        match entry.kind {
            FileType::RegularFile if !visit(&path, &entry.name) => return Ok(false),
            FileType::Directory if entry.name != ".git" && path.parts().len() <= DEPTH_MAX => {
                // A folder that cannot be listed has nothing to show.
                let Ok((below, more)) = entries(workspace, &path) else { continue };
                is_cut |= more;
                waiting.extend(below.into_iter().rev().map(|entry| (path.join(&entry.name), entry)));
            }
            _ => {}
        }
    }
    Ok(!is_cut)
}

/// Whether a name matches a pattern in which `*` stands for any text and `?` for one character.
fn matches_glob(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, n));
                at += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                at += 1;
                n += 1;
            }
            _ => match star {
                Some((before, from)) => {
                    star = Some((before, from + 1));
                    (at, n) = (before + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

const FOUND_MAX: usize = 1000;
const VISITED_MAX: usize = 100_000;
const DEPTH_MAX: usize = 64;
const FILE_BYTES: u64 = 8 << 20;
const SEARCHED_BYTES: u64 = 256 << 20;
const LINE_BYTES: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_names() {
        for (pattern, name, matches) in [
            ("*.rs", "a.rs", true),
            ("*.rs", "a.rsx", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("*a*b*", "xaybz", true),
            ("*a*b", "xaybz", false),
            ("", "a", false),
            ("ä*", "äü", true),
        ] {
            assert_eq!(matches_glob(pattern, name), matches, "{pattern} {name}");
        }
        // A pattern of many stars takes no longer than pattern times name.
        assert!(!matches_glob(&"*a".repeat(100), &"a".repeat(99)));
    }
}
