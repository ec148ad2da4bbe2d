//! `stack trust add`.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, value_parser};
use serde_json::{Value, json};
use stack_trust::identity;
use stack_trust::policy::{Enforcement, Pattern};
use stack_trust::trust_file::{RuleRequest, TrustFolder};

use super::list;
use crate::audit::{Act, ActKind};
use crate::error::{CommandError, Kind};
use crate::options::CommonArguments;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Name of the identity, for example alice@hospital
    name: String,
    /// Its public key, or a file with it; optional for a known identity
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// Names its signatures count for, for example `registry.lan/med/**`
    #[arg(long = "for", value_name = "PATTERN")]
    pattern: Option<Pattern>,
    /// Trust level of the rule
    #[arg(long, value_name = "LEVEL", value_parser = levels(), requires = "pattern")]
    level: Option<Enforcement>,
    /// Number of signers required
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=16), requires = "pattern")]
    threshold: Option<u32>,
    #[command(flatten)]
    pub(super) common: CommonArguments,
}

/// Changes `trust.toml`.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let home = arguments.common.home()?;
    let folder = TrustFolder::new(&home);
    let keys = arguments.key.iter().map(|text| identity::public_key(&home, text));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let before = folder.policy()?;
    if keys.is_empty() && !before.identities.iter().any(|identity| identity.name == arguments.name) {
        let message = format!("no identity is called {}", arguments.name);
        return Err(CommandError::new(Kind::Missing, message)
            .reason("no-key")
            .hint("give a new identity's key with --key KEY"));
    }
    let mut document = folder.document()?;
    document.add_keys(&arguments.name, &keys);
    if let Some(pattern) = &arguments.pattern {
        let (level, threshold) = (arguments.level, arguments.threshold);
        let signer = &arguments.name;
        document.add_rule(&RuleRequest { pattern: pattern.as_str(), signer, level, threshold });
        let first = before.rule(pattern.as_str()).filter(|rule| rule.pattern != *pattern);
        if let Some(first) = first {
            let line = format!(
                "note: the rule for {} comes first and covers all or part of {pattern}",
                first.pattern
            );
            arguments.common.stderr(line);
        }
    }
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let about = json!({
        "added": arguments.name,
        "public_keys": keys,
        "for": arguments.pattern.as_ref().map(Pattern::as_str),
        "level": arguments.level.map(Enforcement::name),
        "threshold": arguments.threshold,
    });
    let log = arguments.common.audit()?;
    let policy =
        log.record(Act::new(ActKind::TRUST, about), || Ok((folder.write(&document)?, Value::Null)))?;
    if let Some(file) = folder.file() {
        arguments.common.stderr(format!("wrote {}", file.display()));
    }
    list::print(&policy, arguments.common.json)
}

fn levels() -> impl TypedValueParser<Value = Enforcement> {
    let names = PossibleValuesParser::new(Enforcement::ALL.map(Enforcement::name));
    names.map(|name| Enforcement::from_name(&name).expect("only names of levels are possible"))
}
