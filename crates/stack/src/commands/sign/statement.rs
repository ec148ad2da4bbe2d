//! The statement that is signed, and how it is shown.

use stack_registry::manifest::kind;
use stack_registry::name::Name;
use stack_seal::bundle::Bundle;
use stack_seal::key::PublicKey;
use stack_seal::statement::{Claim, Parent, Relation, SignedFile, Statement, StatementError};

use super::Arguments;
use crate::error::{CommandError, Kind};
use crate::home::{Home, identities};
use crate::process::machine;
use crate::signing::{ModelFacts, Target, TargetFile, hash_twice};
use crate::terminal::units;
use crate::trust::TrustFolder;

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
    let wrong = || "expected a duration such as 400d, 12h or 90m, or `never`".to_owned();
    let unit = match text.chars().last() {
        Some('d') => 24 * 60 * 60,
        Some('h') => 60 * 60,
        Some('m') => 60,
        Some('s') => 1,
        _ => return Err(wrong()),
    };
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    Ok(Lifetime::Seconds(u64::from(number) * unit))
}

/// Hashes the files and makes the statement.
pub(super) fn make(
    arguments: &Arguments,
    home: &Home,
    target: &Target,
    key: &PublicKey,
) -> Result<Statement, CommandError> {
    let ignored = match target {
        Target::Folder(_) => IGNORED.map(str::to_owned).to_vec(),
        Target::File(_) | Target::Stored(_) => Vec::new(),
    };
    let issued = machine::now();
    let mut signers = vec![key.clone()];
    for text in &arguments.also {
        signers.push(other_signer(home, text)?);
    }
    let facts = ModelFacts::look(target).ok_or_else(|| {
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
        format: facts.format.to_owned(),
        template: facts.template,
        origin: arguments.origin.clone(),
        license: arguments.license.clone(),
        recipe: arguments.recipe.clone(),
        parents: arguments.parent.iter().map(|text| parent(home, text)).collect::<Result<_, _>>()?,
        sealed: Vec::new(),
    };
    let files = target.files(&ignored)?.iter().map(signed_file).collect::<Result<Vec<_>, _>>()?;
    Statement::new(target.title(), without_leaves_of_giants(files), ignored, Some(claim)).map_err(unusable)
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

/// The error for a statement that cannot be made.
fn unusable(error: StatementError) -> CommandError {
    CommandError::new(Kind::Usage, "the statement is invalid").reason("bad-name").caused(error)
}

fn signed_file(file: &TargetFile) -> Result<SignedFile, CommandError> {
    let hashed = hash_twice(file)?;
    Ok(SignedFile {
        name: file.name.clone(),
        sha256: hashed.sha256.bytes,
        blake3: Some(hashed.file.root),
        size: Some(hashed.file.length),
        leaves: hashed.file.leaves,
    })
}

/// Leaves are a help, which must not make a statement too long to be read.
fn without_leaves_of_giants(mut files: Vec<SignedFile>) -> Vec<SignedFile> {
    let spans: usize =
        files.iter().filter_map(|file| file.leaves.as_ref()).map(|leaves| leaves.tree().spans()).sum();
    if spans > SPANS_MAX {
        files.iter_mut().for_each(|file| file.leaves = None);
    }
    files
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
        None => identities::public_key(home, text),
    }
}

/// Finds a parent in the store, with the root that was signed for it.
fn parent(home: &Home, text: &str) -> Result<Parent, CommandError> {
    let wrong = |hint: String| {
        CommandError::new(Kind::Usage, format!("{text:?} is not a parent")).reason("bad-name").hint(hint)
    };
    let (relation, name) =
        text.split_once('=').ok_or_else(|| wrong("write RELATION=NAME, as in quantized=qwen3-4b".into()))?;
    let relation = Relation::from_name(relation)
        .ok_or_else(|| wrong(format!("known relations: {}", Relation::ALL.map(Relation::name).join(", "))))?;
    let name = Name::parse(name).map_err(|error| wrong(error.to_string()))?;
    let unsigned = || {
        CommandError::new(Kind::Missing, format!("the parent {name} is not signed"))
            .reason("no-signature")
            .hint("pull or sign it first")
    };
    let store = home.existing_store()?.ok_or_else(unsigned)?;
    let entry = store.resolve(&name)?;
    let referrer = store.referrers(&entry.manifest.digest, kind::BUNDLE)?.into_iter().next();
    let layer = referrer.and_then(|found| found.manifest.layers.into_iter().next()).ok_or_else(unsigned)?;
    let bytes = store.read(&layer.digest, stack_seal::statement::BYTES_MAX)?;
    // An edge says which statement is meant; whether that is to be trusted is asked where the parent is verified.
    let statement = Bundle::parse(&bytes).ok().and_then(|bundle| Statement::parse(bundle.payload()).ok());
    Ok(Parent { relation, name: name.to_string(), root: statement.ok_or_else(unsigned)?.root() })
}

/// What OMS leaves out of a folder.
const IGNORED: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];
/// 4 MiB of leaves, for 32 GiB of files.
const SPANS_MAX: usize = (4 << 20) / 32;

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
