//! The aliases that the program brings.

use serde_json::Value;
use stack_chat::Tier;

use super::alias::Alias;
use super::glob::Glob;
use super::text::CandidateText;

/// Returns the aliases that the program brings: what they mean is data, and has a date.
///
/// # Panics
///
/// Never: the data is part of the program, and a test reads it.
pub fn default_aliases() -> Vec<Alias> {
    let data: Value = serde_json::from_str(DATA).expect("the data of the program is JSON");
    let aliases = data["aliases"].as_object().expect("the data of the program has aliases");
    aliases
        .iter()
        .map(|(name, value)| read(name, value).expect("the aliases of the program are sound"))
        .collect()
}

fn read(name: &str, value: &Value) -> Option<Alias> {
    let candidates = value["candidates"].as_array()?;
    let candidates = candidates.iter().map(|text| CandidateText::parse(text.as_str()?).ok());
    Some(Alias {
        tier: value["tier"].as_str().and_then(Tier::from_name),
        is_built_in: true,
        ..Alias::new(Glob::parse(name).ok()?, candidates.collect::<Option<Vec<_>>>()?)
    })
}

const DATA: &str = include_str!("defaults.json");
/// When somebody last looked at which models the vendors have.
pub const DEFAULTS_DATE: &str = "2026-11-30";

#[cfg(test)]
mod tests {
    use super::super::Aliases;
    use super::*;

    #[test]
    fn the_names_and_the_date_are_those_that_are_documented() {
        let aliases = default_aliases();
        let mut names: Vec<_> = aliases.iter().map(|alias| alias.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["cheap", "code", "embed", "fast", "gpt", "grok", "local", "reason", "sovereign"]);
        let data: Value = serde_json::from_str(DATA).unwrap();
        assert_eq!(data["date"], DEFAULTS_DATE);
        assert!(Aliases::new(Vec::new(), aliases).is_ok());
    }

    #[test]
    fn what_stays_here_stays_here_and_a_vendor_is_a_promise() {
        for alias in default_aliases() {
            let stays = ["local", "sovereign", "embed"].contains(&alias.name.as_str());
            assert_eq!(alias.tier == Some(Tier::Sovereign), stays, "{}", alias.name);
            let has_engine =
                alias.candidates.iter().any(|(text, _)| matches!(text, CandidateText::Engine(_)));
            assert_eq!(has_engine, !["gpt", "grok"].contains(&alias.name.as_str()), "{}", alias.name);
        }
    }
}
