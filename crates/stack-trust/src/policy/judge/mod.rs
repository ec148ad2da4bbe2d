//! Holds signatures against a policy.

mod ballot;
mod revoked;
#[cfg(test)]
mod tests;

use ballot::Ballot;
use stack_registry::name::Name;
use stack_seal::bundle::Signed;
use stack_seal::digest::{Digest, Root};
use stack_seal::key::PublicKey;
use stack_seal::revocation::Revocation;
use stack_seal::statement::{Claim, Statement, Tier};
use stack_seal::time::UnixTime;

use super::{Check, Enforcement, Outcome, Policy, Reason, RollbackMarks, Rule, Sealing, Step, Verdict};

/// A model, and what is known about it.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// What it is called. The first of these names that a rule matches finds the rule; what was signed must be signed
    /// for one of them.
    pub names: &'a [&'a str],
    /// Signatures over statements that the model's bytes match, or are about to be matched with.
    pub signatures: &'a [Signed<Statement>],
    /// What its files are.
    pub format: Option<&'a str>,
    /// Its chat template.
    pub template: Template,
    /// Whether it lies encrypted.
    pub sealed: bool,
    /// Under which tier it is about to answer, if it is.
    pub tier: Option<Tier>,
    /// The level to keep instead of the rule's.
    pub level: Option<Enforcement>,
}

/// What is known about a chat template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// Nobody looked, so nothing is checked.
    Unknown,
    /// The model has none.
    Nothing,
    /// The digest of its bytes.
    Digest(Root),
}

/// What time it is, and what is remembered until then.
#[derive(Clone, Copy, Debug)]
pub struct TrustState<'a> {
    /// What the clock says.
    pub now: UnixTime,
    /// What was accepted before.
    pub marks: &'a RollbackMarks,
    /// Revocations that came along, signed by somebody.
    pub revocations: &'a [Signed<Revocation>],
}

/// Answers whether the policy lets this model pass, and why not.
///
/// The level decides which failed checks refuse it and which are only recorded; under [`Enforcement::Skip`], none refuses.
pub fn judge(policy: &Policy, case: &Case<'_>, state: &TrustState<'_>) -> Verdict {
    let rule = case.names.iter().find_map(|name| policy.rule(name));
    let level = case.level.unwrap_or(rule.map_or(policy.level, |rule| rule.level));
    let revoked = revoked::Revoked::new(policy, rule, state.revocations);
    let ballot = Ballot::count(policy, rule, case, &revoked);
    let trial = Trial { case, state, rule, revoked, ballot };
    let checks = trial.checks().map(|(step, finding)| match finding {
        Ok(detail) => Check { step, outcome: Outcome::Passed, detail },
        Err((reason, detail)) if level >= refused_from(reason) => {
            Check { step, outcome: Outcome::Refused(reason), detail }
        }
        Err((reason, detail)) => Check { step, outcome: Outcome::Recorded(reason), detail },
    });
    Verdict {
        level,
        rule: rule.map(|rule| rule.pattern.clone()),
        checks: checks.collect(),
        needed: trial.needed(),
        statement: trial.ballot.statement,
        identities: trial.ballot.identities,
        keys: trial.ballot.keys,
    }
}

/// What a check found: a phrase, or the reason why it does not hold and a phrase.
type Finding = Result<String, (Reason, String)>;

struct Trial<'a> {
    case: &'a Case<'a>,
    state: &'a TrustState<'a>,
    rule: Option<&'a Rule>,
    revoked: revoked::Revoked<'a>,
    ballot: Ballot,
}

