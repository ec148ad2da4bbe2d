//! The statement that is signed, and how it is shown.

use stack_seal::key::PublicKey;
use stack_seal::statement::{Claim, Parent, Relation, Statement};
use stack_trust::home::Home;
use stack_trust::identity;
use stack_trust::statement::{BadParent, ParentReference, ignored_names, sign_files};
use stack_trust::target::{HasherOptions, Target};
use stack_trust::trust_file::TrustFolder;

use super::Arguments;
use crate::error::{CommandError, Kind};
use crate::models::facts;
use crate::process::machine;
use crate::terminal::units;

/// How long a statement counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// So many seconds.
    Seconds(u64),
    /// Until it is replaced.
    Endless,
}

/// Reads `400d`, `12h`, `90m` or `never`.
pub(super) fn lifetime(text: &str) -> Result<Lifetime, String> {
    if text == "never" {
        return Ok(Lifetime::Endless);
    }
    let seconds = units::parse_duration(text).ok().map(|time| time.as_secs());
    match seconds.filter(|&seconds| seconds <= LIFETIME_SECONDS_MAX) {
        Some(seconds) => Ok(Lifetime::Seconds(seconds)),
        None => Err("expected a duration such as 400d, 12h or 90m, or `never`".to_owned()),
    }
}

/// Hashes the files and makes the statement.
pub(super) fn make(
    arguments: &Arguments,
    home: &Home,
    target: &Target,
    key: &PublicKey,
    hashing: &HasherOptions<'_>,
) -> Result<Statement, CommandError> {
    let ignored = ignored_names(target);
    let issued = machine::now();
    let mut signers = vec![key.clone()];
    for text in &arguments.also {
        signers.push(other_signer(home, text)?);
    }
    let facts = facts::look(target).ok_or_else(|| {
        CommandError::new(Kind::Closed, "the model is sealed, but a signature covers the plain bytes")
            .reason("no-identity")
            .hint("sign it before sealing, or sign the output of `stack decrypt`")
    })?;
    let claim = Claim {
        name: arguments.name.clone().unwrap_or_else(|| target.claim_name()),
        serial: arguments.serial.unwrap_or_else(|| issued.seconds()),
        issued,
        expires: match arguments.expires {
            Lifetime::Seconds(seconds) => Some(issued.plus(seconds)),
            Lifetime::Endless => None,
        },
        quorum: signers.len() as u32,
        signers,
        tier: arguments.tier,
        format: facts.format_name().to_owned(),
        template: facts.template,
        origin: arguments.origin.clone(),
        license: arguments.license.clone(),
        recipe: arguments.recipe.clone(),
        parents: parents(home, &arguments.parent)?,
        sealed: Vec::new(),
    };
    let mut files = sign_files(target, &ignored, hashing)?;
    let statement = match (target, files.pop()) {
        (Target::File(_), Some(file)) if files.is_empty() => {
            Statement::about_file(target.title(), file, claim)
        }
        (_, last) => {
            files.extend(last);
            Statement::new(target.title(), files, ignored, Some(claim))
        }
    };
    Ok(statement?)
}

/// What is shown before it is signed.
pub(super) fn describe(statement: &Statement) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |what: &str, text: String| lines.push(format!("{what:<10}{text}"));
    line("model", format!("{}, root {}", statement.model(), statement.root()));
    for file in statement.files() {
        line("file", format!("{}, {}", file.name, units::bytes(file.size.unwrap_or_default())));
    }
    if let Some(claim) = statement.claim() {
        let end = claim.expires.map_or("it is replaced".to_owned(), |time| time.to_string());
        line("name", format!("{}, serial {}", claim.name, claim.serial));
        line("time", format!("from {} until {end}", claim.issued));
        line("tier", claim.tier.name().to_owned());
        line("format", claim.format.clone());
        line("template", claim.template.map_or("none".to_owned(), |root| root.to_string()));
        for (what, text) in
            [("origin", &claim.origin), ("license", &claim.license), ("recipe", &claim.recipe)]
        {
            if let Some(text) = text {
                line(what, text.clone());
            }
        }
        for parent in &claim.parents {
            line("parent", format!("{} {}, root {}", parent.relation.name(), parent.name, parent.root));
        }
        for signer in &claim.signers {
            line("signer", signer.to_string());
        }
        line("needed", format!("{} of {}", claim.quorum, claim.signers.len()));
    }
    lines
}

/// Finds the key of somebody else who is to sign: an identity that is trusted here, or a key.
fn other_signer(home: &Home, text: &str) -> Result<PublicKey, CommandError> {
    let policy = TrustFolder::new(home).policy()?;
    match policy.identities.iter().find(|identity| identity.name == text).map(|one| one.keys.as_slice()) {
        Some([key]) => Ok(key.clone()),
        Some(keys) => {
            let message = format!("the identity {text} has {} keys", keys.len());
            Err(CommandError::new(Kind::Usage, message).hint("choose the key with --also KEY"))
        }
        None => Ok(identity::public_key(home, text)?),
    }
}

/// Finds parents in the store, with the roots that were signed for them.
fn parents(home: &Home, texts: &[String]) -> Result<Vec<Parent>, CommandError> {
    let parse = |text: &String| ParentReference::parse(text).map_err(|error| not_a_parent(text, &error));
    let references = texts.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let store = if references.is_empty() { None } else { home.existing_store()? };
    Ok(references.iter().map(|reference| reference.find(store.as_ref())).collect::<Result<_, _>>()?)
}

fn not_a_parent(text: &str, error: &BadParent) -> CommandError {
    let hint = match error {
        BadParent::Malformed => "write RELATION=NAME, as in quantized=qwen3-4b".to_owned(),
        BadParent::Relation => {
            format!("known relations: {}", Relation::ALL.map(Relation::name).join(", "))
        }
        BadParent::Name(error) => error.to_string(),
    };
    CommandError::new(Kind::Usage, format!("{text:?} is not a parent")).reason("bad-name").hint(hint)
}

/// A statement that is to count for longer is one that does not expire.
const LIFETIME_SECONDS_MAX: u64 = u32::MAX as u64 * 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use stack_seal::time::UnixTime;

    use super::*;

    #[test]
    fn lifetimes_have_units() {
        assert_eq!(lifetime("400d"), Ok(Lifetime::Seconds(34_560_000)));
        assert_eq!(lifetime("0s"), Ok(Lifetime::Seconds(0)));
        assert_eq!(lifetime("never"), Ok(Lifetime::Endless));
        for wrong in ["", "d", "12", "-1d", "1.5h", "1y", "99999999999d", "é"] {
            assert!(lifetime(wrong).is_err(), "{wrong}");
        }
        let end = UnixTime::from_seconds(0).plus(34_560_000).to_string();
        assert_eq!(end, "1971-02-05T00:00:00Z");
    }
}
