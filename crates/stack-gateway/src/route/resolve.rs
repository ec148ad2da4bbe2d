//! From the text of a request to who may answer it.

use stack_chat::{ENGINE, Tier};

use super::alias::{Alias, Aliases, DEPTH_MAX};
use super::text::{CandidateText, EngineChoice};
use crate::provider::ProviderKind;

/// The names there are.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The models of this process, the first one that it was started with first.
    pub engine: Vec<EngineModel>,
    /// The providers, in the order of the configuration.
    pub providers: Vec<ProviderNames>,
}

/// A model of this process, as far as it is chosen by what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineModel {
    /// Its name.
    pub id: String,
    /// Whether it answers conversations; one that is not in memory yet may.
    pub chats: bool,
    /// Number of its weights; 0 if unknown.
    pub parameters: u64,
    /// Whether it thinks before it answers.
    pub thinks: bool,
}

/// What a provider is called, and its models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderNames {
    /// The provider.
    pub name: String,
    /// What it is.
    pub kind: ProviderKind,
    /// The models that the operator listed; without any, all may be asked.
    pub models: Vec<String>,
    /// Whether it is on this machine.
    pub is_loopback: bool,
}

/// What a text means.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning<'a> {
    /// An alias.
    Alias(&'a Alias),
    /// One model.
    Model(Target),
    /// Nothing that is known; perhaps one of these was meant.
    Unknown(Vec<String>),
}

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A model of this process, by its name.
    Engine(String),
    /// A model at a provider.
    Provider {
        /// The provider.
        name: String,
        /// The model there.
        model: String,
    },
    /// Nobody: what the candidate names is not there.
    Missing {
        /// How it is written.
        text: String,
        /// Why there is nobody.
        why: String,
    },
}

/// Somebody who may answer, and how far in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who it is.
    pub target: Target,
    /// Those with the lowest number are asked first.
    pub priority: u8,
    /// Which candidate of the alias it comes from.
    pub place: usize,
    /// How far a request to it may reach, where an alias behind the alias says so.
    pub tier: Option<Tier>,
}

/// Finds what a text means. The first that fits counts: an alias of the operator, a model of this process, an alias that the
/// program brings, `PROVIDER/MODEL`, `PROVIDER:MODEL`, and at last the one provider whose models are called like that.
///
/// A model here goes before a provider of the same name: what could be answered here must not leave because of a name.
pub fn resolve<'a>(text: &str, aliases: &'a Aliases, names: &Names) -> Meaning<'a> {
    let alias = aliases.find(text);
    if let Some(alias) = alias.filter(|alias| !alias.is_built_in) {
        return Meaning::Alias(alias);
    }
    if let Some(id) = text.strip_prefix(OF_ENGINE) {
        let id = names.engine_id(id).unwrap_or_else(|| id.to_owned());
        return Meaning::Model(Target::Engine(id));
    }
    if let Some(id) = names.engine_id(text) {
        return Meaning::Model(Target::Engine(id));
    }
    if let Some(alias) = alias {
        return Meaning::Alias(alias);
    }
    if let Some(target) = names.at_provider(text).or_else(|| names.claimed(text)) {
        return Meaning::Model(target);
    }
    Meaning::Unknown(suggestions(text, aliases, names))
}

impl Target {
    /// Returns its name in headers, lineage and decisions.
    pub fn name(&self) -> String {
        match self {
            Self::Engine(id) => format!("{ENGINE}/{id}"),
            Self::Provider { name, model } => format!("{name}/{model}"),
            Self::Missing { text, .. } => text.clone(),
        }
    }
}

impl Candidate {
    /// The only one there is.
    pub fn only(target: Target) -> Self {
        Self { target, priority: 0, place: 0, tier: None }
    }

    /// Lists the candidates of an alias, with those of aliases that it names in their place. Of several that are the same,
    /// the first one counts.
    pub fn of_alias(alias: &Alias, aliases: &Aliases, names: &Names) -> Vec<Self> {
        let mut found = Vec::new();
        for (place, (text, priority)) in alias.candidates.iter().enumerate() {
            let from = Self { priority: *priority, place, ..Self::only(missing(text, "")) };
            from.expand(text, aliases, names, &mut found);
        }
        let mut seen = std::collections::HashSet::new();
        found.retain(|candidate: &Self| seen.insert(candidate.target.clone()));
        found.truncate(CANDIDATES_MAX);
        found
    }

