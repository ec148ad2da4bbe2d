//! Which models a text means, and which of them is asked first.
//!
//! ```text
//! model text ──resolve──▶ candidates ──route(facts, standings, now)──▶ Decision
//! ```
//!
//! A text is an [alias](Alias), the name of a model here, or `PROVIDER/MODEL`. An alias means several candidates, in an
//! order. [`route`] looks at all of them once for each request, and says of each whether it is asked, and when, or what
//! speaks against it. Attempts walk this list and drop entries; they add none.
//!
//! Nothing here reads a clock, a socket or a lock.

mod alias;
mod decision;
mod defaults;
mod facts;
mod glob;
#[cfg(test)]
mod reference;
mod resolve;
mod standing;
mod text;

pub use alias::{Alias, AliasProblem, Aliases, Experiment};
pub use decision::{Considered, Decision, Exclusion, Verdict, route};
pub use defaults::{DEFAULTS_DATE, default_aliases};
pub use facts::{Facts, Need};
pub use glob::Glob;
pub use resolve::{Candidate, EngineModel, Meaning, Names, ProviderNames, Target, resolve};
pub use standing::{CircuitRefusal, Standing};
pub use text::{CandidateText, EngineChoice};
