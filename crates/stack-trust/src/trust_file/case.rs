//! What is asked of the policy about a target.

use stack_seal::bundle::Signed;
use stack_seal::statement::{Statement, Tier};
use stack_seal::time::UnixTime;

use crate::policy::{Case, Enforcement, TrustState, Verdict, judge};
use crate::target::{ModelFacts, Target};
use crate::trust_file::Trust;

/// What is known about a target beyond its signatures, and how strictly it is judged.
#[derive(Clone, Copy, Debug)]
pub struct TargetCase<'a> {
    /// What its header says, if it was looked at.
    pub facts: Option<&'a ModelFacts>,
    /// Whether it lies encrypted.
    pub sealed: bool,
    /// Under which tier it is about to answer, if it is.
    pub tier: Option<Tier>,
    /// The level to keep instead of the rule's.
    pub level: Option<Enforcement>,
    /// What the clock says.
    pub now: UnixTime,
}

impl Trust {
    /// Asks the policy about a target that has these signatures.
    pub fn judge(&self, target: &Target, signatures: &[Signed<Statement>], case: &TargetCase<'_>) -> Verdict {
        let name = target.policy_name();
        // A path is in nobody's hands, so that the signed name may find the rule, too.
        let claimed = signatures.iter().filter_map(|signed| signed.payload().claim());
        let claimed = claimed.map(|claim| &claim.name).find(|_| target.path().is_some());
        let names: Vec<&str> = [Some(&name), claimed].into_iter().flatten().map(String::as_str).collect();
        let judged = Case {
            names: &names,
            signatures,
            format: case.facts.map(ModelFacts::format_name),
            template: ModelFacts::judged_template(case.facts),
            sealed: case.sealed,
            tier: case.tier,
            level: case.level,
        };
        let Self { policy, marks, revocations } = self;
        judge(policy, &judged, &TrustState { now: case.now, marks, revocations })
    }
}