    fn expand(&self, text: &CandidateText, aliases: &Aliases, names: &Names, found: &mut Vec<Self>) {
        let mut ways = vec![(text.clone(), self.tier, 0)];
        while let Some((text, tier, depth)) = ways.pop() {
            if found.len() >= CANDIDATES_MAX * 2 || depth > DEPTH_MAX {
                return;
            }
            let meant = match &text {
                CandidateText::Model(name) => aliases.named(name),
                _ => None,
            };
            if let Some(alias) = meant {
                let tier = tier.into_iter().chain(alias.tier).min();
                // The last one that is put down is the first to be taken up.
                let next = alias.candidates.iter().rev();
                ways.extend(next.map(|(text, _)| (text.clone(), tier, depth + 1)));
                continue;
            }
            found.extend(names.targets(&text).into_iter().map(|target| Self {
                target,
                tier,
                ..self.clone()
            }));
        }
    }
}

impl Names {
    fn engine_id(&self, text: &str) -> Option<String> {
        let untagged = |name: &str| name.strip_suffix(LATEST).unwrap_or(name).to_owned();
        let ids = || self.engine.iter().map(|model| &model.id);
        let exactly = ids().find(|id| *id == text);
        exactly.or_else(|| ids().find(|id| untagged(id) == untagged(text))).cloned()
    }

    /// Splits a text at its first `/`, else at its first `:`, if a provider is on the left.
    fn at_provider(&self, text: &str) -> Option<Target> {
        let at = |separator| {
            let (left, model) = text.split_once(separator)?;
            let provider = self.providers.iter().find(|provider| provider.name == left)?;
            (!model.is_empty()).then(|| provider.target(model))
        };
        at('/').or_else(|| at(':'))
    }

    /// Finds the provider whose models are called like that, if there is exactly one.
    fn claimed(&self, text: &str) -> Option<Target> {
        let lists = |provider: &&ProviderNames| provider.models.iter().any(|model| model == text);
        let claims = |provider: &&ProviderNames| {
            let vendor = VENDORS.iter().find(|(kind, _)| *kind == provider.kind);
            let begins = |(_, beginnings): &(ProviderKind, &[&str])| {
                beginnings.iter().any(|begin| text.starts_with(begin))
            };
            provider.models.is_empty() && vendor.is_some_and(begins)
        };
        let mut found: Vec<_> = self.providers.iter().filter(lists).collect();
        if found.is_empty() {
            found = self.providers.iter().filter(claims).collect();
        }
        match found[..] {
            [provider] => Some(provider.target(text)),
            _ => None,
        }
    }

    fn targets(&self, text: &CandidateText) -> Vec<Target> {
        let one = |found: Option<Target>, why: &str| vec![found.unwrap_or_else(|| missing(text, why))];
        match text {
            CandidateText::Engine(choice) => {
                let why = match choice {
                    EngineChoice::Default => "the server has no model",
                    EngineChoice::Small => "no model here is in memory",
                    EngineChoice::Thinks => "no model here thinks",
                    EngineChoice::Code => "no model here was made for code",
                    EngineChoice::Embeds => "no model here makes embeddings",
                };
                one(self.chosen(*choice).map(|model| Target::Engine(model.id.clone())), why)
            }
            CandidateText::Here(id) => {
                vec![Target::Engine(self.engine_id(id).unwrap_or_else(|| id.clone()))]
            }
            CandidateText::Loopback => {
                let here = self.providers.iter().filter(|provider| provider.is_loopback);
                let targets: Vec<_> = here
                    .flat_map(|provider| provider.models.iter().map(|model| provider.target(model)))
                    .collect();
                if targets.is_empty() {
                    one(None, "no provider on this machine lists a model")
                } else {
                    targets
                }
            }
            CandidateText::Kind { kind, model } => {
                let found = self.providers.iter().find(|provider| provider.kind == *kind);
                let why = format!("no provider of the kind {} is configured", kind.name());
                one(found.map(|provider| provider.target(model)), &why)
            }
            CandidateText::Model(name) => {
                let engine = self.engine_id(name).map(Target::Engine);
                let found = engine.or_else(|| self.at_provider(name)).or_else(|| self.claimed(name));
                // It may lie in the store.
                vec![found.unwrap_or_else(|| Target::Engine(name.clone()))]
            }
        }
    }

