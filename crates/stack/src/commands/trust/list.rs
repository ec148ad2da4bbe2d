//! `stack trust list`.

use clap::Args;
use serde_json::{Value, json};
use stack_seal::revocation::Revoked;
use stack_seal::statement::Tier;
use stack_trust::policy::{Identity, Policy, Revocation, Rule};
use stack_trust::trust_file::TrustFolder;

use crate::error::CommandError;
use crate::options::CommonArguments;
use crate::terminal::output::{Data, sanitize};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) common: CommonArguments,
}

/// Prints what `trust.toml` says.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let folder = TrustFolder::new(&arguments.common.home()?);
    print(&folder.policy()?, arguments.common.json)
}

/// Prints a policy.
pub(super) fn print(policy: &Policy, as_json: bool) -> Result<(), CommandError> {
    let mut data = Data::new();
    if as_json {
        return data.json(&json!({
            "level": policy.level.name(),
            "identities": policy.identities.iter().map(identity).collect::<Vec<_>>(),
            "rules": policy.rules.iter().map(rule).collect::<Vec<_>>(),
            "revoked": policy.revoked.iter().map(revoked).collect::<Vec<_>>(),
        }));
    }
    let mut lines = Vec::new();
    for identity in &policy.identities {
        lines.push(format!("identity {}", identity.name));
        lines.extend(identity.keys.iter().map(|key| format!("  {key}")));
    }
    for rule in &policy.rules {
        let signers = if rule.signers.is_empty() { "nobody".to_owned() } else { rule.signers.join(", ") };
        lines.push(format!("rule     {}", rule.pattern));
        lines.push(format!("  {}, {} of {signers}", rule.level.name(), rule.threshold));
        let tiers = rule.tiers.as_ref().map(|tiers| format!("  tiers {}", names(tiers).join(", ")));
        let formats = rule.formats.as_ref().map(|formats| format!("  formats {}", formats.join(", ")));
        let template = rule.template.map(|root| format!("  template {root}"));
        let age = rule.max_age_days.map(|days| format!("  at most {days} days old"));
        lines.extend([tiers, formats, template, age].into_iter().flatten());
        lines.push(format!("  encryption {}", rule.sealed.name()));
    }
    for entry in &policy.revoked {
        let since = entry.since.map(|time| format!(" since {time}")).unwrap_or_default();
        let reason = entry.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        lines.push(format!("revoked  {}{since}{reason}", what(entry)));
    }
    lines.push(format!("level    {} for all other names", policy.level.name()));
    lines.iter().try_for_each(|line| data.line(&sanitize(line)))
}

fn identity(identity: &Identity) -> Value {
    json!({
        "name": identity.name,
        "keys": identity.keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn rule(rule: &Rule) -> Value {
    json!({
        "match": rule.pattern.as_str(),
        "level": rule.level.name(),
        "signers": rule.signers,
        "threshold": rule.threshold,
        "tiers": rule.tiers.as_ref().map(|tiers| names(tiers)),
        "formats": rule.formats,
        "sealed": rule.sealed.name(),
        "template": rule.template.map(|root| root.to_string()),
        "max_age_days": rule.max_age_days,
    })
}

fn revoked(entry: &Revocation) -> Value {
    json!({"what": what(entry), "since": entry.since.map(|time| time.to_string()), "reason": entry.reason})
}

fn what(entry: &Revocation) -> String {
    match &entry.what {
        Revoked::Key(key) => key.to_string(),
        Revoked::Root(root) => root.to_string(),
    }
}

fn names(tiers: &[Tier]) -> Vec<&'static str> {
    tiers.iter().map(|tier| tier.name()).collect()
}
