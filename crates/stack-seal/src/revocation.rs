//! "No longer": a signed statement that takes trust away from a key or from one model.
//!
//! Revocations are data that travels like signatures do, so that a machine without a network learns of them. Whom a
//! revocation binds is a question for the policy: its signer must be trusted for what it revokes.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::json;
use crate::key::PublicKey;
use crate::statement::{StatementError, StatementErrorKind};
use crate::time::UnixTime;

/// What is revoked, by whom, from when on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// What no longer counts.
    pub revoked: Revoked,
    /// Statements issued from this time on do not count; without it, none ever did.
    pub since: Option<UnixTime>,
    /// Why, for people.
    pub reason: Option<String>,
    /// When this was said.
    pub issued: UnixTime,
    /// Who says it.
    pub signer: PublicKey,
}

/// What can be revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// All that this key signs.
    Key(PublicKey),
    /// The model with this root: the root of its statement, or the BLAKE3 root of one of its files.
    Root(Digest),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(rename = "_type")]
    kind: String,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    subject: [Subject; 1],
    predicate: Predicate,
}

/// in-toto wants digests of subjects; a key has that of its PEM text, the hint of bundles.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    digest: SubjectDigest,
}

#[derive(Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum SubjectDigest {
    Sha256(String),
    Blake3(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Predicate {
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    issued: String,
    signer: String,
}

/// What is read first.
#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

impl Revocation {
    /// Reads a payload whose signature was checked over these very bytes.
    ///
    /// # Errors
    ///
    /// Says what is wrong; in particular when it is a statement of another kind.
    pub fn parse(payload: &[u8]) -> Result<Self, StatementError> {
        if payload.len() > BYTES_MAX {
            return Err(StatementError::malformed("it is too long for a revocation"));
        }
        json::check(payload)?;
        let malformed = |error: &dyn ToString| StatementError::malformed(error.to_string());
        let kind: Kind = serde_json::from_slice(payload).map_err(|error| malformed(&error))?;
        if kind.predicate_type != PREDICATE {
            let what = format!("it is a {:?}, not a revocation", kind.predicate_type);
            return Err(StatementError::new(StatementErrorKind::Predicate, what));
        }
        let Wire { kind, subject: [subject], predicate, .. } =
            serde_json::from_slice(payload).map_err(|error| malformed(&error))?;
        if kind != TYPE {
            return Err(StatementError::malformed("it is not an in-toto Statement v1"));
        }
        let revoked = match subject.name.parse::<PublicKey>() {
            Ok(key) => Revoked::Key(key),
            Err(_) => Revoked::Root(subject.name.parse().map_err(|error| malformed(&error))?),
        };
        if subject.digest != SubjectDigest::from(&revoked) {
            return Err(StatementError::malformed("its subject and the digest of it differ"));
        }
        let time = |text: &String| text.parse::<UnixTime>().map_err(|error| malformed(&error));
        if predicate.reason.as_ref().is_some_and(|reason| reason.len() > REASON_MAX) {
            return Err(StatementError::malformed("its reason is too long"));
        }
        Ok(Self {
            revoked,
            since: predicate.since.as_ref().map(time).transpose()?,
            reason: predicate.reason,
            issued: time(&predicate.issued)?,
            signer: predicate.signer.parse().map_err(|error| malformed(&error))?,
        })
    }

    /// Writes the payload to sign.
    pub fn to_payload(&self) -> Vec<u8> {
        write(self)
    }
}

fn write(revocation: &Revocation) -> Vec<u8> {
    let name = match &revocation.revoked {
        Revoked::Key(key) => key.to_string(),
        Revoked::Root(root) => root.to_string(),
    };
    let wire = Wire {
        kind: TYPE.to_owned(),
        predicate_type: PREDICATE.to_owned(),
        subject: [Subject { name, digest: SubjectDigest::from(&revocation.revoked) }],
        predicate: Predicate {
            since: revocation.since.map(|time| time.to_string()),
            reason: revocation.reason.clone(),
            issued: revocation.issued.to_string(),
            signer: revocation.signer.to_string(),
        },
    };
    serde_json::to_vec(&wire).expect("structs of strings have a JSON form")
}

impl From<&Revoked> for SubjectDigest {
    fn from(revoked: &Revoked) -> Self {
        match revoked {
            Revoked::Key(key) => Self::Sha256(key.hint()),
            Revoked::Root(root) => match root.algorithm {
                crate::digest::Algorithm::Sha256 => Self::Sha256(root.hex()),
                crate::digest::Algorithm::Blake3 => Self::Blake3(root.hex()),
            },
        }
    }
}

const TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "urn:sovereign-stack:revocation:v1";
const BYTES_MAX: usize = 64 << 10;
const REASON_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Bundle, Unsigned};
    use crate::key::{KeyKind, SigningKey};
    use crate::statement::Statement;

    #[test]
    fn what_is_written_is_read() {
        let key = signer(1).public();
        let root: Digest = format!("blake3:{}", "7".repeat(64)).parse().unwrap();
        for revoked in [Revoked::Key(key), Revoked::Root(root)] {
            let revocation = Revocation { revoked, ..example() };
            assert_eq!(Revocation::parse(&revocation.to_payload()), Ok(revocation));
        }
    }

    #[test]
    fn revocations_and_models_are_not_mistaken_for_each_other() {
        let bundle = Bundle::sign(example().to_payload(), &signer(2));
        assert_eq!(bundle.open::<Revocation>(&[]).unwrap().payload(), &example());
        let Err(Unsigned::Payload(error)) = bundle.open::<Statement>(&[signer(2).public()]) else {
            panic!("a revocation opened as a model");
        };
        assert_eq!(error.kind(), StatementErrorKind::Predicate);
        let model = crate::statement::tests::full().to_payload();
        assert_eq!(Revocation::parse(&model).unwrap_err().kind(), StatementErrorKind::Predicate);
    }

    #[test]
    fn other_texts_are_refused() {
        let text = String::from_utf8(example().to_payload()).unwrap();
        for (old, new) in [
            (r#""issued":"#, r#""extra":"","issued":"#),
            (r#""issued":"#, r#""issued":"2026-09-21T14:13:20Z","issued":"#),
            ("ed25519:", "ed25519:0"),
            (r#""sha256":""#, r#""sha256":"0"#),
            ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v2"),
        ] {
            assert!(text.contains(old), "{old}");
            assert!(Revocation::parse(text.replacen(old, new, 1).as_bytes()).is_err(), "{new}");
        }
    }

    fn example() -> Revocation {
        Revocation {
            revoked: Revoked::Key(signer(1).public()),
            since: Some(UnixTime::from_seconds(1_790_000_000)),
            reason: Some("the laptop is gone".to_owned()),
            issued: UnixTime::from_seconds(1_790_000_009),
            signer: signer(2).public(),
        }
    }

    fn signer(byte: u8) -> SigningKey {
        SigningKey::from_secret(KeyKind::Ed25519, &[byte; 32]).unwrap()
    }
}
