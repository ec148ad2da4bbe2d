//! `pom.xml`.

use std::collections::BTreeSet;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::{Found, Manager};

/// Reads the dependencies of a project and of its profiles; what is only managed, and what plugins need, is none.
pub(super) fn pom(text: &str) -> Result<Vec<Found>, String> {
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut names = BTreeSet::new();
    let (mut group, mut artifact) = (String::new(), String::new());
    loop {
        match reader.read_event().map_err(|error| format!("lists packages, but is no XML: {error}"))? {
            Event::Start(start) => {
                if path.len() >= DEPTH_MAX {
                    return Err(format!("is nested more than {DEPTH_MAX} deep"));
                }
                path.push(start.local_name().as_ref().to_owned());
            }
            Event::Text(text) if is_dependency(&path) => {
                let text = text.trim();
                match path.last().map(String::as_str) {
                    Some("groupId") if path.len() > 1 => group.push_str(text),
                    Some("artifactId") => artifact.push_str(text),
                    _ => {}
                }
            }
            Event::End(_) => {
                if path.last().is_some_and(|name| name == "dependency") {
                    if is_dependency(&path) && !artifact.is_empty() {
                        names.insert(format!("{group}:{artifact}"));
                    }
                    group.clear();
                    artifact.clear();
                }
                path.pop();
            }
            Event::Eof => return Ok(vec![Found::fixed(Manager::Maven, names)]),
            _ => {}
        }
    }
}

/// Whether an element is a dependency of the project, or stands directly in one.
fn is_dependency(path: &[String]) -> bool {
    let Some(at) = path.iter().position(|name| name == "dependency") else { return false };
    let managed = ["dependencyManagement", "plugin", "exclusions"];
    path.len() <= at + 2 && !path.iter().any(|name| managed.contains(&name.as_str()))
}

const DEPTH_MAX: usize = 64;
