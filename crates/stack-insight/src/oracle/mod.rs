//! Which command does what somebody wants: a search over what commands, parts and pages say, without a model.
//!
//! Scores are BM25 over three fields of each entry: its name, the phrases in which people ask for it, and its help. A question
//! most of whose words no entry knows has no answer.

mod cited;
mod component;
mod index;
mod passages;
mod problem;
mod recipe;
mod words;

use self::component::COMPONENTS;
use self::index::{Field, Index};
use self::problem::Problem;

pub use cited::{CitedAnswer, answer};
pub use component::{Component, find, integrate, layers, nearest};
pub use passages::{Passage, Passages};
pub use problem::{Hardware, Machine, parse_size};
pub use recipe::{RECIPES, Recipe};

/// What a command says about itself.
#[derive(Clone, Debug)]
pub struct CommandHelp {
    /// What is typed: `stack trust add`.
    pub name: String,
    /// Its first sentence.
    pub about: String,
    /// What its options say.
    pub options: Vec<String>,
}

/// Finds commands.
pub struct Oracle {
    entries: Vec<Entry>,
    index: Index,
}

/// A command or a part that can be an answer.
struct Entry {
    name: String,
    about: String,
    component: Option<&'static Component>,
}

/// A part of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// A command, or a part that lies outside.
    pub name: String,
    /// What it is.
    pub about: String,
    /// The part of the stack that it belongs to; `external` for what is none.
    pub layer: &'static str,
    /// How sure it is, from 0 to 1.
    pub confidence: f64,
    /// What of a library is meant.
    pub module: Option<&'static str>,
}

/// What the oracle says.
#[derive(Clone, Debug, PartialEq)]
pub struct Recommendation {
    /// What sort of problem it is.
    pub class: &'static str,
    /// The method that the question names.
    pub algorithm: Option<&'static str>,
    /// How much data there is, as the question says.
    pub size: Option<u64>,
    /// What to use.
    pub primary: Suggestion,
    /// What else may be meant, the nearest first, at most two.
    pub alternatives: Vec<Suggestion>,
    /// What belongs to it.
    pub supporting: Vec<Suggestion>,
    /// What it would be computed with on this machine.
    pub backend: Hardware,
    /// Whether several machines are of use.
    pub distributed: bool,
    /// Something to type.
    pub example: String,
    /// What others ask, at most three.
    pub related: Vec<&'static str>,
}

impl Oracle {
    /// Makes the index of the commands of a program.
    pub fn new(commands: Vec<CommandHelp>) -> Self {
        let mut entries = Vec::new();
        let mut index = Index::default();
        for command in commands {
            let component = find(&command.name);
            let mut fields = vec![(Field::Name, command.name.trim_start_matches("stack ").to_owned())];
            fields.push((Field::Phrase, command.about.clone()));
            for term in component.iter().flat_map(|component| &component.terms) {
                fields.push((Field::Phrase, term.clone()));
            }
            fields.extend(component.iter().map(|component| (Field::Phrase, component.ask.clone())));
            fields.extend(command.options.into_iter().map(|text| (Field::Help, text)));
            index.add(&fields);
            entries.push(Entry { name: command.name, about: command.about, component });
        }
        index.finish();
        Self { entries, index }
    }

    /// Answers a question, or does not.
    pub fn ask(&self, question: &str, machine: &Machine) -> Option<Recommendation> {
        let question = &question[..question.floor_char_boundary(QUESTION_BYTES_MAX)];
        let mut problem = Problem::of(question);
        if let Some(component) = problem.component() {
            return Some(external(component, &problem, machine));
        }
        let named = self.named(question);
        if let (None, Some(component)) = (named, component_named(question)) {
            problem.is_named = true;
            return Some(external(component, &problem, machine));
        }
        let hits = self.index.search(question);
        let best = named.or_else(|| hits.first().map(|hit| hit.entry))?;
        let strength = hits.iter().find(|hit| hit.entry == best).map_or(0.0, |hit| hit.strength);
        let confidence = match (named, strength) {
            (Some(_), _) => NAMED,
            (None, DOMAIN_STRENGTH..) => DOMAIN,
            (None, HINT_STRENGTH..) => HINT,
            _ => FALLBACK,
        };
        let entry = &self.entries[best];
        let others = hits.iter().map(|hit| hit.entry).filter(|&other| other != best).take(ALTERNATIVES_MAX);
        let component = entry.component;
        let supporting = component.iter().flat_map(|component| &component.supports);
        Some(Recommendation {
            class: component.map_or("Commands", |component| &component.class),
            algorithm: None,
            size: problem.size,
            primary: entry.suggestion(confidence),
            alternatives: others.map(|other| self.entries[other].suggestion(FALLBACK)).collect(),
            supporting: supporting
                .filter_map(|name| find(name))
                .map(|found| found.suggestion(HINT))
                .collect(),
            backend: machine.inference_backend(),
            distributed: false,
            example: component
                .map_or_else(|| format!("{} --help", entry.name), |component| component.example.clone()),
            related: related(component, others_of(&hits, best, &self.entries)),
        })
    }

