//! How a request is routed, and how its answer came about.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::{Basis, Class, FailureKind, Tier, Usage};

/// When an answer is the caller's: from then on no other model takes over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Commit {
    /// With its first output.
    #[default]
    FirstOutput,
    /// When it is complete: it is held back until then, so that one that breaks off is never seen.
    Proof,
}

/// Whether another model may stand in for one that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fallback {
    /// The next candidate may.
    #[default]
    Allowed,
    /// None may.
    Off,
}

/// What a request says of its way to a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Routing {
    /// When the answer is the caller's; `None` = as the alias says.
    pub commit: Option<Commit>,
    /// Whether another model may stand in.
    pub fallback: Fallback,
    /// Who asks, as the caller names them: they see the same variant each time.
    pub user: Option<String>,
    /// The conversation: it stays with the backend that has its beginning in memory.
    pub session: Option<String>,
    /// Where it is written down how the answer came about.
    pub record: LineageRecord,
}

/// How an answer came about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lineage {
    /// The alias that was asked for, if it was one.
    pub alias: Option<String>,
    /// How far the request could reach.
    pub tier: Option<Tier>,
    /// The variant that the caller sees, where models are compared.
    pub variant: Option<String>,
    /// Who could have answered, each with what spoke against it, in the order in which they were asked.
    pub considered: Vec<(String, String)>,
    /// What was tried, in order.
    pub attempts: Vec<RouteAttempt>,
    /// Who answers, from when that cannot change any more.
    pub answerer: Option<Answerer>,
    /// Tokens counted, once the answer is complete.
    pub usage: Option<Usage>,
    /// What was done otherwise than asked.
    pub changes: Vec<String>,
}

/// One attempt to get an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteAttempt {
    /// Who was asked: `PROVIDER/MODEL`.
    pub route: String,
    /// How long after the request it began.
    pub began: Duration,
    /// How long its first output took, if there was some.
    pub first_output: Option<Duration>,
    /// How long it took, once it has ended.
    pub took: Option<Duration>,
    /// Why it failed, if it did.
    pub failure: Option<FailureKind>,
}

/// Who answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answerer {
    /// The model, by the name under which it is asked.
    pub model: String,
    /// The provider that it runs at; `None` = it runs here.
    pub provider: Option<String>,
    /// Where its answer comes from.
    pub class: Class,
    /// Why its weights are taken to be the right ones.
    pub basis: Option<Basis>,
    /// The digest of its weights.
    pub digest: Option<String>,
}

/// The one [`Lineage`] of a request, which everybody who works on it adds to. It is no part of what is asked: two
/// requests that ask the same are equal, whatever was written down about them.
#[derive(Clone, Debug, Default)]
pub struct LineageRecord(Arc<Mutex<Lineage>>);

impl LineageRecord {
    /// Writes something down.
    pub fn note<T>(&self, write: impl FnOnce(&mut Lineage) -> T) -> T {
        write(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns what was written down so far.
    pub fn read(&self) -> Lineage {
        self.note(|lineage| lineage.clone())
    }
}

impl PartialEq for LineageRecord {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Commit {
    /// Returns its name in the configuration, in headers and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FirstOutput => "output",
            Self::Proof => "proof",
        }
    }

    /// Finds the one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::FirstOutput, Self::Proof].into_iter().find(|commit| commit.name() == name)
    }
}

impl Answerer {
    /// Returns the route to it, as headers and lineage name it.
    pub fn route(&self) -> String {
        match &self.provider {
            // The model's name begins with its provider's.
            Some(_) => self.model.clone(),
            None => format!("{ENGINE}/{}", self.model),
        }
    }
}

/// The name under which whatever runs in this process answers.
pub const ENGINE: &str = "engine";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_writes_into_the_same_record() {
        let record = LineageRecord::default();
        let other = record.clone();
        other.note(|lineage| lineage.alias = Some("fast".into()));
        assert_eq!(record.read().alias.as_deref(), Some("fast"));
        assert_eq!(record, LineageRecord::default(), "it is no part of what is asked");
    }

    #[test]
    fn a_route_names_the_provider_and_the_model() {
        let here = Answerer { model: "m".into(), ..Answerer::default() };
        let there = Answerer { model: "acme/m".into(), provider: Some("acme".into()), ..Answerer::default() };
        assert_eq!((here.route().as_str(), there.route().as_str()), ("engine/m", "acme/m"));
        assert_eq!(Commit::from_name("proof"), Some(Commit::Proof));
        assert_eq!(Commit::from_name("never"), None);
    }
}
