//! The parts of the stack and what lies outside, read from a file of data.

use std::sync::LazyLock;

use toml::{Table, Value};

use super::Suggestion;

/// A command, a part of the stack, or something outside.
#[derive(Clone, Debug)]
pub struct Component {
    /// What it is called; a command as it is typed.
    pub name: String,
    /// The part that it belongs to.
    pub layer: String,
    /// What sort of problem it solves.
    pub class: String,
    /// What it is; empty for commands, which say it themselves.
    pub about: String,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Something to type.
    pub example: String,
    /// A question that it answers.
    pub(super) ask: String,
    /// In which words people ask for it.
    pub(super) terms: Vec<String>,
    /// What is used beside it.
    pub(super) supports: Vec<String>,
}

impl Component {
    fn read(table: &Table) -> Self {
        let text = |key: &str| table.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let list = |key: &str| {
            let values = table.get(key).and_then(Value::as_array).into_iter().flatten();
            values.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Self {
            name: text("name"),
            layer: text("layer"),
            class: text("class"),
            about: text("about"),
            capabilities: list("capabilities"),
            example: text("example"),
            ask: text("ask"),
            terms: list("terms"),
            supports: list("supports"),
        }
    }

    /// Whether it is typed.
    pub fn is_command(&self) -> bool {
        self.name.starts_with("stack ")
    }

    pub(super) fn suggestion(&'static self, confidence: f64) -> Suggestion {
        let about = if self.about.is_empty() { self.ask.clone() } else { self.about.clone() };
        Suggestion { name: self.name.clone(), about, layer: &self.layer, confidence, module: None }
    }
}

/// All that is known, in the order of the file.
pub(super) static COMPONENTS: LazyLock<Vec<Component>> = LazyLock::new(|| {
    let table: Table = include_str!("../data/components.toml").parse().expect("a test reads the file");
    let rows = table.get("component").and_then(Value::as_array).into_iter().flatten();
    rows.filter_map(Value::as_table).map(Component::read).collect()
});

/// Finds a component by its name; `stack` may be left out.
pub fn find(name: &str) -> Option<&'static Component> {
    let name = name.trim();
    COMPONENTS.iter().find(|component| component.name.eq_ignore_ascii_case(name)).or_else(|| {
        COMPONENTS.iter().find(|component| {
            component.name.strip_prefix("stack ").is_some_and(|rest| rest.eq_ignore_ascii_case(name))
        })
    })
}

/// Lists the layers in the order of the file, each with its components.
pub fn layers() -> Vec<(&'static str, Vec<&'static Component>)> {
    let mut layers: Vec<(&str, Vec<&Component>)> = Vec::new();
    for component in COMPONENTS.iter() {
        match layers.iter_mut().find(|(layer, _)| *layer == component.layer) {
            Some((_, members)) => members.push(component),
            None => layers.push((&component.layer, vec![component])),
        }
    }
    layers
}

/// Names what is spelled nearly so, the nearest first, at most three.
pub fn nearest(name: &str) -> Vec<&'static str> {
    let asked = name.trim().to_lowercase();
    let mut near: Vec<(usize, &str)> = COMPONENTS
        .iter()
        .filter_map(|component| {
            let short = component.name.strip_prefix("stack ").unwrap_or(&component.name);
            let distance = distance(&asked, &component.name).min(distance(&asked, short));
            (distance <= short.chars().count().max(2) / 2).then_some((distance, component.name.as_str()))
        })
        .collect();
    near.sort_unstable();
    near.into_iter().take(NEAR_MAX).map(|(_, name)| name).collect()
}

/// Returns the commands that join two components: what the one makes is what the other takes.
pub fn integrate(first: &'static Component, second: &'static Component) -> Vec<&'static str> {
    let mut commands = vec![first.example.as_str()];
    let between = JOINTS.iter().find(|(from, to, _)| *from == first.layer && *to == second.layer);
    commands.extend(between.iter().flat_map(|(_, _, commands)| commands.iter().copied()));
    if !commands.contains(&second.example.as_str()) {
        commands.push(&second.example);
    }
    commands
}

/// Counts the letters that have to be changed, added or left out (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(NAME_CHARS_MAX).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(NAME_CHARS_MAX).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// What stands between the commands of two layers.
const JOINTS: &[(&str, &str, &[&str])] = &[
    ("registry", "engine", &["stack list"]),
    ("registry", "trust", &["stack list"]),
    ("trust", "registry", &["stack verify MODEL"]),
    ("trust", "engine", &["stack verify MODEL"]),
    ("engine", "audit", &["stack audit list"]),
];
const NEAR_MAX: usize = 3;
const NAME_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_complete() {
        assert!(COMPONENTS.len() > 60, "{}", COMPONENTS.len());
        for component in COMPONENTS.iter() {
            let Component { name, layer, class, example, about, ask, .. } = component;
            assert!(![name, layer, class, example].iter().any(|text| text.is_empty()), "{name}");
            assert_ne!(about.is_empty(), ask.is_empty(), "{name}: a command asks, a part is");
            for other in &component.supports {
                assert!(find(other).is_some(), "{name} supports {other}, which is not there");
            }
        }
    }

    #[test]
    fn misspelled_names_have_neighbours() {
        assert_eq!(find("SERVE").unwrap().name, "stack serve");
        assert_eq!(nearest("srve")[0], "stack serve");
        assert!(nearest("aprendr").contains(&"aprender"));
        assert_eq!(nearest("qqqqqqqqqqqqqqqqqqqqq"), [""; 0]);
    }

    #[test]
    fn two_parts_are_joined_by_commands() {
        let commands = integrate(find("registry").unwrap(), find("engine").unwrap());
        assert_eq!(commands, ["stack pull hf://OWNER/REPO", "stack list", "stack serve MODEL"]);
    }
}
