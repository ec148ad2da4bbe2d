//! The lens between what a codec speaks and what a provider speaks today, as data.
//!
//! A codec knows structure, and speaks one canonical form of its family's JSON that never changes. A spec knows names: what
//! a provider renamed, moved or dropped since. It is a file, read strictly into an [`Adapter`], whose operations are a
//! closed set: no loops, no expressions, nothing that does not end. It cannot name hosts or credentials, cannot touch what
//! people said, and is believed only after its own recorded examples gave what they gave when they were recorded.
//!
//! In reading order: `pointer` addresses places; `op` and `values` change them; `stage` applies a list of operations, and
//! `request_map` those on requests; `classify`, `meter` and [`End`] are the other tables of a spec. `protected` is what
//! no spec can say, `parse` and `parse_op` read the file, `fault` names each rule; `recording` holds a spec to its examples,
//! and `shipped` are the specs that are part of the program.

mod classify;
mod fault;
mod fields;
mod glob;
mod lens;
mod meter;
mod op;
mod parse;
mod parse_op;
mod pointer;
mod protected;
mod recording;
mod request_map;
mod shipped;
mod stage;
mod values;

use std::time::Duration;

use serde_json::Value;
use stack_chat::{Failure, FailureKind, FinishReason};

pub(super) use self::classify::{Told, Verdict};
pub use self::fault::{Rule, SpecFault};
pub(super) use self::lens::Lens;
pub use self::op::MismatchKind;
pub use self::recording::Recordings;
pub use self::request_map::Header;
pub(super) use self::request_map::Outgoing;
pub use self::shipped::ShippedSpec;
pub use self::stage::Mismatch;

use self::classify::Classifier;
use self::meter::Meter;
use self::op::Scope;
use self::pointer::{Pointer, STARS_MAX, TooManyMatches};
use self::protected::PathTemplate;
use self::request_map::{RequestMap, set_header};
use self::stage::{Notes, Stage};
use super::Family;

/// What a provider calls otherwise than the codec of its family, compiled.
///
/// ```
/// use stack_wire::provider::{Adapter, Recordings};
///
/// let spec = br#"{"spec":1,"provider":"acme","version":1,"family":"ollama","examples":["ollama-text"]}"#;
/// let adapter = Adapter::load(spec, &Recordings::shipped()).expect("it changes nothing");
/// assert_eq!((adapter.provider(), adapter.version()), ("acme", 1));
///
/// let fault = Adapter::parse(br#"{"spec":1,"provider":"acme","version":1,"host":"evil.test"}"#).unwrap_err();
/// assert_eq!(fault.to_string(), "the key \"family\" is missing");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    provider: String,
    version: u32,
    family: Family,
    surface: Surface,
    request: RequestMap,
    reply: Stage,
    events: EventMap,
    end: End,
    usage: Option<Meter>,
    finish: Vec<(String, FinishReason)>,
    errors: Classifier,
    examples: Vec<String>,
}

/// Where a provider is asked, and with which headers beside those of its family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Surface {
    path: Option<PathTemplate>,
    headers: Vec<(String, String)>,
}

/// What the records of a stream are called, and what becomes of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct EventMap {
    /// Where a record says its name, if it does.
    name: Option<Pointer>,
    map: Vec<(String, String)>,
    stage: Stage,
}

/// What shows that a stream is complete, beside what the codec demands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct End {
    /// One of these must have been there.
    proof: Vec<Proof>,
    /// The text after the last event. It proves nothing.
    sentinel: Option<String>,
    /// How long a count is waited for behind the proof.
    linger: Option<Duration>,
}

/// What a record must have.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Proof {
    NotNull(Pointer),
    Equals(Pointer, Value),
}

impl Adapter {
    /// Reads a spec, without holding it to its examples.
    ///
    /// # Errors
    ///
    /// The first rule that it breaks, and where.
    pub fn parse(spec: &[u8]) -> Result<Self, SpecFault> {
        parse::spec(spec)
    }

    /// Reads a spec, and holds it to its examples.
    ///
    /// # Errors
    ///
    /// The first rule that it breaks, and where; or the first example that is not there, or gives something else.
    pub fn load(spec: &[u8], recordings: &Recordings) -> Result<Self, SpecFault> {
        let adapter = Self::parse(spec)?;
        recording::check(&adapter, recordings)?;
        Ok(adapter)
    }

    /// Returns whom it is for: a kind of provider, or a single one by its configured name.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Returns its version.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Returns the family whose requests it changes.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Returns the family that is asked for a model: the spec's own, unless it says another.
    pub fn family_for(&self, model: &str) -> Family {
        // Providers are always asked for streams.
        self.request.family(Scope { model, stream: true }).unwrap_or(self.family)
    }

    /// Returns how long a count of tokens is waited for behind the end of an answer.
    pub fn linger(&self) -> Option<Duration> {
        self.end.linger
    }

    /// Returns the names of its examples.
    pub fn examples(&self) -> impl Iterator<Item = &str> {
        self.examples.iter().map(String::as_str)
    }

    /// Lists the operations on replies that none of its examples needs, so that nothing shows what they do.
    pub fn unexercised(&self, recordings: &Recordings) -> Vec<Mismatch> {
        recording::unexercised(self, recordings)
    }

    /// Changes a request that is about to leave.
    pub(super) fn adapt(&self, outgoing: &mut Outgoing, model: &str, stream: bool) -> Result<(), Failure> {
        if let Some(path) = &self.surface.path {
            outgoing.path = path.render(model);
        }
        self.surface.headers.iter().for_each(|(name, value)| set_header(&mut outgoing.headers, name, value));
        let adapted = self.request.apply(outgoing, Scope { model, stream }, &mut Notes::default());
        adapted.map_err(|TooManyMatches| {
            let message =
                format!("the request has more places than the adapter of {} may look at", self.provider);
            Failure::new(FailureKind::Unsupported, message)
        })
    }

    /// Judges an error by the rows that look at values.
    pub(super) fn verdict(&self, told: Told<'_>) -> Option<Verdict> {
        self.errors.exact(told)
    }

    /// Judges an error by the phrases in it.
    pub(super) fn guess(&self, told: Told<'_>) -> Option<Verdict> {
        self.errors.phrase(told)
    }
}

impl Proof {
    fn is_in(&self, record: &Value) -> bool {
        let there = |pointer: &Pointer| {
            pointer.get(record, &[0; STARS_MAX]).filter(|value| !value.is_null()).cloned()
        };
        match self {
            Self::NotNull(pointer) => there(pointer).is_some(),
            Self::Equals(pointer, value) => there(pointer).as_ref() == Some(value),
        }
    }
}