    fn chosen(&self, choice: EngineChoice) -> Option<&EngineModel> {
        let chats = || self.engine.iter().filter(|model| model.chats);
        match choice {
            EngineChoice::Default => chats().next(),
            EngineChoice::Small => {
                chats().filter(|model| model.parameters > 0).min_by_key(|model| model.parameters)
            }
            EngineChoice::Thinks => chats().find(|model| model.thinks),
            EngineChoice::Code => chats().find(|model| model.id.to_ascii_lowercase().contains("code")),
            EngineChoice::Embeds => {
                self.engine.iter().find(|model| !model.chats).or_else(|| self.engine.first())
            }
        }
    }
}

impl ProviderNames {
    fn target(&self, model: &str) -> Target {
        Target::Provider { name: self.name.clone(), model: model.to_owned() }
    }
}

fn missing(text: &CandidateText, why: &str) -> Target {
    Target::Missing { text: text.to_string(), why: why.to_owned() }
}

/// Finds names that look like a text: those that differ in few places, or begin alike.
fn suggestions(text: &str, aliases: &Aliases, names: &Names) -> Vec<String> {
    let text: String = text.chars().take(TEXT_CHARS_MAX).collect();
    let exact = aliases.iter().filter(|alias| alias.name.is_exact()).map(|alias| alias.name.to_string());
    let engine = names.engine.iter().map(|model| model.id.clone());
    let listed = names
        .providers
        .iter()
        .flat_map(|provider| provider.models.iter().map(|model| format!("{}/{model}", provider.name)));
    let mut near: Vec<(usize, String)> = exact
        .chain(engine)
        .chain(listed)
        .filter_map(|name| {
            let model = name.rsplit('/').next().unwrap_or(&name);
            let distance = distance(&text, &name).min(distance(&text, model));
            (distance <= text.chars().count() / 3 + 1).then_some((distance, name))
        })
        .collect();
    near.sort();
    near.dedup();
    near.into_iter().take(SUGGESTIONS).map(|(_, name)| name).collect()
}

/// Counts the characters by which two texts differ (Levenshtein's distance).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(TEXT_CHARS_MAX).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, left) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, right) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

