//! Names for what somebody wants, instead of for a model.

use std::fmt;

use stack_chat::{Commit, Fallback, Tier};

use super::glob::Glob;
use super::text::CandidateText;

/// A name for several models that may all answer, in an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Alias {
    /// The name, or a pattern of names.
    pub name: Glob,
    /// Who may answer, each with its priority: of several with the same, the one with the least load is asked first.
    pub candidates: Vec<(CandidateText, u8)>,
    /// When an answer is the caller's.
    pub commit: Commit,
    /// Whether another candidate may stand in for one that fails.
    pub fallback: Fallback,
    /// How far its requests may reach, if that is less than others may.
    pub tier: Option<Tier>,
    /// How its callers are spread over its candidates, if they are compared.
    pub experiment: Option<Experiment>,
    /// Whether it is one of those that the program brings: then a model of this process with that name goes first.
    pub is_built_in: bool,
}

/// Candidates that are compared: each caller sees one of them, and the same one each time.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment(Vec<f64>);

/// The aliases, as they are looked up: the exact names before the patterns, each in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aliases(Vec<Alias>);

/// Why there are no such aliases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasProblem {
    /// The alias.
    pub alias: String,
    /// The key of it, if one is at fault.
    pub key: Option<&'static str>,
    /// What is wrong.
    pub what: String,
}

impl Alias {
    /// Names candidates in their order, and nothing else.
    pub fn new(name: Glob, candidates: Vec<CandidateText>) -> Self {
        let candidates = candidates.into_iter().enumerate();
        Self {
            name,
            candidates: candidates
                .map(|(place, text)| (text, u8::try_from(place).unwrap_or(u8::MAX)))
                .collect(),
            commit: Commit::default(),
            fallback: Fallback::default(),
            tier: None,
            experiment: None,
            is_built_in: false,
        }
    }
}

impl Experiment {
    /// Takes how large a part of the callers each candidate gets.
    ///
    /// # Errors
    ///
    /// When they are no parts of a whole, or do not make one.
    pub fn new(weights: Vec<f64>) -> Result<Self, String> {
        if weights.iter().any(|weight| !weight.is_finite() || *weight < 0.0) {
            return Err("a weight is a number from 0 to 1".to_owned());
        }
        let sum: f64 = weights.iter().sum();
        if (sum - 1.0).abs() > TOLERANCE {
            return Err(format!("the weights sum to {sum:.4}; they must sum to 1"));
        }
        Ok(Self(weights))
    }

    /// Returns the weights.
    pub fn weights(&self) -> &[f64] {
        &self.0
    }

    /// Returns the candidate of a caller, whose place on the scale from 0 to 1 is `draw`.
    pub(super) fn place(&self, draw: f64) -> usize {
        let mut end = 0.0;
        let found = self.0.iter().position(|weight| {
            end += weight;
            draw < end
        });
        // The sum may be a little less than 1. A candidate without weight gets nobody.
        found.or_else(|| self.0.iter().rposition(|weight| *weight > 0.0)).unwrap_or(0)
    }
}

impl Aliases {
    /// Takes aliases, of which no two have the same name. One that comes with the program gives way to one of the operator.
    ///
    /// # Errors
    ///
    /// When one of them is wrong, or leads back to itself.
    pub fn new(of_operator: Vec<Alias>, built_in: Vec<Alias>) -> Result<Self, AliasProblem> {
        let mut all = of_operator;
        for alias in built_in {
            if !all.iter().any(|known| known.name == alias.name) {
                all.push(alias);
            }
        }
        if all.len() > ALIASES_MAX {
            let what = format!("there are {} aliases; {ALIASES_MAX} at most are possible", all.len());
            return Err(AliasProblem { alias: String::new(), key: None, what });
        }
        // The name is a promise, whoever changes what stands behind it.
        for alias in &mut all {
            if alias.name.as_str() == SOVEREIGN {
                alias.tier = Some(Tier::Sovereign);
            }
        }
        // A name before the patterns that it fits.
        all.sort_by_key(|alias| !alias.name.is_exact());
        let aliases = Self(all);
        aliases.0.iter().try_for_each(|alias| aliases.check(alias))?;
        Ok(aliases)
    }

    /// Finds the alias that a text means.
    pub fn find(&self, text: &str) -> Option<&Alias> {
        self.0.iter().find(|alias| alias.name.matches(text))
    }

    /// Finds the alias that a candidate names. Patterns are for what callers say: a model that an operator names is that model.
    pub(super) fn named(&self, text: &str) -> Option<&Alias> {
        self.0.iter().find(|alias| alias.name.is_exact() && alias.name.as_str() == text)
    }

    /// Lists them.
    pub fn iter(&self) -> impl Iterator<Item = &Alias> {
        self.0.iter()
    }

