//! `trust.toml` as a policy.

use std::error::Error;
use std::fmt::{self, Display};
use std::str::FromStr;

use serde::Deserialize;
use stack_seal::digest::{Digest, Root};
use stack_seal::key::PublicKey;
use stack_seal::revocation::Revoked;
use stack_seal::statement::Tier;

use crate::policy::{Enforcement, Identity, Policy, Revocation, Rule, Sealing};

/// What is wrong with a `trust.toml`.
#[derive(Clone, Debug)]
pub struct BadTrustFile(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    level: Option<String>,
    #[serde(default)]
    identity: Vec<WireIdentity>,
    #[serde(default)]
    rule: Vec<WireRule>,
    #[serde(default)]
    revoked: Vec<WireRevoked>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireIdentity {
    name: String,
    keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRule {
    r#match: String,
    level: Option<String>,
    #[serde(default)]
    signers: Vec<String>,
    threshold: Option<u32>,
    tiers: Option<Vec<String>>,
    formats: Option<Vec<String>>,
    sealed: Option<String>,
    template: Option<String>,
    max_age_days: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRevoked {
    key: Option<String>,
    root: Option<String>,
    since: Option<String>,
    reason: Option<String>,
}

/// Reads the text of a `trust.toml`.
///
/// # Errors
///
/// Says what is wrong: unknown keys, weak keys and names that nobody has are errors.
pub fn parse_policy(text: &str) -> Result<Policy, BadTrustFile> {
    let wire: Wire = toml::from_str(text).map_err(|error| BadTrustFile(error.to_string()))?;
    let policy = Policy {
        level: wire.level.map_or(Ok(Enforcement::default()), |name| level(&name))?,
        identities: wire.identity.iter().map(identity).collect::<Result<_, _>>()?,
        rules: wire.rule.into_iter().map(rule).collect::<Result<_, _>>()?,
        revoked: wire.revoked.into_iter().map(revoked).collect::<Result<_, _>>()?,
    };
    check(&policy)?;
    Ok(policy)
}

/// Checks what holds across entries.
fn check(policy: &Policy) -> Result<(), BadTrustFile> {
    for (index, identity) in policy.identities.iter().enumerate() {
        let earlier = &policy.identities[..index];
        if earlier.iter().any(|other| other.name == identity.name) {
            return fail(format!("the identity {} is listed twice", identity.name));
        }
        // Identities are counted, so that one key must not count for two.
        if let Some(key) =
            identity.keys.iter().find(|key| earlier.iter().any(|other| other.keys.contains(key)))
        {
            return fail(format!("the key {key} belongs to two identities"));
        }
    }
    for rule in &policy.rules {
        let known = |name: &String| policy.identities.iter().any(|one| one.name == *name);
        if let Some(stranger) = rule.signers.iter().find(|name| !known(name)) {
            return fail(format!("the rule for {} names the unknown identity {stranger}", rule.pattern));
        }
    }
    Ok(())
}

fn identity(wire: &WireIdentity) -> Result<Identity, BadTrustFile> {
    let key = |text: &String| field::<PublicKey>(&format!("a key of {}", wire.name), text);
    Ok(Identity { name: wire.name.clone(), keys: wire.keys.iter().map(key).collect::<Result<_, _>>()? })
}

fn rule(wire: WireRule) -> Result<Rule, BadTrustFile> {
    let within = |error: BadTrustFile| BadTrustFile(format!("the rule for {}: {}", wire.r#match, error.0));
    let tier = |name: &String| Tier::from_name(name).ok_or_else(|| unknown("tier", name));
    let sealing = |name: &String| Sealing::from_name(name).ok_or_else(|| unknown("`sealed`", name));
    let threshold = wire.threshold.unwrap_or(1);
    if threshold == 0 {
        return Err(within(BadTrustFile("the threshold is zero".to_owned())));
    }
    Ok(Rule {
        pattern: field("match", &wire.r#match)?,
        level: wire.level.as_ref().map_or(Ok(Enforcement::Strict), |name| level(name)).map_err(within)?,
        threshold,
        tiers: wire.tiers.map(|tiers| tiers.iter().map(tier).collect()).transpose().map_err(within)?,
        sealed: wire.sealed.as_ref().map_or(Ok(Sealing::Allowed), sealing).map_err(within)?,
        template: wire.template.as_ref().map(|text| blake3(text)).transpose().map_err(within)?,
        signers: wire.signers,
        formats: wire.formats,
        max_age_days: wire.max_age_days,
    })
}

fn revoked(wire: WireRevoked) -> Result<Revocation, BadTrustFile> {
    let what = match (&wire.key, &wire.root) {
        (Some(key), None) => Revoked::Key(field("a revoked key", key)?),
        (None, Some(root)) => Revoked::Root(field("a revoked root", root)?),
        _ => return fail("a revocation names either a key or a root"),
    };
    let since = wire.since.as_ref().map(|time| field("since", time)).transpose()?;
    Ok(Revocation { what, since, reason: wire.reason })
}

fn level(name: &str) -> Result<Enforcement, BadTrustFile> {
    Enforcement::from_name(name).ok_or_else(|| unknown("level", name))
}

fn blake3(text: &str) -> Result<Root, BadTrustFile> {
    let digest: Digest = field("template", text)?;
    Root::try_from(digest).map_err(|error| BadTrustFile(format!("template: {error}")))
}

fn field<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, BadTrustFile> {
    text.parse().map_err(|error| BadTrustFile(format!("{name}: {error}")))
}

fn unknown(what: &str, name: &str) -> BadTrustFile {
    BadTrustFile(format!("{name:?} is not a {what}"))
}

fn fail<T>(what: impl Into<String>) -> Result<T, BadTrustFile> {
    Err(BadTrustFile(what.into()))
}

impl BadTrustFile {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl Display for BadTrustFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.trim_end())
    }
}

impl Error for BadTrustFile {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file_is_read() {
        let text = FULL.replace("KEY", KEY);
        let policy = parse_policy(&text).unwrap();
        assert_eq!(policy.level, Enforcement::Audit);
        assert_eq!(policy.identities[0].keys[0].to_string(), KEY);
        let rule = policy.rule("registry.lan/med/x:y").unwrap();
        assert_eq!((rule.level, rule.threshold, rule.sealed), (Enforcement::Strict, 1, Sealing::Required));
        assert_eq!(rule.tiers, Some(vec![Tier::Sovereign]));
        assert_eq!(policy.revoked[0].reason.as_deref(), Some("lost"));
        assert_eq!(parse_policy("").unwrap(), Policy::default());
        assert_eq!(parse_policy("[[rule]]\nmatch = \"**\"").unwrap().rules[0].level, Enforcement::Strict);
    }

    #[test]
    fn what_does_not_make_sense_is_named() {
        let text = FULL.replace("KEY", KEY);
        for (old, new, complaint) in [
            ("level = \"audit\"", "level = \"loud\"", "\"loud\" is not a level"),
            ("level = \"audit\"", "levle = \"audit\"", "levle"),
            ("signers = [\"alice\"", "signers = [\"alcie\"", "alcie"),
            ("threshold = 1", "threshold = 0", "threshold is zero"),
            ("threshold = 1", "treshold = 1", "treshold"),
            ("[\"sovereign\"]", "[\"sovereing\"]", "sovereing"),
            ("sealed = \"required\"", "sealed = true", "sealed"),
            ("match = \"registry.lan/med/**\"", "match = \"a b\"", "pattern"),
            ("reason = \"lost\"", "key = \"x\"", "either a key or a root"),
            (KEY, "ed25519:0100000000000000000000000000000000000000000000000000000000000000", "weak"),
        ] {
            assert!(text.contains(old), "{old}");
            let error = parse_policy(&text.replacen(old, new, 1)).unwrap_err().to_string();
            assert!(error.contains(complaint), "{new}: {error}");
        }
        let twice = format!("{text}\n[[identity]]\nname = \"bob\"\nkeys = [\"{KEY}\"]");
        assert!(parse_policy(&twice).unwrap_err().to_string().contains("two identities"));
    }

    const KEY: &str = "ed25519:19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";

    const FULL: &str = r#"
level = "audit"
[[identity]]
name = "alice"
keys = ["KEY"]
[[rule]]
match = "registry.lan/med/**"
level = "strict"
signers = ["alice"]
threshold = 1
tiers = ["sovereign"]
formats = ["gguf"]
sealed = "required"
template = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
max_age_days = 400
[[revoked]]
root = "sha256:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
since = "2026-09-21T14:13:20Z"
reason = "lost"
"#;
}
