//! The section `[aliases]`: names for what somebody wants, instead of for a model.

use stack_chat::{Commit, Fallback, Tier};
use stack_gateway::route::{Alias, AliasProblem, Aliases, CandidateText, Experiment, Glob, default_aliases};

use super::file::File;
use super::{Setting, parse_tier};

/// An alias: `NAME = "CANDIDATE"`, `NAME = ["CANDIDATE", …]`, or a section `[aliases.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AliasSection {
    /// The name, or a pattern of names.
    pub(crate) name: String,
    /// Who may answer.
    pub(crate) candidates: Setting<Vec<CandidateText>>,
    alias: Alias,
}

/// `Alias` compares numbers that are never NaN.
impl Eq for AliasSection {}

/// Takes all aliases. What is wrong with one of them is a problem of the file, which is then refused as a whole.
pub(super) fn take(file: &mut File) -> Vec<AliasSection> {
    let entries = file.entries_beneath(SECTION);
    let mut sections = Vec::new();
    for (name, is_section) in entries {
        let glob = match Glob::parse(&name) {
            Ok(glob) => glob,
            Err(wrong) => {
                file.refuse(SECTION, &name, None, &format!(": {wrong}"));
                continue;
            }
        };
        let taken = if is_section { long(file, &name, glob) } else { short(file, &name, glob) };
        sections.extend(taken);
    }
    let all = sections.iter().map(|section| section.alias.clone()).collect();
    if let Err(AliasProblem { alias, key, what }) = Aliases::new(all, default_aliases()) {
        file.refuse(SECTION, &alias, key, &format!(": {what}"));
    }
    sections
}

/// Returns the aliases of the configuration, with those that the program brings behind them.
pub(crate) fn aliases(sections: &[AliasSection]) -> Aliases {
    let all = sections.iter().map(|section| section.alias.clone()).collect();
    Aliases::new(all, default_aliases()).expect("a configuration with a wrong alias is refused")
}

fn short(file: &mut File, name: &str, glob: Glob) -> Option<AliasSection> {
    let candidates = file.one_or_more(SECTION, name, CandidateText::parse)?;
    let alias = Alias::new(glob, candidates.value.clone());
    Some(AliasSection { name: name.to_owned(), candidates, alias })
}

fn long(file: &mut File, name: &str, glob: Glob) -> Option<AliasSection> {
    let mut section = file.section_beneath(SECTION, name);
    let candidates = section.texts("candidates", CandidateText::parse);
    let priorities = section.numbers("priorities");
    let weights = section.numbers("weights");
    let commit = section.text("commit", |text| Commit::from_name(text).ok_or("expected output or proof"));
    let fallback = section.flag("fallback");
    let tier: Option<Setting<Tier>> = section.text("tier", parse_tier);
    if candidates.is_none() {
        section.missing("candidates");
    }
    let experiment = weights.and_then(|weights| match Experiment::new(weights.value) {
        Ok(experiment) => Some(experiment),
        Err(wrong) => {
            section.refuse("weights", &format!(": {wrong}"));
            None
        }
    });
    let candidates = candidates?;
    let mut alias = Alias::new(glob, candidates.value.clone());
    if let Some(priorities) = priorities {
        let is_sound = |priority: &f64| priority.fract() == 0.0 && (0.0..=PRIORITY_MAX).contains(priority);
        if priorities.value.len() == alias.candidates.len() && priorities.value.iter().all(is_sound) {
            let pairs = alias.candidates.iter_mut().zip(priorities.value);
            pairs.for_each(|((_, priority), given)| *priority = given as u8);
        } else {
            section.refuse("priorities", ": expected a number from 0 to 9 for each candidate");
        }
    }
    alias.commit = commit.map_or(alias.commit, |commit| commit.value);
    alias.tier = tier.map(|tier| tier.value);
    if fallback.is_some_and(|fallback| !fallback.value) {
        alias.fallback = Fallback::Off;
    }
    alias.experiment = experiment;
    Some(AliasSection { name: name.to_owned(), candidates, alias })
}

const SECTION: &str = "aliases";
const PRIORITY_MAX: f64 = 9.0;

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let problems = Config::parse(text.as_bytes()).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_alias_is_a_line_or_a_section() {
        let text = "[aliases]\n\"claude-*\" = \"local\"\ncode = [\"engine\", \"acme/m-1\"]\n\
                    [aliases.reason]\ncandidates = [\"acme/a\", \"acme/b\"]\npriorities = [1, 1]\n\
                    weights = [0.25, 0.75]\ncommit = \"proof\"\nfallback = false\ntier = \"private\"\n";
        let config = Config::parse(text.as_bytes()).unwrap();
        let aliases = aliases(&config.aliases);
        assert_eq!(aliases.find("claude-x").unwrap().candidates[0].0.to_string(), "local");
        assert_eq!(aliases.find("code").unwrap().candidates.len(), 2);
        let reason = aliases.find("reason").unwrap();
        assert_eq!((reason.candidates[0].1, reason.candidates[1].1), (1, 1));
        assert_eq!((reason.commit, reason.fallback), (Commit::Proof, Fallback::Off));
        assert_eq!(reason.tier, Some(Tier::Private));
        assert_eq!(reason.experiment.as_ref().unwrap().weights(), [0.25, 0.75]);
        assert!(aliases.find("fast").unwrap().is_built_in);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, says) in [
            ("[aliases]\na = 1\n", "line 2: aliases.a is neither a string nor a list of strings"),
            ("[aliases]\na = [1]\n", "line 2: aliases.a is not a list of strings"),
            ("[aliases]\na = \"x y\"\n", "line 2: aliases.a: \"x y\" is no candidate"),
            ("[aliases]\n\"a b\" = \"engine\"\n", "line 2: aliases.a b: a name has no white space"),
            ("[aliases]\na = []\n", "line 2: aliases.a: an alias has 1 to 16 candidates"),
            ("[aliases]\na = \"b\"\nb = \"a\"\n", "line 2: aliases.a: it leads back to itself: a -> b -> a"),
            ("[aliases.a]\n", "line 1: aliases.a.candidates is missing"),
            (
                "[aliases.a]\ncandidates = [\"engine\"]\nweights = [0.5]\n",
                "line 3: aliases.a.weights: the weights sum",
            ),
            (
                "[aliases.a]\ncandidates = [\"engine\"]\nweights = [0.5, 0.5]\n",
                "line 3: aliases.a.weights: there are 2",
            ),
            (
                "[aliases.a]\ncandidates = [\"engine\"]\npriorities = [10]\n",
                "line 3: aliases.a.priorities: expected",
            ),
            (
                "[aliases.a]\ncandidates = [\"engine\"]\ncommit = \"soon\"\n",
                "aliases.a.commit: expected output or proof",
            ),
            (
                "[aliases.a]\ncandidates = [\"kind:x/y\"]\n",
                "aliases.a.candidates: \"kind:x/y\": expected kind:KIND",
            ),
            ("[aliases.a]\ncandidates = [\"engine\"]\nprio = 1\n", "unknown key aliases.a.prio"),
        ] {
            let told = problems(text);
            assert!(told.len() == 1 && told[0].contains(says), "{text}: {told:?}");
        }
    }
}
