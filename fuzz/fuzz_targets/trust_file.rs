//! `trust.toml`: any text is a policy or an error. What is edited stays one, and says what was added.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stack_seal::key::{KeyKind, PublicKey, SigningKey};
use stack_seal::revocation::Revoked;
use stack_trust::trust_file::{Document, RuleRequest, parse_policy};

static KEY: LazyLock<PublicKey> = LazyLock::new(|| {
    SigningKey::from_secret(KeyKind::Ed25519, &[7; 32]).expect("seven is a secret").public()
});

fuzz_target!(|text: &str| {
    let Ok(policy) = parse_policy(text) else { return };
    let names = ["registry.lan/med/x:y", "x:latest", "file:///models/m.gguf", ""];
    for name in names {
        let _ = policy.rule(name);
    }
    let mut document = Document::parse(text).expect("what is a policy is a document");
    // A key belongs to one identity; whoever has this one already may be called anything.
    let known = policy.identity(&KEY).map(|identity| identity.name.clone());
    let name = known.as_deref().unwrap_or("fuzz");
    document.add_keys(name, &[KEY.clone()]);
    document.add_rule(&RuleRequest { pattern: "fuzz/**", signer: name, level: None, threshold: Some(1) });
    document.revoke(&Revoked::Key(KEY.clone()), Some("lost"));
    if let Ok(edited) = parse_policy(&document.to_string()) {
        assert_eq!(edited.identity(&KEY).map(|identity| identity.name.as_str()), Some(name));
        assert!(edited.rules.iter().any(|rule| rule.signers.iter().any(|signer| signer == name)));
        assert!(edited.revoked.iter().any(|entry| entry.what == Revoked::Key(KEY.clone())));
    }
    document.remove_identity(name);
    if let Ok(edited) = parse_policy(&document.to_string()) {
        assert!(edited.identities.iter().all(|identity| identity.name != name));
    }
});
