//! What `--key` and `--signer` make of the policy, for this once.

use stack_seal::key::PublicKey;
use stack_trust::policy::{Enforcement, Identity, Policy, Rule, Sealing};

use crate::error::{CommandError, Kind};

/// Trusts these keys for everything, and nobody else. What was revoked stays revoked.
pub(super) fn trust_only(policy: &mut Policy, keys: &[PublicKey]) {
    policy.identities =
        keys.iter().map(|key| Identity { name: key.to_string(), keys: vec![key.clone()] }).collect();
    policy.rules = vec![Rule {
        pattern: "**".parse().expect("two stars are a pattern"),
        level: Enforcement::Strict,
        signers: keys.iter().map(ToString::to_string).collect(),
        threshold: keys.len() as u32,
        tiers: None,
        formats: None,
        sealed: Sealing::Allowed,
        template: None,
        max_age_days: None,
    }];
}

/// Lets only these identities count, where the rules let them count.
pub(super) fn count_only(policy: &mut Policy, signers: &[String]) -> Result<(), CommandError> {
    if signers.is_empty() {
        return Ok(());
    }
    let known = |name: &String| policy.identities.iter().any(|identity| identity.name == *name);
    if let Some(stranger) = signers.iter().find(|name| !known(name)) {
        return Err(CommandError::new(Kind::Missing, format!("no identity is called {stranger}"))
            .reason("no-key")
            .hint("`stack trust list` shows who is"));
    }
    for rule in &mut policy.rules {
        rule.signers.retain(|signer| signers.contains(signer));
    }
    Ok(())
}
