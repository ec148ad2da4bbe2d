//! What is asked of the policy about a target.

use stack_registry::trust::{Case, Level, Moment, Verdict, judge};
use stack_seal::bundle::Signed;
use stack_seal::statement::Statement;

use super::Trust;
use crate::privacy::Tier;
use crate::process::machine;
use crate::signing::{ModelFacts, Target};

/// What is known about a target beyond its signatures, and how strictly it is judged.
pub(crate) struct Question<'a> {
    /// What its header says, if it was looked at.
    pub(crate) facts: Option<&'a ModelFacts>,
    /// Whether it lies encrypted.
    pub(crate) sealed: bool,
    /// Under which tier it is about to answer, if it is.
    pub(crate) tier: Option<Tier>,
    /// The level to keep instead of the rule's.
    pub(crate) level: Option<Level>,
}

impl Trust {
    /// Asks the policy about a target that has these signatures.
    pub(crate) fn judge(
        &self,
        target: &Target,
        signatures: &[Signed<Statement>],
        question: &Question<'_>,
    ) -> Verdict {
        let name = target.policy_name();
        // A path is in nobody's hands, so that the signed name may find the rule, too.
        let claimed = signatures.iter().filter_map(|signed| signed.payload().claim());
        let claimed = claimed.map(|claim| &claim.name).find(|_| target.path().is_some());
        let names: Vec<&str> = [Some(&name), claimed].into_iter().flatten().map(String::as_str).collect();
        let case = Case {
            names: &names,
            signatures,
            in_catalog: false,
            digests: &[],
            format: question.facts.map(|facts| facts.format),
            template: ModelFacts::judged_template(question.facts),
            sealed: question.sealed,
            tier: question.tier,
            reach: None,
            level: question.level,
        };
        let Self { policy, marks, revocations } = self;
        judge(policy, &case, &Moment { now: machine::now(), marks, revocations })
    }
}