impl Trial<'_> {
    /// Makes the checks in their order. Without a statement there is nothing to ask about its signer and its times.
    fn checks(&self) -> impl Iterator<Item = (Step, Finding)> {
        let about_the_statement = if self.signed() {
            vec![
                (Step::Signer, self.signer()),
                (Step::Revocation, self.revocation()),
                (Step::Threshold, self.threshold()),
                (Step::Expiry, self.expiry()),
                (Step::Serial, self.serial()),
            ]
        } else {
            vec![(Step::Revocation, self.revocation())]
        };
        let first = [(Step::Signature, self.signature())];
        let about_the_model = [
            (Step::Tier, self.tier()),
            (Step::Format, self.format()),
            (Step::Template, self.template()),
            (Step::Sealing, self.sealing()),
        ];
        first.into_iter().chain(about_the_statement).chain(about_the_model)
    }

    fn signature(&self) -> Finding {
        if self.signed() {
            let keys = self.ballot.signed_by.iter().map(short).collect::<Vec<_>>();
            return Ok(keys.join(", "));
        }
        Err((Reason::NoSignature, "nobody has signed it".to_owned()))
    }

    fn signer(&self) -> Finding {
        let ballot = &self.ballot;
        if !ballot.identities.is_empty() {
            // Whoever serves models must not serve one that was signed under the name of another.
            return match self.claim().map(|claim| claim.name.as_str()) {
                Some(name) if !self.is_called(name) => {
                    Err((Reason::WrongName, format!("it was signed as {name}")))
                }
                _ => Ok(ballot.identities.join(", ")),
            };
        }
        // A revoked signer is known, and the next check is about that.
        if let Some((identity, _)) = ballot.dropped.first() {
            return Ok(identity.clone());
        }
        let keys = ballot.signed_by.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let detail = match self.rule {
            Some(rule) => format!("{keys} is not trusted for {}", rule.pattern),
            None => format!("{keys} is not trusted: no rule covers {}", self.case.names.join(" or ")),
        };
        Err((Reason::UnknownSigner, detail))
    }

    fn revocation(&self) -> Finding {
        let signed = self.statement().into_iter().flat_map(|statement| {
            let roots = statement.files().iter().filter_map(|file| file.blake3).map(Digest::from);
            roots.chain([statement.root()])
        });
        for digest in signed {
            if let Some(why) = self.revoked.root(&digest, self.issued()) {
                return Err((Reason::Revoked, format!("{digest} was revoked{why}")));
            }
        }
        match self.ballot.dropped.first() {
            Some((identity, why)) if self.missing() > 0 => {
                Err((Reason::Revoked, format!("the key of {identity} was revoked{why}")))
            }
            _ => Ok("nothing was revoked".to_owned()),
        }
    }

    fn threshold(&self) -> Finding {
        let count = format!("{} of {}", self.ballot.identities.len(), self.needed());
        if self.missing() == 0 { Ok(count) } else { Err((Reason::BelowThreshold, count)) }
    }

    fn expiry(&self) -> Finding {
        let Some(claim) = self.claim() else {
            return match self.rule.and_then(|rule| rule.max_age_days) {
                Some(_) if self.signed() => {
                    Err((Reason::Expired, "the statement does not say how old it is".to_owned()))
                }
                _ => Ok("the statement does not expire".to_owned()),
            };
        };
        let now = self.state.marks.not_before(self.state.now);
        let told =
            if now == self.state.now { format!("it is {now}") } else { format!("it was {now} before") };
        if claim.issued > now.plus(AHEAD_SECONDS_MAX) {
            return Err((Reason::NotYetValid, format!("issued at {}, and {told}", claim.issued)));
        }
        if let Some(days) = self.rule.and_then(|rule| rule.max_age_days)
            && now > claim.issued.plus(u64::from(days) * DAY_SECONDS)
        {
            let detail = format!("issued at {}, more than {days} days ago: {told}", claim.issued);
            return Err((Reason::Expired, detail));
        }
        match claim.expires {
            Some(expires) if now >= expires => {
                Err((Reason::Expired, format!("expired at {expires}, and {told}")))
            }
            Some(expires) => Ok(format!("until {expires}")),
            None => Ok("the statement does not expire".to_owned()),
        }
    }

    fn serial(&self) -> Finding {
        let Some(claim) = self.claim() else { return Ok("the statement has no serial".to_owned()) };
        for key in &self.ballot.keys {
            if let Some(mark) = self.state.marks.serial(key, &claim.name)
                && claim.serial < mark
            {
                let detail = format!("serial {} comes after {mark}, which was accepted before", claim.serial);
                return Err((Reason::RolledBack, detail));
            }
        }
        // A serial from far ahead would outrank all later ones. Serials are times unless the signer counts himself.
        let now = self.state.marks.not_before(self.state.now);
        if claim.serial > now.plus(AHEAD_SECONDS_MAX).seconds() {
            return Err((Reason::NotYetValid, format!("serial {} is too far ahead of {now}", claim.serial)));
        }
        Ok(claim.serial.to_string())
    }

    fn tier(&self) -> Finding {
        if let (Some(tier), Some(tiers)) = (self.case.tier, self.rule.and_then(|rule| rule.tiers.as_ref()))
            && !tiers.contains(&tier)
        {
            return Err((Reason::TierForbids, format!("it may not answer under tier {}", tier.name())));
        }
        Ok(self.claim().map_or_else(|| "not stated".to_owned(), |claim| claim.tier.name().to_owned()))
    }

    fn format(&self) -> Finding {
        let format = self.case.format.or(self.claim().map(|claim| claim.format.as_str()));
        let allowed = self.rule.and_then(|rule| rule.formats.as_ref());
        match (format, allowed) {
            (Some(format), Some(allowed)) if !allowed.iter().any(|one| one == format) => {
                Err((Reason::FormatForbids, format!("{format} is not among {}", allowed.join(", "))))
            }
            (None, Some(_)) => Err((Reason::FormatForbids, "the format is not known".to_owned())),
            (Some(format), _) => Ok(format.to_owned()),
            (None, None) => Ok("not stated".to_owned()),
        }
    }

    fn template(&self) -> Finding {
        let pinned = self.rule.and_then(|rule| rule.template).map(|root| ("pinned", Some(root)));
        let signed = self.claim().map(|claim| ("signed", claim.template));
        let spell = |root: Option<Root>| root.map_or("none".to_owned(), |root| root.to_string());
        let found = match self.case.template {
            Template::Digest(root) => Some(root),
            Template::Nothing => None,
            Template::Unknown => return Ok("not looked at".to_owned()),
        };
        for (how, expected) in [signed, pinned].into_iter().flatten() {
            if found != expected {
                let detail = format!("it is {}, and {} was {how}", spell(found), spell(expected));
                return Err((Reason::TemplateChanged, detail));
            }
        }
        Ok(spell(found))
    }

    fn sealing(&self) -> Finding {
        let sealed = self.case.sealed;
        match self.rule.map_or(Sealing::Allowed, |rule| rule.sealed) {
            Sealing::Required if !sealed => {
                Err((Reason::SealingForbids, "it is not encrypted, and must be".to_owned()))
            }
            Sealing::Refused if sealed => {
                Err((Reason::SealingForbids, "it is encrypted, and must not be".to_owned()))
            }
            _ => Ok(if sealed { "encrypted" } else { "not encrypted" }.to_owned()),
        }
    }

    /// How many identities must have signed.
    fn needed(&self) -> u32 {
        let rule = self.rule.map_or(1, |rule| rule.threshold.max(1));
        self.claim().map_or(rule, |claim| claim.quorum.max(rule))
    }

    /// Whether the model has this name, with or without `:latest`.
    fn is_called(&self, signed: &str) -> bool {
        let whole = |name: &str| Name::parse(name).map_or_else(|_| name.to_owned(), |name| name.to_string());
        self.case.names.iter().any(|name| whole(name) == whole(signed))
    }

    fn missing(&self) -> usize {
        (self.needed() as usize).saturating_sub(self.ballot.identities.len())
    }

    fn signed(&self) -> bool {
        self.ballot.statement.is_some()
    }

    fn statement(&self) -> Option<&Statement> {
        self.ballot.statement.map(|index| self.case.signatures[index].payload())
    }

    fn claim(&self) -> Option<&Claim> {
        self.statement().and_then(Statement::claim)
    }

    fn issued(&self) -> Option<UnixTime> {
        self.claim().map(|claim| claim.issued)
    }
}

/// The lowest level that refuses a model for a reason.
fn refused_from(reason: Reason) -> Enforcement {
    match reason {
        Reason::Revoked => Enforcement::Audit,
        Reason::Expired | Reason::TemplateChanged => Enforcement::Strict,
        Reason::NoSignature
        | Reason::UnknownSigner
        | Reason::WrongName
        | Reason::BelowThreshold
        | Reason::NotYetValid
        | Reason::RolledBack
        | Reason::TierForbids
        | Reason::FormatForbids
        | Reason::SealingForbids => Enforcement::Permissive,
    }
}

/// The two ends of a key, for a line of text; never an id.
fn short(key: &PublicKey) -> String {
    let text = key.to_string();
    let (head, tail) = (text.find(':').map_or(0, |colon| colon + 5), text.len() - 4);
    format!("{}…{}", &text[..head], &text[tail..])
}

const DAY_SECONDS: u64 = 24 * 60 * 60;
/// Clocks of signers may be this far ahead of ours.
const AHEAD_SECONDS_MAX: u64 = DAY_SECONDS;
