//! Which models a server has, and under which names.

use std::collections::HashSet;

use stack_registry::choice::ModelPath;

use crate::error::{CommandError, Kind};

/// A model that is to be served, and under which names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The names by which requests select it; at least one.
    pub(crate) ids: Vec<String>,
    /// Where it is.
    pub(crate) path: ModelPath,
}

/// The models of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Each model once, in the order in which they were given.
    pub(crate) wanted: Vec<Wanted>,
    /// What was given more than once, by its name.
    pub(crate) repeated: Vec<String>,
}

impl Plan {
    /// Names models: each by its alias, in their order; without aliases by file, then by folder and file, then with a
    /// number, so that no two names are equal.
    ///
    /// A model that is given twice is loaded once. With aliases it answers to each of them.
    pub(crate) fn new(paths: &[ModelPath], aliases: &[String]) -> Result<Self, CommandError> {
        check(aliases, paths.len())?;
        let mut plan = Self::default();
        let mut taken = HashSet::new();
        for (position, path) in paths.iter().enumerate() {
            let alias = aliases.get(position);
            let known = plan.wanted.iter_mut().find(|known| known.path.identity() == path.identity());
            match (known, alias) {
                (Some(known), Some(alias)) => known.ids.push(alias.clone()),
                (Some(known), None) => plan.repeated.push(known.ids[0].clone()),
                (None, _) => {
                    let id = alias.cloned().unwrap_or_else(|| free_name(path, &taken));
                    taken.insert(id.clone());
                    plan.wanted.push(Wanted { ids: vec![id], path: path.clone() });
                }
            }
        }
        Ok(plan)
    }
}

/// Finds a name that is not taken.
fn free_name(path: &ModelPath, taken: &HashSet<String>) -> String {
    let plain = path.id();
    let mut name = plain.clone();
    if taken.contains(&name)
        && let Some(folder) = path.folder()
    {
        name = format!("{folder}/{plain}");
    }
    let base = name.clone();
    let mut number = 2;
    while taken.contains(&name) {
        name = format!("{base}-{number}");
        number += 1;
    }
    name
}

/// Refuses aliases of which it is not clear whose they are, or that no request could ask for.
fn check(aliases: &[String], models: usize) -> Result<(), CommandError> {
    let wrong = |message: String, hint: &str| Err(CommandError::new(Kind::Usage, message).hint(hint));
    if !aliases.is_empty() && aliases.len() != models {
        let (aliases, models) = (counted(aliases.len(), "name"), counted(models, "model"));
        return wrong(
            format!("--alias gives {aliases} for {models}"),
            "give one for each model, in the order of the models; give a model twice to serve it under two names",
        );
    }
    for (position, alias) in aliases.iter().enumerate() {
        let is_printable = alias.chars().all(|c| !c.is_control() && !c.is_whitespace());
        if alias.is_empty() || alias.len() > ALIAS_BYTES_MAX || !is_printable {
            return wrong(
                format!("{:?} cannot be the name of a model", alias.chars().take(80).collect::<String>()),
                "take 1 to 255 bytes without white space",
            );
        }
        if aliases[..position].contains(alias) {
            return wrong(
                format!("--alias gives the name {alias} twice"),
                "requests tell models apart by name",
            );
        }
    }
    Ok(())
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("{count} {noun}") } else { format!("{count} {noun}s") }
}

const ALIAS_BYTES_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use std::fs;

    use stack_registry::name::Name;

    use super::*;

    fn ids(paths: &[ModelPath], aliases: &[&str]) -> Vec<Vec<String>> {
        let aliases: Vec<String> = aliases.iter().map(|&alias| alias.to_owned()).collect();
        Plan::new(paths, &aliases).unwrap().wanted.into_iter().map(|wanted| wanted.ids).collect()
    }

    #[test]
    fn no_two_models_have_one_name_and_none_is_loaded_twice() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, b"").unwrap();
            ModelPath::Path(path)
        };
        let (a, b, c) = (path("a/model.gguf"), path("b/model.gguf"), path("c/b/model.gguf"));
        let again = ModelPath::Path(dir.path().join("a/../b/model.gguf"));
        let stored = ModelPath::Stored(Name::parse("model").unwrap());
        let paths =
            [a, b.clone(), b, again, c, stored.clone(), stored, ModelPath::BuiltIn, ModelPath::BuiltIn];
        let plan = Plan::new(&paths, &[]).unwrap();
        let names: Vec<&str> = plan.wanted.iter().map(|wanted| wanted.ids[0].as_str()).collect();
        assert_eq!(names, ["model", "b/model", "b/model-2", "model-2", "default"]);
        assert_eq!(plan.repeated, ["b/model", "b/model", "model-2", "default"]);
    }

    #[test]
    fn aliases_belong_to_models_in_their_order() {
        let (a, b) = (ModelPath::Path("a.gguf".into()), ModelPath::Path("b.gguf".into()));
        assert_eq!(ids(&[a.clone(), b.clone()], &["x", "y"]), [["x"], ["y"]]);
        assert_eq!(ids(&[a.clone(), b.clone(), a.clone()], &["x", "y", "z"]), [vec!["x", "z"], vec!["y"]]);
        let refused = |aliases: &[&str]| {
            let aliases: Vec<String> = aliases.iter().map(|&alias| alias.to_owned()).collect();
            Plan::new(&[a.clone(), b.clone()], &aliases).unwrap_err().to_string()
        };
        assert!(refused(&["x"]).contains("1 name for 2 models"));
        assert!(refused(&["x", "y", "z"]).contains("3 names for 2 models"));
        assert!(refused(&["x", "x"]).contains("twice"));
        for wrong in ["", "a b", "a\n", &"x".repeat(256)] {
            assert!(refused(&["x", wrong]).contains("cannot be the name"), "{wrong:?}");
        }
    }
}
