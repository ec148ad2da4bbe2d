//! Bundles that other tools made.

use std::fs;
use std::path::PathBuf;

use stack_seal::bundle::{Bundle, BundleError, Signed, Unsigned};
use stack_seal::digest::Sha256Hasher;
use stack_seal::key::PublicKey;
use stack_seal::statement::{Statement, StatementErrorKind};

#[test]
fn the_specification_s_bundle_opens_with_its_key() {
    let Some(oms) = oms() else { return };
    let bundle = Bundle::parse(&fs::read(oms.join("spec/valid/key.bundle.json")).unwrap()).unwrap();
    assert!(bundle.hints_at(&key(&oms)));
    assert!(String::from_utf8_lossy(&bundle.to_json()).contains(&key(&oms).hint()));
    let signed: Signed<Statement> = bundle.open(&[key(&oms)]).unwrap();
    assert_eq!(names(signed.payload()), ["signme-1", "signme-2"]);
    assert_eq!(bundle.open::<Statement>(&[]), Err(Unsigned::NoKey));
}

#[test]
fn other_methods_are_refused_by_name_and_broken_bundles_at_all() {
    let Some(oms) = oms() else { return };
    let parse = |name: &str| Bundle::parse(&fs::read(oms.join("spec").join(name)).unwrap());
    assert_eq!(parse("valid/certificate.bundle.json"), Err(BundleError::Method("certificate")));
    assert_eq!(parse("valid/sigstore.bundle.json"), Err(BundleError::Method("sigstore")));
    assert_eq!(parse("invalid/missing-tlog-entries.bundle.json"), Err(BundleError::Method("sigstore")));
    for name in ["empty", "missing-envelope", "missing-verification-material"] {
        let parsed = parse(&format!("invalid/{name}.bundle.json"));
        assert!(matches!(parsed, Err(BundleError::Malformed(_))), "{name}: {parsed:?}");
    }
    let wrong = parse("invalid-payload/wrong-predicate.bundle.json").unwrap();
    assert!(wrong.check(&key(&oms)).is_err());
    assert_eq!(Statement::parse(wrong.payload()).unwrap_err().kind(), StatementErrorKind::Predicate);
}

#[test]
fn bundles_of_every_version_of_oms_open_and_name_their_files() {
    let Some(oms) = oms() else { return };
    for (version, expected) in [
        ("v0.3.1", &["."][..]),
        ("v1.0.0", &["."]),
        ("v1.0.1", &["signme-1", "signme-2"]),
        ("v1.1.0", &["signme-1", "signme-2"]),
    ] {
        let folder = oms.join(format!("historical/{version}-elliptic-key"));
        let bundle = Bundle::parse(&fs::read(folder.join("model.sig")).unwrap()).unwrap();
        let signed: Signed<Statement> = bundle.open(&[key(&oms)]).unwrap();
        assert_eq!(names(signed.payload()), expected, "{version}");
        assert_eq!(signed.payload().claim(), None);
        for file in signed.payload().files() {
            let name = if file.name == "." { "signme-1" } else { &file.name };
            let mut hasher = Sha256Hasher::new();
            hasher.update(&fs::read(folder.join(name)).unwrap());
            assert_eq!(hasher.finish(), file.digest(), "{version}: {name}");
        }
        let ignores = signed.payload().ignored().iter().any(|name| name == "ignore-me");
        assert_eq!(ignores, version == "v1.1.0");
    }
}

fn oms() -> Option<PathBuf> {
    Some(stack_testkit::reference_data("vectors")?.join("oms"))
}

fn key(oms: &std::path::Path) -> PublicKey {
    let text = fs::read_to_string(oms.join("historical/keys/signing-key-pub.pem")).unwrap();
    PublicKey::from_pem(&text).unwrap()
}

fn names(statement: &Statement) -> Vec<&str> {
    statement.files().iter().map(|file| file.name.as_str()).collect()
}