/// How the models of vendors are called, wherever they are named without one.
const VENDORS: [(ProviderKind, &[&str]); 4] = [
    (ProviderKind::Anthropic, &["claude"]),
    (ProviderKind::Openai, &["gpt", "o1", "o3", "o4", "codex"]),
    (ProviderKind::Gemini, &["gemini"]),
    (ProviderKind::Xai, &["grok"]),
];
/// What a text begins with that insists on a model of this process.
const OF_ENGINE: &str = "engine/";
const LATEST: &str = ":latest";
const CANDIDATES_MAX: usize = 32;
const SUGGESTIONS: usize = 3;
const TEXT_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::default_aliases;
    use super::super::glob::Glob;
    use super::*;

    fn engine(id: &str, parameters: u64) -> EngineModel {
        EngineModel { id: id.into(), chats: true, parameters, thinks: id.contains("thinks") }
    }

    fn provider(name: &str, kind: ProviderKind, models: &[&str]) -> ProviderNames {
        let models = models.iter().map(|&model| model.to_owned()).collect();
        let is_loopback = kind == ProviderKind::Ollama;
        ProviderNames { name: name.into(), kind, models, is_loopback }
    }

    fn names() -> Names {
        Names {
            engine: vec![engine("default", 9), engine("llama3.1:8b", 8), engine("c:latest", 7)],
            providers: vec![
                provider("acme", ProviderKind::Anthropic, &[]),
                provider("box", ProviderKind::Ollama, &["m-1", "m-2"]),
                provider("o", ProviderKind::Openai, &["gpt-x"]),
            ],
        }
    }

    fn aliases(of_operator: &[(&str, &[&str])]) -> Aliases {
        let alias = |(name, candidates): &(&str, &[&str])| {
            let candidates = candidates.iter().map(|text| CandidateText::parse(text).unwrap()).collect();
            Alias::new(Glob::parse(name).unwrap(), candidates)
        };
        Aliases::new(of_operator.iter().map(alias).collect(), default_aliases()).unwrap()
    }

    fn meant(text: &str, aliases: &Aliases, names: &Names) -> String {
        match resolve(text, aliases, names) {
            Meaning::Alias(alias) => format!("@{}", alias.name),
            Meaning::Model(target) => target.name(),
            Meaning::Unknown(near) => format!("?{}", near.join(",")),
        }
    }

    #[test]
    fn the_first_reading_that_fits_counts() {
        let (aliases, names) = (aliases(&[("claude-3*", &["engine"]), ("default", &["acme/x"])]), names());
        for (text, want) in [
            ("claude-3-opus", "@claude-3*"),
            ("default", "@default"),
            ("fast", "@fast"),
            ("llama3.1:8b", "engine/llama3.1:8b"),
            ("c", "engine/c:latest"),
            ("engine/c", "engine/c:latest"),
            ("engine/acme/x", "engine/acme/x"),
            ("acme/claude-4", "acme/claude-4"),
            ("acme:claude-4", "acme/claude-4"),
            ("acme/a:b/c", "acme/a:b/c"),
            ("box:m:8b", "box/m:8b"),
            ("claude-4", "acme/claude-4"),
            ("m-1", "box/m-1"),
            ("gpt-x", "o/gpt-x"),
            // This provider lists its models.
            ("gpt-y", "?o/gpt-x,gpt"),
            ("meta-llama/Llama-3-8B", "?"),
            ("locl", "?local"),
            ("acme/", "?"),
            ("", "?"),
        ] {
            let told = meant(text, &aliases, &names);
            assert_eq!(told, want, "{text}");
        }
    }

    #[test]
    fn a_model_here_goes_before_an_alias_that_comes_with_the_program() {
        let mut names = names();
        names.engine.push(engine("fast", 1));
        assert_eq!(meant("fast", &aliases(&[]), &names), "engine/fast");
        assert_eq!(meant("fast", &aliases(&[("fast", &["acme/x"])]), &names), "@fast");
    }

    #[test]
    fn two_providers_that_claim_a_name_are_none() {
        let mut names = names();
        names.providers.push(provider("other", ProviderKind::Anthropic, &[]));
        assert!(meant("claude-4", &aliases(&[]), &names).starts_with('?'));
    }

    #[test]
    fn an_alias_behind_an_alias_stands_for_its_candidates() {
        let aliases =
            aliases(&[("a", &["x", "acme/one", "engine:thinks"]), ("x", &["local", "acme/one", "box/m-2"])]);
        let names = names();
        let Meaning::Alias(a) = resolve("a", &aliases, &names) else { panic!() };
        let found = Candidate::of_alias(a, &aliases, &names);
        let told: Vec<_> = found.iter().map(|one| (one.target.name(), one.place, one.tier)).collect();
        let sovereign = Some(Tier::Sovereign);
        assert_eq!(
            told,
            [
                ("engine/default".to_owned(), 0, sovereign),
                ("box/m-1".to_owned(), 0, sovereign),
                ("box/m-2".to_owned(), 0, sovereign),
                ("acme/one".to_owned(), 0, None),
                ("engine:thinks".to_owned(), 2, None),
            ]
        );
        assert!(matches!(&found[4].target, Target::Missing { why, .. } if why.contains("thinks")));
    }

    proptest! {
        #[test]
        fn every_text_means_something_or_nothing(text in "\\PC{0,80}") {
            let _meaning = resolve(&text, &aliases(&[("x-*", &["engine"])]), &names());
        }

        #[test]
        fn distances_are_symmetric(one in "[abc]{0,8}", other in "[abc]{0,8}") {
            prop_assert_eq!(distance(&one, &other), distance(&other, &one));
            prop_assert_eq!(distance(&one, &other) == 0, one == other);
        }
    }
}