    /// Finds the command that a question names as it is typed.
    fn named(&self, question: &str) -> Option<usize> {
        let plain = format!(" {} ", words::plain(question));
        let named =
            self.entries.iter().enumerate().filter(|(_, entry)| plain.contains(&format!(" {} ", entry.name)));
        named.max_by_key(|(_, entry)| entry.name.len()).map(|(number, _)| number)
    }
}

fn others_of<'a>(
    hits: &'a [index::Hit],
    best: usize,
    entries: &'a [Entry],
) -> impl Iterator<Item = &'static Component> + 'a {
    hits.iter().filter(move |hit| hit.entry != best).filter_map(|hit| entries[hit.entry].component)
}

/// Lists what others ask: about what belongs to it, and about what was near.
fn related(
    component: Option<&'static Component>,
    near: impl Iterator<Item = &'static Component>,
) -> Vec<&'static str> {
    let supports =
        component.into_iter().flat_map(|component| &component.supports).filter_map(|name| find(name));
    let mut asked: Vec<&str> = Vec::new();
    for other in supports.chain(near) {
        if !other.ask.is_empty() && !asked.contains(&other.ask.as_str()) && asked.len() < RELATED_MAX {
            asked.push(&other.ask);
        }
    }
    asked
}

/// Finds a part that a question names, such as `aprender`; words that mean something else are no names.
fn component_named(question: &str) -> Option<&'static Component> {
    let plain = format!(" {} ", words::plain(question));
    let outside = COMPONENTS.iter().filter(|component| component.layer == "external");
    outside
        .filter(|component| plain.contains(&format!(" {} ", component.name)))
        .max_by_key(|component| component.name.len())
}

/// What lies outside, for a problem that the stack does not solve.
fn external(component: &'static Component, problem: &Problem, machine: &Machine) -> Recommendation {
    let confidence = match problem.algorithm {
        _ if problem.is_named => NAMED,
        Some(_) => ALGORITHM,
        None => DOMAIN,
    };
    let primary = Suggestion {
        module: problem.algorithm.map(|found| found.module),
        ..component.suggestion(confidence)
    };
    Recommendation {
        class: problem.algorithm.map_or(&component.class, |found| found.class),
        algorithm: problem.algorithm.map(|found| found.name),
        size: problem.size,
        primary,
        alternatives: Vec::new(),
        supporting: Vec::new(),
        backend: machine.backend(problem.size),
        distributed: machine.nodes > 1 && problem.size.is_some_and(|size| size > problem::DISTRIBUTED_FROM),
        example: component.example.clone(),
        related: Vec::new(),
    }
}

impl Entry {
    fn suggestion(&self, confidence: f64) -> Suggestion {
        Suggestion {
            name: self.name.clone(),
            about: self.about.clone(),
            layer: self.component.map_or("commands", |component| &component.layer),
            confidence,
            module: None,
        }
    }
}

/// The question says its name.
const NAMED: f64 = 0.95;
/// The question names its method.
const ALGORITHM: f64 = 0.90;
/// The question is one that people ask about it.
const DOMAIN: f64 = 0.85;
/// The question touches it.
const HINT: f64 = 0.70;
/// Nothing is nearer.
const FALLBACK: f64 = 0.50;

/// The shares of a question's weight that an entry has to know.
const DOMAIN_STRENGTH: f64 = 0.6;
const HINT_STRENGTH: f64 = 0.4;

const QUESTION_BYTES_MAX: usize = 2000;
const ALTERNATIVES_MAX: usize = 2;
const RELATED_MAX: usize = 3;

#[cfg(test)]
mod tests;