    fn check(&self, alias: &Alias) -> Result<(), AliasProblem> {
        let problem = |key, what: String| Err(AliasProblem { alias: alias.name.to_string(), key, what });
        if alias.candidates.is_empty() || alias.candidates.len() > CANDIDATES_MAX {
            let what = format!("an alias has 1 to {CANDIDATES_MAX} candidates");
            return problem(Some("candidates"), what);
        }
        if let Some(experiment) = &alias.experiment
            && experiment.0.len() != alias.candidates.len()
        {
            let (weights, candidates) = (experiment.0.len(), alias.candidates.len());
            let what = format!("there are {weights} weights for {candidates} candidates");
            return problem(Some("weights"), what);
        }
        if let Some(way) = self.way_back(alias) {
            return problem(Some("candidates"), format!("it leads back to itself: {}", way.join(" -> ")));
        }
        Ok(())
    }

    /// Finds a way from an alias over others back to it, or one that is too long to follow.
    fn way_back(&self, alias: &Alias) -> Option<Vec<String>> {
        let mut ways = vec![(alias, vec![alias.name.to_string()])];
        while let Some((at, way)) = ways.pop() {
            for (text, _) in &at.candidates {
                let CandidateText::Model(text) = text else { continue };
                let Some(next) = self.named(text) else { continue };
                let way = [way.clone(), vec![text.clone()]].concat();
                if std::ptr::eq(next, alias) || way.len() > DEPTH_MAX {
                    return Some(way);
                }
                ways.push((next, way));
            }
        }
        None
    }
}

impl fmt::Display for AliasProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.alias, self.what)
    }
}

impl std::error::Error for AliasProblem {}

/// An alias whose requests never leave this machine, whoever changes what it means.
const SOVEREIGN: &str = "sovereign";
const TOLERANCE: f64 = 0.001;
const ALIASES_MAX: usize = 256;
const CANDIDATES_MAX: usize = 16;
/// How many aliases may stand behind one another.
pub(super) const DEPTH_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(name: &str, candidates: &[&str]) -> Alias {
        let candidates = candidates.iter().map(|text| CandidateText::parse(text).unwrap()).collect();
        Alias::new(Glob::parse(name).unwrap(), candidates)
    }

    fn problem(aliases: Vec<Alias>) -> String {
        Aliases::new(aliases, Vec::new()).unwrap_err().to_string()
    }

    #[test]
    fn a_name_goes_before_the_patterns_that_it_fits() {
        let all = vec![alias("claude-*", &["engine"]), alias("claude-x", &["a/b"]), alias("*", &["c/d"])];
        let aliases =
            Aliases::new(all, vec![alias("claude-x", &["e/f"]), alias("fast", &["engine"])]).unwrap();
        let first = |text| aliases.find(text).unwrap().candidates[0].0.to_string();
        assert_eq!((first("claude-x").as_str(), first("claude-y").as_str()), ("a/b", "engine"));
        assert_eq!((first("fast").as_str(), first("other").as_str()), ("engine", "c/d"));
        assert!(Aliases::default().find("fast").is_none());
    }

    #[test]
    fn a_circle_is_refused_with_its_way() {
        let told = problem(vec![alias("a", &["b"]), alias("b", &["x/y", "c"]), alias("c", &["a"])]);
        assert!(told.contains("leads back to itself: a -> b -> c -> a"), "{told}");
        assert!(problem(vec![alias("a", &["a"])]).contains("a -> a"));
        // A pattern is for what callers say, and a candidate that fits it is a model.
        assert!(Aliases::new(vec![alias("gpt-*", &["gpt-4"])], Vec::new()).is_ok());
        let chain = (0..20).map(|n| alias(&format!("a{n}"), &[&format!("a{}", n + 1)])).collect();
        assert!(problem(chain).contains("a0 -> a1"), "what is too long to follow is refused, too");
        assert!(Aliases::new(vec![alias("a", &["b", "b"]), alias("b", &["engine"])], Vec::new()).is_ok());
    }

    #[test]
    fn lengths_are_bounded_and_weights_make_a_whole() {
        assert!(problem(vec![alias("a", &[])]).contains("1 to 16 candidates"));
        assert!(problem(vec![alias("a", &["engine"; 17])]).contains("1 to 16"));
        let many = (0..257).map(|n| alias(&format!("a{n}"), &["engine"])).collect();
        assert!(problem(many).contains("257 aliases"));
        for (weights, is_right) in [
            (vec![0.5, 0.5], true),
            (vec![0.9, 0.1009], true),
            (vec![0.9, 0.1011], false),
            (vec![0.5], false),
            (vec![1.5, -0.5], false),
            (vec![f64::NAN, 1.0], false),
        ] {
            assert_eq!(Experiment::new(weights.clone()).is_ok(), is_right, "{weights:?}");
        }
        let mut compared = alias("a", &["engine"]);
        compared.experiment = Some(Experiment::new(vec![0.5, 0.5]).unwrap());
        assert!(problem(vec![compared]).contains("2 weights for 1 candidates"));
    }

    #[test]
    fn the_name_sovereign_is_a_promise() {
        let aliases = Aliases::new(vec![alias("sovereign", &["acme/m-1"])], Vec::new()).unwrap();
        assert_eq!(aliases.find("sovereign").unwrap().tier, Some(Tier::Sovereign));
    }
}
