//! What an admission remembers, and what it refuses once the bytes were read.

use std::fs;

use stack_registry::manifest::FileFormat;
use stack_seal::bundle::Bundle;

use super::*;
use crate::fixtures::{Asked, claim, key, signing_key};
use crate::home::Home;
use crate::keyring::Keyring;

/// Admits a model that alice signed, under a rule of this level, and confirms it on this basis. Returns the serial that
/// is remembered of her key.
fn confirmed(level: &str, basis: &Basis) -> Result<Option<u64>, AdmissionError> {
    let dir = tempfile::tempdir().unwrap();
    let (home, path) = (Home::at(dir.path().join("home")), dir.path().join("m.gguf"));
    fs::write(&path, b"GGUF").unwrap();
    let file = SignedFile {
        name: "m.gguf".to_owned(),
        sha256: [1; 32],
        blake3: Some(Root::of(b"GGUF")),
        size: Some(4),
        leaves: None,
    };
    let statement = Statement::new("m".to_owned(), vec![file], Vec::new(), Some(claim())).unwrap();
    let bundle = Bundle::sign(statement.to_payload(), &signing_key(1));
    fs::write(dir.path().join("m.gguf.sig"), bundle.to_json()).unwrap();
    fs::create_dir_all(home.trust().unwrap()).unwrap();
    let policy = format!(
        "[[identity]]\nname = \"alice\"\nkeys = [\"{}\"]\n\n[[rule]]\nmatch = \"**\"\nlevel = \"{level}\"\nsigners = [\"alice\"]\n",
        key(1)
    );
    fs::write(home.trust().unwrap().join("trust.toml"), policy).unwrap();

    let options = AdmissionOptions {
        opener: Opener {
            home: &home,
            named: None,
            passphrases: &Asked::default(),
            keyring: &Keyring::default(),
        },
        tier: Tier::Standard,
        now: UnixTime::from_seconds(200),
        hashing: HasherOptions { workers: 1, progress: &|_, _, _| {} },
    };
    let target = Target::at(path).unwrap();
    let applicant = Applicant::new(target, options, &mut |error| panic!("{error}"))?;
    let admission = applicant.admit(&ModelFacts { format: Some(FileFormat::Gguf), template: None })?;
    let serial = || TrustFolder::new(&home).read().unwrap().marks.serial(&key(1), "m");
    assert_eq!(serial(), None, "before the bytes were read nothing is remembered");
    admission.confirm(basis)?;
    Ok(serial())
}

#[test]
fn what_was_accepted_is_remembered() {
    let signed = Basis::Signed(Attested { signers: vec!["alice".to_owned()] });
    for level in ["strict", "permissive", "audit"] {
        assert_eq!(confirmed(level, &signed).unwrap(), Some(1), "{level}");
    }
    assert_eq!(confirmed("skip", &signed).unwrap(), None, "what nobody checked counts for nothing");
}

#[test]
fn a_rule_that_asks_for_signatures_takes_no_bytes_that_nobody_vouches_for() {
    for level in ["strict", "permissive"] {
        let refused = confirmed(level, &Basis::FirstSeen).unwrap_err();
        assert!(
            matches!(refused, AdmissionError::Refused { reason: Reason::NoSignature, .. }),
            "{level}: {refused}"
        );
        assert_eq!(
            confirmed(level, &Basis::Pinned).unwrap(),
            Some(1),
            "{level}: the store wrote the root down"
        );
    }
    assert_eq!(confirmed("audit", &Basis::FirstSeen).unwrap(), Some(1));
}
