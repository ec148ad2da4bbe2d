//! Text for a purpose: what it must be, the prompt for it, and the rules that it is checked by.

mod budget;
mod emit;
mod judge;
mod kind;
mod run;
mod source;
mod validate;

pub use budget::{Budget, OverBudget};
pub use emit::{Brief, Length, emit};
pub use judge::{Verdict, judge};
pub use kind::{Kind, Measure};
pub use run::{Manuscript, REPAIRS_MAX, run};
pub use source::{SourceError, Sources};
pub use validate::{PASS_SCORE, Report, Rule, Severity, Violation, validate};
