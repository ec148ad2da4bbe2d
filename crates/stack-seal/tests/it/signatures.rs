//! Signatures: which of the published ones are accepted.

use serde::Deserialize;
use stack_seal::key::{KeyKind, PublicKey};

use crate::vectors::{self, Wycheproof, hex};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    public_key_pem: String,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    msg: String,
    sig: String,
    result: String,
}

#[derive(Deserialize)]
struct Cctv {
    key: String,
    sig: String,
    msg: String,
    flags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Speccheck {
    message: String,
    pub_key: String,
    signature: String,
}

#[test]
fn wycheproof_is_decided_as_published() {
    for (name, valid, invalid) in [
        ("ed25519_test", 88, 63),
        ("ecdsa_secp256r1_sha256_test", 174, 310),
        ("ecdsa_secp384r1_sha384_test", 194, 310),
    ] {
        let path = format!("wycheproof/{name}.json");
        let Some(file) = vectors::read::<Wycheproof<Group>>(&path) else { return };
        let mut counts = [0, 0];
        for group in &file.test_groups {
            let key = PublicKey::from_pem(&group.public_key_pem);
            for case in &group.tests {
                let accepted =
                    key.as_ref().is_ok_and(|key| key.verify(&hex(&case.msg), &hex(&case.sig)).is_ok());
                assert_eq!(accepted, case.result == "valid", "{name}: {}", case.sig);
                counts[usize::from(!accepted)] += 1;
            }
        }
        assert_eq!(counts, [valid, invalid], "{name}");
    }
}

#[test]
fn ed25519_is_strict_in_the_cctv_corners() {
    let Some(cases) = vectors::read::<Vec<Cctv>>("cctv-ed25519/ed25519vectors.json") else { return };
    assert_eq!(cases.len(), 914);
    let mut accepted = 0;
    for case in &cases {
        let harmless = case.flags.iter().flatten().all(|flag| flag.starts_with("low_order_component_"));
        assert_eq!(accepts(&case.key, case.msg.as_bytes(), &case.sig), harmless, "{}", case.sig);
        accepted += usize::from(harmless);
    }
    assert_eq!(accepted, 43);
}

#[test]
fn ed25519_speccheck_has_one_good_case() {
    let Some(cases) = vectors::read::<Vec<Speccheck>>("ed25519-speccheck/cases.json") else { return };
    let accepted: Vec<bool> =
        cases.iter().map(|case| accepts(&case.pub_key, &hex(&case.message), &case.signature)).collect();
    assert_eq!(accepted, (0..12).map(|index| index == 3).collect::<Vec<_>>());
}

fn accepts(key: &str, message: &[u8], signature: &str) -> bool {
    PublicKey::from_bytes(KeyKind::Ed25519, &hex(key))
        .is_ok_and(|key| key.verify(message, &hex(signature)).is_ok())
}
