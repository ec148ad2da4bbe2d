//! Our own vectors, under `tests/vectors/bundle`: for whoever writes another implementation.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use stack_seal::bundle::{Bundle, BundleError, Signed, Unsigned};
use stack_seal::digest::{Root, Sha256Hasher};
use stack_seal::key::{KeyKind, PublicKey, SigningKey};
use stack_seal::statement::{Claim, SignedFile, Statement, StatementErrorKind, Tier};

#[derive(Deserialize)]
struct Index {
    key: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    file: String,
    result: String,
}

#[test]
fn every_vector_is_decided_as_its_index_says() {
    let index: Index = serde_json::from_slice(&read("index.json")).unwrap();
    let key: PublicKey = index.key.parse().unwrap();
    assert_eq!(PublicKey::from_pem(str::from_utf8(&read("ed25519.pub.pem")).unwrap()), Ok(key.clone()));
    assert_eq!(index.cases.len(), 19);
    for case in &index.cases {
        assert_eq!(result(&read(&case.file), &key), case.result, "{}", case.file);
    }
}

#[test]
fn the_good_vector_is_what_this_crate_writes() {
    let key = signer(1);
    let bundle = Bundle::sign(read("payload.json"), &key);
    assert_eq!(bundle.to_json(), read("good.bundle.json").trim_ascii_end());
    assert_eq!(statement().to_payload(), read("payload.json"));
    let signed: Signed<Statement> = bundle.open(&[key.public()]).unwrap();
    assert_eq!(signed.payload(), &statement());
}

fn result(bytes: &[u8], key: &PublicKey) -> &'static str {
    let bundle = match Bundle::parse(bytes) {
        Ok(bundle) => bundle,
        Err(BundleError::Duplicate) => return "duplicate-field",
        Err(BundleError::Malformed(_) | BundleError::Method(_)) => return "bad-bundle",
    };
    match bundle.open::<Statement>(std::slice::from_ref(key)) {
        Ok(_) => "ok",
        Err(Unsigned::BadSignature(_) | Unsigned::NotASigner(_)) => "bad-signature",
        Err(Unsigned::NoKey) => "no-key",
        Err(Unsigned::Payload(error)) => match error.kind() {
            StatementErrorKind::Duplicate => "duplicate-field",
            StatementErrorKind::Unsupported => "unsupported-serialization",
            StatementErrorKind::Malformed | StatementErrorKind::Predicate => "bad-bundle",
        },
    }
}

/// The statement of the vectors: two files of a model that is none.
fn statement() -> Statement {
    let file = |name: &str| {
        let bytes = read(&format!("model/{name}"));
        let mut hasher = Sha256Hasher::new();
        hasher.update(&bytes);
        SignedFile {
            name: name.to_owned(),
            sha256: hasher.finish().bytes,
            blake3: Some(Root::of(&bytes)),
            size: Some(bytes.len() as u64),
            leaves: None,
        }
    };
    let claim = Claim {
        name: "registry.example/vectors/tiny:latest".to_owned(),
        serial: 1_790_000_000,
        issued: "2026-09-21T14:13:20Z".parse().unwrap(),
        expires: Some("2027-10-26T00:00:00Z".parse().unwrap()),
        signers: vec![signer(1).public()],
        quorum: 1,
        tier: Tier::Private,
        format: "gguf".to_owned(),
        template: None,
        origin: Some("hf://example/tiny@0000000000000000000000000000000000000000".to_owned()),
        license: Some("MIT".to_owned()),
        recipe: None,
        parents: Vec::new(),
        sealed: Vec::new(),
    };
    let files = vec![file("model.gguf"), file("tokenizer.json")];
    Statement::new("tiny".to_owned(), files, Vec::new(), Some(claim)).unwrap()
}

fn signer(byte: u8) -> SigningKey {
    SigningKey::from_secret(KeyKind::Ed25519, &[byte; 32]).unwrap()
}

fn read(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/bundle");
    let path = PathBuf::from(folder).join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
