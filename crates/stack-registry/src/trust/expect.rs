//! From a verdict to what each file must turn out to be.
//!
//! This is the only place where a policy's answer becomes an [`Expected`], without which nothing is loaded.

use std::error::Error;
use std::fmt;

use stack_seal::digest::Root;
use stack_seal::statement::Statement;
use stack_seal::verified::{Attested, Expected};

use super::{CATALOG, Reason, Verdict};

/// A file that is about to be loaded, and what is known about its plain bytes.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its name in statements.
    pub name: &'a str,
    /// What the catalog of the program lists, if it does.
    pub catalog: Option<(Root, u64)>,
    /// What it was when it was named, or when it was sealed here.
    pub pinned: Option<(Root, u64)>,
    /// Whether it lies encrypted.
    pub sealed: bool,
}

/// Why nothing can be expected of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unexpected {
    /// The policy refuses the model.
    Refused(Reason),
    /// The model is signed, and this file of it is not.
    Unsigned(String),
    /// Nobody says what the bytes must be, and what is encrypted never loads like that: whoever can open it could also
    /// have made it.
    Unknown(String),
}

/// Says what each file must turn out to be.
///
/// What trusted signers signed comes first, then the catalog where it counts, then what was seen before. A file of
/// which nothing is known is loaded as it is, which only levels below strict let come this far.
///
/// # Errors
///
/// When the verdict refuses the model, or nothing can be expected of a file.
pub fn expect(
    verdict: &Verdict,
    statement: Option<&Statement>,
    files: &[Candidate<'_>],
) -> Result<Vec<Expected>, Unexpected> {
    if let Some((_, reason)) = verdict.refusal() {
        return Err(Unexpected::Refused(reason));
    }
    let by_catalog = verdict.identities.iter().any(|name| name == CATALOG);
    let statement = statement.filter(|_| !verdict.keys.is_empty());
    let expected = |file: &Candidate<'_>| match (statement, file.catalog) {
        (Some(statement), _) => signed(verdict, statement, file),
        (None, Some((root, length))) if by_catalog => Ok(Expected::catalog(root, length)),
        (None, _) => known(file),
    };
    files.iter().map(expected).collect()
}

fn signed(verdict: &Verdict, statement: &Statement, file: &Candidate<'_>) -> Result<Expected, Unexpected> {
    let signed = statement.file(file.name).ok_or_else(|| Unexpected::Unsigned(file.name.to_owned()))?;
    match (signed.blake3, signed.size) {
        (Some(root), Some(length)) => {
            Ok(Expected::signed(root, length, Attested { signers: verdict.identities.clone() }))
        }
        // Other tools sign SHA-256 alone. Whoever checked that once has pinned the root.
        _ => match file.pinned {
            Some((root, length)) => Ok(Expected::pinned(root, length)),
            None => Err(Unexpected::Unknown(file.name.to_owned())),
        },
    }
}

fn known(file: &Candidate<'_>) -> Result<Expected, Unexpected> {
    match file.pinned {
        Some((root, length)) => Ok(Expected::pinned(root, length)),
        None if file.sealed => Err(Unexpected::Unknown(file.name.to_owned())),
        None => Ok(Expected::first_seen()),
    }
}

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => write!(f, "the policy refuses it: {}", reason.code()),
            Self::Unsigned(name) => write!(f, "the model is signed, and {name} is not"),
            Self::Unknown(name) => write!(f, "nobody says what {name} must be"),
        }
    }
}

impl Error for Unexpected {}

#[cfg(test)]
mod tests {
    use stack_seal::key::{KeyKind, PublicKey, SigningKey};
    use stack_seal::statement::SignedFile;

    use super::*;
    use crate::trust::{Check, Level, Outcome, Step};

    #[test]
    fn a_refused_model_is_never_expected() {
        let check = Check {
            step: Step::Signer,
            outcome: Outcome::Refused(Reason::UnknownSigner),
            detail: String::new(),
        };
        let verdict = Verdict { checks: vec![check], ..verdict(&["alice"], &[key()]) };
        let refused = expect(&verdict, Some(&statement(Some(Root([1; 32])))), &[pinned("m.gguf")]);
        assert_eq!(refused, Err(Unexpected::Refused(Reason::UnknownSigner)));
    }

    #[test]
    fn the_strongest_reason_wins() {
        let signed = statement(Some(Root([1; 32])));
        let by_alice = verdict(&["alice"], &[key()]);
        let attested = Attested { signers: vec!["alice".to_owned()] };
        assert_eq!(
            expect(&by_alice, Some(&signed), &[pinned("m.gguf")]),
            Ok(vec![Expected::signed(Root([1; 32]), 7, attested)])
        );
        let listed = Candidate { catalog: Some((Root([3; 32]), 7)), ..pinned("m.gguf") };
        let by_catalog = verdict(&[CATALOG], &[]);
        assert_eq!(expect(&by_catalog, None, &[listed]), Ok(vec![Expected::catalog(Root([3; 32]), 7)]));
        let by_nobody = verdict(&[], &[]);
        let expected = Expected::pinned(Root([2; 32]), 7);
        assert_eq!(
            expect(&by_nobody, Some(&signed), &[listed]),
            Ok(vec![expected]),
            "a stranger's signature"
        );
        let unseen = Candidate { pinned: None, ..pinned("m.gguf") };
        assert_eq!(expect(&by_nobody, None, &[unseen]), Ok(vec![Expected::first_seen()]));
    }

    #[test]
    fn unsigned_companions_and_unknown_sealed_files_are_refused() {
        let by_alice = verdict(&["alice"], &[key()]);
        let signed = statement(Some(Root([1; 32])));
        let both = [pinned("m.gguf"), pinned("tokenizer.json")];
        assert_eq!(
            expect(&by_alice, Some(&signed), &both),
            Err(Unexpected::Unsigned("tokenizer.json".to_owned()))
        );
        let sealed = Candidate { pinned: None, sealed: true, ..pinned("m.gguf") };
        let unknown = Err(Unexpected::Unknown("m.gguf".to_owned()));
        assert_eq!(expect(&verdict(&[], &[]), None, &[sealed]), unknown);
        let foreign = statement(None);
        assert_eq!(expect(&by_alice, Some(&foreign), &[sealed]), unknown);
        let expected = Expected::pinned(Root([2; 32]), 7);
        assert_eq!(expect(&by_alice, Some(&foreign), &[pinned("m.gguf")]), Ok(vec![expected]));
    }

    fn pinned(name: &str) -> Candidate<'_> {
        Candidate { name, catalog: None, pinned: Some((Root([2; 32]), 7)), sealed: false }
    }

    fn verdict(identities: &[&str], keys: &[PublicKey]) -> Verdict {
        Verdict {
            level: Level::Audit,
            rule: None,
            identities: identities.iter().map(|&name| name.to_owned()).collect(),
            keys: keys.to_vec(),
            needed: 1,
            statement: None,
            checks: Vec::new(),
        }
    }

    fn statement(blake3: Option<Root>) -> Statement {
        let file =
            SignedFile { name: "m.gguf".to_owned(), sha256: [9; 32], blake3, size: Some(7), leaves: None };
        Statement::new("m".to_owned(), vec![file], Vec::new(), None).unwrap()
    }

    fn key() -> PublicKey {
        SigningKey::from_secret(KeyKind::Ed25519, &[1; 32]).unwrap().public()
    }
}
